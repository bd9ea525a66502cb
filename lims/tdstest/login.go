package tdstest

import (
	"encoding/binary"
	"errors"
)

// Login is what a client told about itself, [MS-TDS] 2.2.6.4. The password is not kept.
type Login struct {
	User           string
	Database       string
	App            string
	Host           string // of the client, as it says
	Server         string // as the client calls it
	Interface      string // the client's library
	ReadOnlyIntent bool
	Encrypted      bool // all of the connection, not only the login
	TLS            uint16
}

// parseLogin takes a LOGIN7 message apart.
func parseLogin(body []byte) (l Login, password string, err error) {
	const fixed = 94
	if len(body) < fixed {
		return l, "", errors.New("the login message is too short")
	}
	bytesAt := func(at int) []byte {
		from := int(binary.LittleEndian.Uint16(body[at:]))
		to := from + 2*int(binary.LittleEndian.Uint16(body[at+2:]))
		if to > len(body) {
			err = errors.New("the login message names what lies beyond its end")
			return nil
		}
		return body[from:to]
	}
	l.ReadOnlyIntent = body[26]&0x20 != 0
	l.Host = fromUTF16(bytesAt(36))
	l.User = fromUTF16(bytesAt(40))
	secret := append([]byte{}, bytesAt(44)...)
	l.App = fromUTF16(bytesAt(48))
	l.Server = fromUTF16(bytesAt(52))
	l.Interface = fromUTF16(bytesAt(60))
	l.Database = fromUTF16(bytesAt(68))
	for i, b := range secret {
		b ^= 0xa5
		secret[i] = b<<4 | b>>4
	}
	return l, fromUTF16(secret), err
}
