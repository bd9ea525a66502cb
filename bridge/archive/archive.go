// Package archive keeps an encrypted copy of every report that leaves, by the lab's choice, so that
// original and corrected can be shown years later (42 CFR 493.1291(k)). It implements
// bridge.Archive; when a copy is kept, and what happens when that fails, stands there.
//
// # The promise
//
// When Keep returns nil, the copy is on the disk, and only who holds one of the private keys can
// read it: this machine needs and knows public keys only. One report is one file of its own, so that
// a crash spoils at most the file that it interrupts, of a report that never left. Each is an
// ordinary age file (age-encryption.org/v1) with JSON inside, which the age program reads without
// limsbridge:
//
//	2026-11/20261117T101112.123456789Z_7d5e0c2a-….age     {"at": …, "service_request": …, "report": {as it was sent}}
//
// A file is named by the instant of its intent and the service request. Both stand in the intent's
// line of the journal; its number does not exist yet when the copy is made. Reports joins the two.
//
// # What it does not promise
//
// Whoever has the public key can write such a file: that a copy is genuine is shown by the keyed
// fingerprints of the journal (Body.Agrees). Nothing is ever deleted here, and nobody is told when
// a private key is lost.
package archive

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"filippo.io/age"
	"github.com/google/uuid"

	"limsbridge/bridge"
	"limsbridge/whoop"
)

var _ bridge.Archive = (*Archive)(nil)

// Archive writes copies into a folder.
type Archive struct {
	folder     string
	recipients []age.Recipient
}

// New returns the archive in a folder, for the holders of the private keys that belong to these
// public keys of age. It touches no disk. Its error says which key is none.
func New(folder string, publicKeys []string) (*Archive, error) {
	a := &Archive{folder: folder}
	for i, k := range publicKeys {
		r, err := age.ParseRecipients(strings.NewReader(k))
		if err != nil || len(r) != 1 {
			return nil, fmt.Errorf("archive.recipients: number %d is not a public key of age", i+1) // age's error repeats it
		}
		a.recipients = append(a.recipients, r[0])
	}
	if _, err := age.Encrypt(io.Discard, a.recipients...); err != nil {
		return nil, fmt.Errorf("archive.recipients: %w", err) // none, or kinds that do not mix
	}
	return a, nil
}

// Body is what a copy holds.
type Body struct {
	At      time.Time    `json:"at"`
	Request uuid.UUID    `json:"service_request"`
	Report  whoop.Report `json:"report"`
}

// Keep writes a copy and returns when it is on the disk.
func (a *Archive) Keep(c bridge.Copy) error {
	text, err := a.seal(Body{At: c.At.UTC(), Request: c.Request, Report: c.Report})
	if err != nil {
		return err
	}
	folder := filepath.Join(a.folder, c.At.UTC().Format(monthFormat))
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return err
	}
	f, err := create(folder, c)
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	// The month's folder may be new: its name must last, too.
	if err = errors.Join(err, f.Sync(), f.Close(), syncFolder(folder), syncFolder(a.folder)); err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return nil
}

// create makes the file of a copy. Where a clock is so coarse that two reports of one service
// request have the same instant, the later one gets a number.
func create(folder string, c bridge.Copy) (*os.File, error) {
	for n := 1; ; n++ {
		name := fileName{at: c.At.UTC(), request: c.Request, number: n}.String()
		f, err := os.OpenFile(filepath.Join(folder, name), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
		if !errors.Is(err, fs.ErrExist) {
			return f, err
		}
	}
}

// seal encrypts a body. The report is written as package whoop writes it: "<0.5" stays "<0.5".
func (a *Archive) seal(b Body) ([]byte, error) {
	var out bytes.Buffer
	w, err := age.Encrypt(&out, a.recipients...)
	if err != nil {
		return nil, err
	}
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	if e.Encode(b) != nil {
		return nil, errors.New("the report cannot be encoded") // json's error would show a value
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

// syncFolder makes the names of new files durable. On Windows folders cannot be synced, and NTFS
// journals names itself.
func syncFolder(path string) error {
	if runtime.GOOS == "windows" {
		return nil
	}
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}
