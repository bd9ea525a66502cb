package main

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// sums writes the SHA-256 of each file in folder, as sha256sum(1) does and checks.
func sums(w io.Writer, folder string) error {
	files, err := os.ReadDir(folder) // sorted
	if err != nil {
		return err
	}
	for _, f := range files {
		if !f.Type().IsRegular() || f.Name() == "SHA256SUMS" {
			continue
		}
		sum, err := sha256Of(filepath.Join(folder, f.Name()))
		if err != nil {
			return err
		}
		if _, err := fmt.Fprintf(w, "%s  %s\n", sum, f.Name()); err != nil {
			return err
		}
	}
	return nil
}

func sha256Of(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}
