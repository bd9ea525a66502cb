package tdstest

import (
	"encoding/binary"
	"unicode/utf16"
)

// utf16le encodes text as the protocol does.
func utf16le(s string) []byte {
	var out []byte
	for _, u := range utf16.Encode([]rune(s)) {
		out = binary.LittleEndian.AppendUint16(out, u)
	}
	return out
}

// fromUTF16 decodes text of the protocol.
func fromUTF16(b []byte) string {
	units := make([]uint16, len(b)/2)
	for i := range units {
		units[i] = binary.LittleEndian.Uint16(b[2*i:])
	}
	return string(utf16.Decode(units))
}

// collation is SQL_Latin1_General_CP1_CI_AS, the default of most installations: code page 1252.
var collation = []byte{0x09, 0x04, 0xd0, 0x00, 0x34}

// windows1252 are the characters of the bytes 0x80 to 0x9f; the others are those of Latin-1.
var windows1252 = []rune("€\u0081‚ƒ„…†‡ˆ‰Š‹Œ\u008dŽ\u008f\u0090‘’“”•–—˜™š›œ\u009džŸ")

// toCodePage encodes text as a varchar column holds it; what the code page lacks becomes a question mark.
func toCodePage(s string) []byte {
	var out []byte
next:
	for _, r := range s {
		for i, special := range windows1252 {
			if r == special {
				out = append(out, byte(0x80+i))
				continue next
			}
		}
		if r > 0xff {
			r = '?'
		}
		out = append(out, byte(r))
	}
	return out
}

// fromCodePage decodes the bytes of a varchar.
func fromCodePage(b []byte) string {
	out := make([]rune, len(b))
	for i, c := range b {
		out[i] = rune(c)
		if c >= 0x80 && c < 0xa0 {
			out[i] = windows1252[c-0x80]
		}
	}
	return string(out)
}
