package oratest

import "encoding/binary"

// The character sets of the database: AL32UTF8, and AL16UTF16 for NCHAR and NVARCHAR2.
const (
	charset         = 873
	nationalCharset = 2000
)

// Capabilities that this server has of those that are agreed on when it is compiled, [thin] TNS_CCAP_…, by their
// places. Those that are not named here are 0.
func compileCaps() []byte {
	caps := make([]byte, 53)
	caps[0] = 6         // SQL_VERSION
	caps[4] = 0x20 | 8  // LOGON_TYPES: O7LOGON, O5LOGON
	caps[7] = 12        // FIELD_VERSION: 19c. The driver has 11, so that both speak that
	caps[15] = 1        // TTC1: END_OF_CALL_STATUS
	caps[16] = 1        // OCI1: calls have a number, as the driver reads it
	caps[27] = 1        // UB2_DTY: types have two bytes
	caps[37] = 0x20 | 2 // TTC3: BIG_CHUNK_CLR; the version of the time zones is told, as the driver reads it
	return caps
}

// runtimeCaps are those that are agreed on by settings, [thin] TNS_RCAP_…: that the database's time zone is
// told, as the driver reads it. Without TTC_32K a text has at most 4,000 bytes, which is MAX_STRING_SIZE = STANDARD.
func runtimeCaps() []byte { return []byte{2, 1, 0, 0, 0, 0, 0} }

// protocol answers the first message, [thin] ProtocolMessage.
func (c *session) protocol() error {
	for c.in.u8() != 0 && c.in.err == nil { // versions that the client speaks
	}
	for c.in.u8() != 0 && c.in.err == nil { // its name
	}
	if c.in.err != nil {
		return c.in.err
	}
	o := &output{}
	o.bytes(msgProtocol, 6, 0) // version 8.1 and later
	o.bytes([]byte("x86_64/Linux 2.4.xx\x00")...)
	o.b = binary.LittleEndian.AppendUint16(o.b, charset)
	o.bytes(1)    // flags
	o.bytes(0, 0) // no elements
	// Of this part only the national character set is read, behind two lengths that are 0.
	fdo := binary.BigEndian.AppendUint16(make([]byte, 9), nationalCharset)
	o.b = binary.BigEndian.AppendUint16(o.b, uint16(len(fdo)))
	o.bytes(fdo...)
	for _, caps := range [][]byte{compileCaps(), runtimeCaps()} {
		o.bytes(byte(len(caps)))
		o.bytes(caps...)
	}
	return c.send(o)
}

// dataTypes answers the second message, [thin] DataTypesMessage, with the representation of the types that
// occur here. A client that tells its time zone is told the database's, as an interval (node-oracledb,
// lib/thin/protocol/messages/dataType.js).
func (c *session) dataTypes() error {
	c.in.take(5) // two character sets, flags
	caps := c.in.take(int(c.in.u8()))
	runtime := c.in.take(int(c.in.u8()))
	zones, versions := len(runtime) > 1 && runtime[1]&1 != 0, len(caps) > 37 && caps[37]&2 != 0
	if zones {
		c.in.take(11) // the client's time zone
	}
	if versions { // as the driver writes it
		c.in.take(4 + 2) // the version of its time zones, the national character set
	}
	for c.in.u16() != 0 && c.in.err == nil {
		if c.in.u16() != 0 { // as what the type travels; 0: not at all
			c.in.take(4) // its representation
		}
	}
	if c.in.err != nil {
		return c.in.err
	}
	const universal, native = 1, 10 // [thin] TNS_TYPE_REP_UNIVERSAL, TNS_TYPE_REP_ORACLE
	o := &output{}
	o.bytes(msgDataTypes)
	if zones {
		o.bytes(128, 0, 0, 0, 60, 60, 60, 128, 0, 0, 0) // the database's zone is +00:00: hours, minutes and seconds and 60 each
		if versions {
			o.b = binary.BigEndian.AppendUint32(o.b, 32)
		}
	}
	for _, t := range wireTypes {
		as := uint16(universal)
		if t == wireNumber || t == wireDate {
			as = native
		}
		for _, v := range []uint16{uint16(t), uint16(t), as, 0} {
			o.b = binary.BigEndian.AppendUint16(o.b, v)
		}
	}
	o.bytes(0, 0)
	return c.send(o)
}
