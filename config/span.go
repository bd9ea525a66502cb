package config

import (
	"fmt"
	"time"
)

// ParseSpan reads a length of time as the file writes it (90s, 10m, 36h, 7d, 30 days), for the
// flags of commands.
func ParseSpan(text string) (time.Duration, error) {
	d, ok := parseSpan(text)
	if !ok || d <= 0 {
		return 0, fmt.Errorf("%q is not a length of time: write for example 12h or 30d", text)
	}
	return d, nil
}
