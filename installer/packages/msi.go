package main

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
)

// settle gives an MSI file the same summary in every build: wixl writes the clock and a random
// package code into it. The package code must differ between files of different content, so it is
// derived from what the file is made of.
//
// The summary is a property set ([MS-OLEPS] 2.21): little-endian; a property is its type and its
// value, and the section has their offsets.
func settle(path string, code uuid.UUID, at time.Time) error {
	file, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	section, err := summarySection(file)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	const (
		revision, created, saved = 9, 12, 13 // PIDSI_REVNUMBER, _CREATE_DTM, _LASTSAVE_DTM
		text, filetime           = 0x1e, 0x40
	)
	found := 0
	for i := range binary.LittleEndian.Uint32(section[4:]) {
		entry := section[8+8*i:]
		property := section[binary.LittleEndian.Uint32(entry[4:]):]
		kind := binary.LittleEndian.Uint32(property)
		switch id := binary.LittleEndian.Uint32(entry); {
		case (id == created || id == saved) && kind == filetime:
			binary.LittleEndian.PutUint64(property[4:], fileTime(at))
			found++
		case id == revision && kind == text:
			copy(property[8:], "{"+strings.ToUpper(code.String())+"}") // as long as the one it replaces
			found++
		}
	}
	if found != 3 {
		return fmt.Errorf("%s: its summary has not the three properties that differ between builds", path)
	}
	return os.WriteFile(path, file, 0o600)
}

// summarySection returns the one section of the summary, as a part of file. It is shorter than a
// sector, and so in one piece.
func summarySection(file []byte) ([]byte, error) {
	// FMTID_SummaryInformation and the offset of its section ([MS-OLEPS] 2.21, 3.1).
	format := []byte{0xe0, 0x85, 0x9f, 0xf2, 0xf9, 0x4f, 0x68, 0x10, 0xab, 0x91, 0x08, 0x00, 0x2b, 0x27, 0xb3, 0xd9}
	at := bytes.Index(file, format)
	const header = 28 // what stands before it in the stream
	if at < header || !bytes.Equal(file[at-header:at-header+4], []byte{0xfe, 0xff, 0, 0}) || bytes.Contains(file[at+1:], format) {
		return nil, errors.New("there is not one summary in it")
	}
	offset := int(binary.LittleEndian.Uint32(file[at+16:]))
	section := file[at-header+offset:]
	return slices.Clip(section[:binary.LittleEndian.Uint32(section)]), nil
}

// fileTime is the time as Windows counts it: steps of 100 ns since 1601.
func fileTime(at time.Time) uint64 {
	return uint64(at.Unix()+11644473600) * 1e7
}
