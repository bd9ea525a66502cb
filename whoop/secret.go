package whoop

import (
	"fmt"
	"io"
	"log/slog"
)

// Secret is a text that no formatting, logging or encoding ever shows. Convert it to string
// where it is needed.
type Secret string

const redacted = "(secret)"

// Format prints a placeholder under every verb.
func (Secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, redacted) }

// String returns a placeholder.
func (Secret) String() string { return redacted }

// LogValue keeps the secret out of slog.
func (Secret) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalText keeps the secret out of JSON, YAML and the like.
func (Secret) MarshalText() ([]byte, error) { return []byte(redacted), nil }
