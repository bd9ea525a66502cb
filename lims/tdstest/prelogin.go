package tdstest

import (
	"encoding/binary"
	"errors"
)

// Encryption is what the server answers when encryption is negotiated, [MS-TDS] 2.2.6.5.
type Encryption byte

// The answers of servers.
const (
	EncryptOn    Encryption = iota // all of it, whatever the client asks for ("Force Encryption"); the default
	EncryptLogin                   // all of it for clients that ask, else only the login packet
	EncryptNever                   // the server has no TLS
)

// The values on the wire.
const (
	wireOff          = 0
	wireOn           = 1
	wireNotSupported = 2
	wireRequired     = 3
)

// The options of a pre-login message.
const (
	preloginVersion    = 0
	preloginEncryption = 1
	preloginInstance   = 2
	preloginMARS       = 4
	preloginEnd        = 0xff
)

// preloginOption returns an option of a pre-login message.
func preloginOption(body []byte, option byte) ([]byte, error) {
	for at := 0; at < len(body) && body[at] != preloginEnd; at += 5 {
		if at+5 > len(body) {
			break
		}
		from := int(binary.BigEndian.Uint16(body[at+1:]))
		to := from + int(binary.BigEndian.Uint16(body[at+3:]))
		if body[at] == option && to <= len(body) {
			return body[from:to], nil
		}
	}
	return nil, errors.New("the pre-login message lacks an option")
}

// negotiate returns the answer to what a client asked for, and how much is encrypted: nothing, the
// login packet only, or everything.
func (e Encryption) negotiate(asked byte) (answer byte, handshake, throughout bool) {
	wants := asked == wireOn || asked == wireRequired
	switch {
	case e == EncryptNever || asked == wireNotSupported:
		return wireNotSupported, false, false
	case e == EncryptOn && !wants:
		return wireRequired, true, true
	case wants:
		return wireOn, true, true
	}
	return wireOff, true, false
}

// preloginAnswer writes the server's message.
func preloginAnswer(encryption byte) []byte {
	options := []struct {
		option byte
		value  []byte
	}{
		{preloginVersion, []byte{16, 0, 0x10, 0x86, 0, 0}}, // SQL Server 2022
		{preloginEncryption, []byte{encryption}},
		{preloginInstance, []byte{0}},
		{preloginMARS, []byte{0}},
	}
	var head, values []byte
	for _, o := range options {
		head = append(head, o.option)
		head = binary.BigEndian.AppendUint16(head, uint16(len(options)*5+1+len(values)))
		head = binary.BigEndian.AppendUint16(head, uint16(len(o.value)))
		values = append(values, o.value...)
	}
	return append(append(head, preloginEnd), values...)
}
