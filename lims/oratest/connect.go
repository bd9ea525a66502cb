package oratest

import (
	"encoding/binary"
	"fmt"
	"regexp"
)

// What a CONNECT packet holds at which place of its body, [thin] ConnectMessage.
const (
	connectDataLength = 16
	connectDataOffset = 18 // counted from the packet's beginning
	connectLeast      = 62
)

// tnsVersion is the version of TNS that both sides speak here: packets have lengths of four bytes from 315 on.
const tnsVersion = 317

// noNative says in ACCEPT that the two sides do not negotiate Oracle's own encryption, [thin] TNS_NSI_DISABLE_NA.
const noNative = 0x04

// connectData reads the descriptor that a client sends. A long one comes in a packet of its own.
func connectData(c *session) (string, error) {
	p, err := readPacket(c.conn, false)
	if err != nil || p.kind != packConnect || len(p.body) < connectLeast {
		return "", errMessage
	}
	n := int(binary.BigEndian.Uint16(p.body[connectDataLength:]))
	from := int(binary.BigEndian.Uint16(p.body[connectDataOffset:])) - header
	if from == len(p.body) && n > 0 {
		if p, err = readPacket(c.conn, false); err != nil || p.kind != packData {
			return "", errMessage
		}
		from = 2 // behind the flags
	}
	if from < 0 || from+n > len(p.body) {
		return "", errMessage
	}
	return string(p.body[from : from+n]), nil
}

// accepted is the ACCEPT packet, [thin] ConnectMessage.process.
func accepted() []byte {
	const length = 45
	b := binary.BigEndian.AppendUint16(nil, tnsVersion)
	b = binary.BigEndian.AppendUint16(b, 0)              // options
	b = binary.BigEndian.AppendUint16(b, sdu)            // of older versions
	b = binary.BigEndian.AppendUint16(b, sdu)            // the transport's unit, likewise
	b = binary.BigEndian.AppendUint16(b, 1)              // a 1 in the hardware's order of bytes
	b = binary.BigEndian.AppendUint16(b, 0)              // length of data
	b = binary.BigEndian.AppendUint16(b, length)         // their offset
	b = append(b, noNative, noNative, 0, 0, 0, 0)        // flags; time-outs
	b = binary.BigEndian.AppendUint32(b, 0)              // where to connect again: offset, length
	b = binary.BigEndian.AppendUint32(b, sdu)            // the session's unit
	b = binary.BigEndian.AppendUint32(b, sdu)            // the transport's unit
	b = append(b, make([]byte, length-header-len(b))...) // compression, more flags
	return packet{packAccept, b}.packed(false)
}

// refused is the REFUSE packet with one of the listener's errors, as the driver reads it.
func refused(code int) []byte {
	data := fmt.Sprintf("(DESCRIPTION=(TMP=)(VSNNUM=318767104)(ERR=%d)(ERROR_STACK=(ERROR=(CODE=%d)(EMFI=4))))", code, code)
	b := []byte{34, 0} // reasons of user and system
	b = binary.BigEndian.AppendUint16(b, uint16(len(data)))
	return packet{packRefuse, append(b, data...)}.packed(false)
}

var inBrackets = regexp.MustCompile(`\((SERVICE_NAME|SID|PROGRAM)=([^()]*)\)`)

// parseConnectData tells what a client asks the listener for.
func parseConnectData(text string) (l Login) {
	for _, m := range inBrackets.FindAllStringSubmatch(text, -1) {
		switch m[1] {
		case "SERVICE_NAME":
			l.Service = m[2]
		case "SID":
			l.SID = m[2]
		case "PROGRAM":
			l.Program = m[2]
		}
	}
	return l
}
