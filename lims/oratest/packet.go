package oratest

import (
	"encoding/binary"
	"errors"
	"io"
)

// The types of TNS packets that occur here, [thin] TNS_PACKET_TYPE_….
const (
	packConnect = 1
	packAccept  = 2
	packRefuse  = 4
	packData    = 6
	packMarker  = 12
)

// The types of markers, [thin] TNS_MARKER_TYPE_….
const (
	markBreak     = 1
	markReset     = 2
	markInterrupt = 3
)

// dataEOF is the flag of a data packet with which a client says that it hangs up, [thin] TNS_DATA_FLAGS_EOF.
const dataEOF = 0x40

// sdu is how large a packet may be: Oracle's own default, which a listener does not exceed, however
// large the packets that a client asks for.
const sdu = 8192

// header is how long a packet's is: length, checksum, type, flags, checksum.
const header = 8

var errMessage = errors.New("a message that this server does not understand")

// packet is one TNS packet without its header.
type packet struct {
	kind byte
	body []byte
}

// readPacket reads a packet. Its length has four bytes once a connection is accepted, and two before.
func readPacket(r io.Reader, accepted bool) (packet, error) {
	head := make([]byte, header)
	if _, err := io.ReadFull(r, head); err != nil {
		return packet{}, err
	}
	n := int(binary.BigEndian.Uint16(head))
	if accepted {
		n = int(binary.BigEndian.Uint32(head))
	}
	if n < header || n > 1<<21 {
		return packet{}, errMessage
	}
	p := packet{kind: head[4], body: make([]byte, n-header)}
	_, err := io.ReadFull(r, p.body)
	return p, err
}

// marker is what a marker packet says, or 0.
func (p packet) marker() byte {
	if p.kind != packMarker || len(p.body) < 3 {
		return 0
	}
	return p.body[2]
}

// packed is the packet as it travels.
func (p packet) packed(accepted bool) []byte {
	b := make([]byte, header, header+len(p.body))
	b[4] = p.kind
	if n := header + len(p.body); accepted {
		binary.BigEndian.PutUint32(b, uint32(n))
	} else {
		binary.BigEndian.PutUint16(b, uint16(n))
	}
	return append(b, p.body...)
}

// dataPackets is a message in as many packets as it needs.
func dataPackets(message []byte) (b []byte) {
	const room = sdu - header - 2 // the flags
	for len(message) > 0 {
		n := min(len(message), room)
		b = append(b, packet{packData, append([]byte{0, 0}, message[:n]...)}.packed(true)...)
		message = message[n:]
	}
	return b
}
