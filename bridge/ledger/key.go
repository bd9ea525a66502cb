package ledger

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"strings"
)

// keyBytes is the length of the fingerprint key.
const keyBytes = 32

// createKey writes a new random key into a file that must not exist yet.
func createKey(path string) ([]byte, error) {
	key := make([]byte, keyBytes)
	rand.Read(key) // never fails, by its contract
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, err
	}
	_, err = f.WriteString(hex.EncodeToString(key) + "\n")
	return key, errors.Join(err, f.Sync(), f.Close())
}

// readKey reads what createKey wrote. No error shows any of it.
func readKey(path string) ([]byte, error) {
	b, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("%s: %w: the fingerprint key is missing; restore it from a backup, without it nothing that was sent can be recognised", path, ErrMissing)
	}
	if err != nil {
		return nil, fmt.Errorf("read the fingerprint key: %w", err)
	}
	key, err := hex.DecodeString(strings.TrimSpace(string(b)))
	if err != nil || len(key) != keyBytes {
		return nil, fmt.Errorf("%s: %w: it is not %d hexadecimal digits; restore it from a backup", path, ErrWrongKey, 2*keyBytes)
	}
	return key, nil
}

// keyCheck is kept in bbolt, so that another key is noticed; it tells nothing of the key.
func keyCheck(key []byte) []byte {
	m := hmac.New(sha256.New, key)
	m.Write([]byte("limsbridge ledger key check 1"))
	return m.Sum(nil)
}
