package archive

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"filippo.io/age"
)

// NewKey makes a key pair, writes the private key into a file that must not exist yet, as
// age-keygen does, and returns the public key.
func NewKey(path string, at time.Time) (publicKey string, err error) {
	id, err := age.GenerateX25519Identity()
	if err != nil {
		return "", err
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return "", err
	}
	_, err = fmt.Fprintf(f, "# created: %s\n# public key: %s\n%s\n", at.UTC().Format(time.RFC3339), id.Recipient(), id)
	return id.Recipient().String(), errors.Join(err, f.Sync(), f.Close())
}

// Keys are private keys.
type Keys []age.Identity

// ReadKeys reads a file with private keys of age (AGE-SECRET-KEY-…), one per line. Its errors show
// nothing of them.
func ReadKeys(path string) (Keys, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	ids, err := age.ParseIdentities(f)
	if err != nil {
		return nil, fmt.Errorf("%s holds no private key of age (AGE-SECRET-KEY-…); if it is encrypted itself, decrypt it first: age -d", path)
	}
	return ids, nil
}

// Inside reports whether a file lies in a folder: a private key should not lie beside what it opens.
func Inside(folder, file string) bool {
	var paths [2]string
	for i, p := range []string{folder, file} {
		abs, err := filepath.Abs(p)
		if err != nil {
			return false
		}
		if real, err := filepath.EvalSymlinks(abs); err == nil {
			abs = real
		}
		paths[i] = abs
	}
	rel, err := filepath.Rel(paths[0], paths[1])
	return err == nil && rel != ".." && !strings.HasPrefix(rel, ".."+string(filepath.Separator))
}
