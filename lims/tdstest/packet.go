package tdstest

import (
	"encoding/binary"
	"fmt"
	"io"
)

// The kinds of packet, [MS-TDS] 2.2.3.1.1.
const (
	packBatch       = 1
	packRPC         = 3
	packReply       = 4
	packAttention   = 6
	packTransaction = 14
	packLogin       = 16
	packPrelogin    = 18
)

// The bits of a packet's status, [MS-TDS] 2.2.3.1.2.
const (
	statusLast  = 0x01
	statusReset = 0x08
)

const (
	headerLength = 8
	packetSize   = 4096 // what the driver asks for
)

// message is what a client said, put together from its packets.
type message struct {
	kind  byte
	reset bool // the session is to be reset first
	body  []byte
}

// readMessage reads the packets of one message.
func readMessage(r io.Reader) (message, error) {
	var m message
	for {
		var h [headerLength]byte
		if _, err := io.ReadFull(r, h[:]); err != nil {
			return m, err
		}
		n := int(binary.BigEndian.Uint16(h[2:])) - headerLength
		if n < 0 {
			return m, fmt.Errorf("a packet is shorter than its header")
		}
		m.kind = h[0]
		m.reset = m.reset || h[1]&statusReset != 0
		at := len(m.body)
		m.body = append(m.body, make([]byte, n)...)
		if _, err := io.ReadFull(r, m.body[at:]); err != nil {
			return m, err
		}
		if h[1]&statusLast != 0 {
			return m, nil
		}
	}
}

// packets cuts a message into packets. Without last the reader waits for more.
func packets(kind byte, body []byte, last bool) []byte {
	var out []byte
	for number := byte(1); ; number++ {
		n := min(len(body), packetSize-headerLength)
		status := byte(0)
		if n == len(body) && last {
			status = statusLast
		}
		out = append(out, kind, status)
		out = binary.BigEndian.AppendUint16(out, uint16(n+headerLength))
		out = append(out, 0, 0, number, 0)
		out = append(out, body[:n]...)
		if body = body[n:]; len(body) == 0 {
			return out
		}
	}
}
