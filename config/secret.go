package config

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"
)

// Secret is a text that prints as "secret" everywhere. Only Reveal and Now return it.
type Secret struct {
	text string
	// again looks for it anew; nil where the text stands in the file.
	again func() (Secret, *secretError)
}

// NewSecret wraps a text.
func NewSecret(text string) Secret { return Secret{text: text} }

// Reveal returns the text as it was when the file was loaded.
func (s Secret) Reveal() string { return s.text }

// Now looks for the secret again, so that a changed one needs no restart. Its error names the
// place and the cure, never the secret.
func (s Secret) Now() (string, error) {
	if s.again == nil {
		return s.text, nil
	}
	t, err := s.again()
	if err != nil {
		return "", err
	}
	return t.text, nil
}

// Set reports whether there is a secret at all.
func (s Secret) Set() bool { return s.text != "" }

// String is "secret".
func (Secret) String() string { return "secret" }

// GoString keeps the text out of %#v as well.
func (Secret) GoString() string { return "secret" }

// Format keeps the text out of every other verb.
func (Secret) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte("secret")) }

// MarshalText keeps the text out of JSON and of everything else that is written as text.
func (Secret) MarshalText() ([]byte, error) { return []byte("secret"), nil }

// MarshalJSON keeps the text out of JSON.
func (Secret) MarshalJSON() ([]byte, error) { return []byte(`"secret"`), nil }

// LogValue keeps the text out of logs.
func (Secret) LogValue() slog.Value { return slog.StringValue("secret") }

// credentials is where systemd puts the credentials of a service (systemd.exec(5), LoadCredential=).
const credentials = "CREDENTIALS_DIRECTORY"

// secretName is what secret:NAME may be called: it is a file's name on every system.
var secretName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$`)

// secretError says why a secret cannot be had, and what to do.
type secretError struct{ what, instead string }

func (e *secretError) Error() string { return e.what + "; " + e.instead }

// ValidSecretName reports whether name can be used in secret:NAME: letters, digits, dot, dash and
// underscore, at most 64, beginning with a letter or digit.
func ValidSecretName(name string) bool { return secretName.MatchString(name) }

// splitReference splits secret:NAME, file:PATH and env:NAME.
func splitReference(text string) (kind, name string, ok bool) {
	kind, name, ok = strings.Cut(text, ":")
	return kind, name, ok && (kind == "secret" || kind == "file" || kind == "env")
}

// resolve finds the secret behind a reference. The error never holds the secret.
func resolve(kind, name, state, base string) (Secret, *secretError) {
	switch kind {
	case "env":
		if s := os.Getenv(name); s != "" {
			return NewSecret(s), nil
		}
		return Secret{}, &secretError{
			fmt.Sprintf("the environment variable %s is empty or not set", name),
			"set it for the service, or use secret:NAME",
		}
	case "file":
		return readProtected(within(base, name), "write the secret into that file, or use secret:NAME")
	}
	if !secretName.MatchString(name) {
		return Secret{}, &secretError{
			"a secret's name has letters, digits, dots, dashes and underscores, at most 64",
			"write for example secret:lims-password",
		}
	}
	if dir := os.Getenv(credentials); dir != "" {
		// systemd made the folder for this service alone; its modes are systemd's business.
		if b, err := os.ReadFile(filepath.Join(dir, name)); err == nil && oneLine(b) != "" {
			return NewSecret(oneLine(b)), nil
		}
	}
	return readStored(filepath.Join(state, "secrets", name), "type: limsbridge secret set "+name)
}

// readProtected reads a secret from a file that nobody else may read.
func readProtected(path, instead string) (Secret, *secretError) {
	b, err := readPrivate(path)
	return secretText(b, err, path, instead)
}

func secretText(b []byte, err error, path, instead string) (Secret, *secretError) {
	var open *openToOthers
	switch {
	case errors.As(err, &open):
		return Secret{}, &secretError{open.Error(), open.cure()}
	case errors.Is(err, fs.ErrNotExist):
		return Secret{}, &secretError{"there is no file " + path, instead}
	case errors.Is(err, fs.ErrPermission):
		return Secret{}, &secretError{"this account may not read " + path, "run this as the service's account, or give it the right to read the file"}
	case err != nil:
		return Secret{}, &secretError{"cannot read " + path, instead}
	case oneLine(b) == "":
		return Secret{}, &secretError{path + " is empty", instead}
	}
	return NewSecret(oneLine(b)), nil
}

// oneLine drops the line end that editors add; a secret may begin or end with spaces.
func oneLine(b []byte) string {
	return strings.TrimRight(strings.TrimPrefix(string(b), "\ufeff"), "\r\n")
}

// StoreSecret writes a secret for secret:NAME into the state folder, readable by its owner alone
// (Windows: by the service, administrators and whoever stores it, and encrypted for this machine by DPAPI).
func StoreSecret(state, name, text string) error {
	if !ValidSecretName(name) {
		return fmt.Errorf("%q cannot be a secret's name: letters, digits, dots, dashes and underscores, at most 64", name)
	}
	if text == "" || strings.ContainsAny(text, "\r\n") {
		return errors.New("a secret is one line, and not empty")
	}
	dir := filepath.Join(state, "secrets")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	sealed, err := seal([]byte(text))
	if err != nil {
		return err
	}
	f, err := os.CreateTemp(dir, ".new-*") // mode 0600
	if err != nil {
		return err
	}
	if err = keepPrivate(dir, f); err == nil { // before there is something to read
		_, err = f.Write(sealed)
	}
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		_ = os.Remove(f.Name())
		return err
	}
	return os.Rename(f.Name(), filepath.Join(dir, name))
}

// StoredSecret is a secret that StoreSecret wrote.
type StoredSecret struct {
	Name   string
	Stored time.Time
}

// StoredSecrets lists the secrets in the state folder, by name. It reads none of them.
func StoredSecrets(state string) ([]StoredSecret, error) {
	entries, err := os.ReadDir(filepath.Join(state, "secrets"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var out []StoredSecret
	for _, e := range entries {
		info, err := e.Info()
		if err != nil || !info.Mode().IsRegular() || !ValidSecretName(e.Name()) {
			continue
		}
		out = append(out, StoredSecret{e.Name(), info.ModTime()})
	}
	return out, nil
}

// RemoveSecret removes a secret that StoreSecret wrote.
func RemoveSecret(state, name string) error {
	if !ValidSecretName(name) {
		return fmt.Errorf("%q cannot be a secret's name", name)
	}
	err := os.Remove(filepath.Join(state, "secrets", name))
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("no secret %s is stored here: see limsbridge secret list", name)
	}
	return err
}

// within makes a path of the file absolute: relative ones begin at the file's folder.
func within(base, path string) string {
	if path == "" || filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(base, path)
}
