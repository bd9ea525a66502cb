package oratest

// The types of messages within data packets, [thin] TNS_MSG_TYPE_….
const (
	msgProtocol  = 1
	msgDataTypes = 2
	msgFunction  = 3
	msgError     = 4 // also what ends an answer without an error
	msgHeader    = 6
	msgRow       = 7
	msgParameter = 8
	msgStatus    = 9
	msgWarning   = 15
	msgDescribe  = 16
	msgPiggyback = 17
	msgBits      = 21
)

// Functions that a client calls, [thin] TNS_FUNC_…; the version as the driver asks for it.
const (
	callFetch   = 5
	callLogoff  = 9
	callVersion = 59
	callExecute = 94
	callClose   = 105
	callFinish  = 115 // the second message of a login
	callBegin   = 118 // and the first
	callPing    = 147
)

// summary is what ends most answers, [thin] Message._process_error_info.
type summary struct {
	rows   int // so far
	cursor int
	err    *Error
}

// noData is the error that says that a cursor has no more rows.
const noData = 1403

func (o *output) summary(s summary) {
	code := 0
	if s.err != nil {
		code = s.err.Code
	}
	o.bytes(msgError)
	o.nums(1, 0) // status and number of the call
	o.nums(s.rows, code)
	o.nums(0, 0) // errors within an array
	o.num(s.cursor)
	o.num(0)        // where in the statement the error is
	o.bytes(3, 0)   // a SELECT; not fatal
	o.nums(0, 0)    // flags, the cursor's options
	o.bytes(0, 0)   // UPI parameter, warnings
	o.nums(0, 0)    // ROWID: object, partition,
	o.bytes(0)      // table,
	o.nums(0, 0)    // block, slot
	o.num(0)        // error of the operating system
	o.bytes(0, 0)   // numbers of statement and call
	o.nums(0, 0)    // padding, iterations
	o.dlc(nil)      // logical ROWID
	o.nums(0, 0, 0) // errors of binds: codes, places, texts
	o.nums(code, s.rows)
	if s.err != nil {
		o.clr([]byte(s.err.Error() + "\n"))
	}
}

// status ends answers that have nothing to sum up, [thin] TNS_MSG_TYPE_STATUS.
func (o *output) status() {
	o.bytes(msgStatus)
	o.nums(1, 0)
}

// warning tells an error that stops nothing, [thin] _process_warning_info.
func (o *output) warning(e Error) {
	o.bytes(msgWarning)
	o.nums(e.Code, len(e.Error()), 0)
	o.clr([]byte(e.Error()))
}

// describe tells the columns of an answer, [thin] _process_describe_info; a scale in the width in which the driver
// reads it: Oracle's own clients, which agree on other capabilities, have it in one byte.
func (o *output) describe(columns []Column) {
	o.bytes(msgDescribe)
	o.bytes(0) // no bytes before
	row := 0
	for _, c := range columns {
		row += c.Type.wire().bytes
	}
	o.nums(row, len(columns))
	o.bytes(0)
	for i, c := range columns {
		w := c.Type.wire()
		o.bytes(w.code, 0, byte(w.precision))
		if w.scaled {
			o.num(w.scale)
		} else {
			o.bytes(byte(w.scale))
		}
		o.nums(w.bytes, 0, 0) // elements of an array, flags
		o.dlc(nil)            // object identifier
		o.num(0)              // its version
		o.num(w.charset)
		o.bytes(w.form)
		o.nums(w.characters, 0) // collation
		o.bytes(1, byte(len(c.Name)))
		o.dlc([]byte(c.Name))
		o.dlc(nil) // the type's schema and name
		o.dlc(nil)
		o.nums(i+1, 0) // position, flags
	}
	o.dlc([]byte{120, 126, 11, 27, 1, 1, 1}) // a date, which nobody reads
	o.nums(0, 0, 0, 0)
	o.dlc(nil)
}

// header stands before rows, [thin] _process_row_header. sent are the columns that the first row has; nil is all.
func (o *output) header(columns int, sent []bool) {
	o.bytes(msgHeader, 0)
	o.nums(columns, 0, 0, 0)
	if sent == nil {
		o.num(0)
	} else {
		o.dlc(bits(sent))
	}
	o.dlc(nil) // ROWID
}

// repeats says which columns the next row has: those that are as in the row before are not sent again,
// [thin] _process_bit_vector.
func (o *output) repeats(sent []bool) {
	n := 0
	for _, s := range sent {
		if s {
			n++
		}
	}
	o.bytes(msgBits)
	o.num(n)
	o.bytes(bits(sent)...)
}

func bits(sent []bool) []byte {
	b := make([]byte, (len(sent)+7)/8)
	for i, s := range sent {
		if s {
			b[i/8] |= 1 << (i % 8)
		}
	}
	return b
}

// parameters follow what a statement brought, [thin] _process_return_parameters: here none but the state of
// the database that it read.
func (o *output) parameters(scn int) {
	o.bytes(msgParameter)
	o.num(2)
	o.nums(scn, 0)
	o.nums(0, 0) // a transaction; pairs
	o.num(0)     // registration
}
