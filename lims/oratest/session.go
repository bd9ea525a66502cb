package oratest

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"time"
)

// session is one connection.
type session struct {
	server *Server
	raw    net.Conn
	conn   net.Conn // encrypted or not
	number int
	login  Login

	in        input
	packets   chan packet
	challenge challenge
	entered   bool
	settings  map[string]string // by the names of ALTER SESSION
	asked     map[string]bool   // which of them the client has set since its login
	cursors   map[int]*cursor
	opened    int // cursors so far
}

// cursor is an answer on its way.
type cursor struct {
	number  int
	columns []Column
	rows    [][]any
	at      int // rows that were sent
	fault   *Fault
}

// serve lives through a connection.
func (c *session) serve() {
	c.conn = c.raw
	if !c.proceed(AtAccept) || c.connect() != nil {
		return
	}
	c.packets = make(chan packet)
	c.in.more = c.more
	done := make(chan struct{})
	go func() {
		defer close(c.packets)
		for {
			p, err := readPacket(c.conn, true)
			if err != nil {
				return
			}
			select {
			case c.packets <- p:
			case <-done:
				return
			}
		}
	}()
	for {
		err := c.handle()
		if errors.Is(err, errMessage) || errors.Is(err, errShape) {
			c.server.t.Errorf("oratest: %v", err)
		}
		if err != nil {
			break
		}
	}
	close(done)
	c.raw.Close()
	for range c.packets { // the reading goroutine ends
	}
}

// proceed lets happen what is to go wrong at a step before the login is done.
func (c *session) proceed(at Step) bool {
	f := c.server.fault(at, "")
	switch {
	case f == nil, f.Do == Warn:
		return true
	case f.Do == Fail && at == AtConnect:
		if _, err := c.conn.Write(refused(f.Error.Code)); err == nil {
			_, _ = c.conn.Read(make([]byte, 1)) // the client hangs up
		}
	case f.Do == Fail && at == AtLogin:
		e := f.Error
		e.Ends = true
		_ = c.fail(e, nil)
	case f.Do == Hang, f.Do == HangDeaf:
		if c.packets != nil {
			for range c.packets {
			}
			return false
		}
		var b [1]byte
		for { // until the client or the test ends it
			if _, err := c.raw.Read(b[:]); err != nil {
				return false
			}
		}
	}
	return false
}

// connect answers what is said to the listener.
func (c *session) connect() error {
	if c.server.o.TLS != nil {
		secure := tls.Server(c.raw, c.server.o.TLS)
		if err := secure.HandshakeContext(context.Background()); err != nil {
			return err
		}
		c.conn = secure
		c.login.TLS = secure.ConnectionState().Version
	}
	data, err := connectData(c)
	if err != nil {
		return err
	}
	c.server.askedFor(data)
	l := parseConnectData(data)
	l.TLS = c.login.TLS
	c.login = l
	if !c.proceed(AtConnect) {
		return errEnd
	}
	if l.SID == "" && l.Service != Service {
		_, err := c.conn.Write(refused(12514))
		return errors.Join(err, errEnd)
	}
	_, err = c.conn.Write(accepted())
	return err
}

// more is the content of the next data packet. A break that comes when nothing is done breaks nothing.
func (c *session) more() ([]byte, error) {
	for p := range c.packets {
		if p.kind == packData {
			if len(p.body) < 2 || p.body[1]&dataEOF != 0 {
				return nil, errEnd
			}
			return p.body[2:], nil
		}
	}
	return nil, errEnd
}

// send sends what an answer holds so far.
func (c *session) send(o *output) error {
	_, err := c.conn.Write(dataPackets(o.b))
	o.b = nil
	return err
}

// fail tells an error as a server does, behind what the answer holds already: it breaks the call, waits until the
// client has left off too, and then says why.
func (c *session) fail(e Error, o *output) error {
	if o == nil {
		o = &output{}
	}
	if err := c.send(o); err != nil {
		return err
	}
	if err := c.mark(markBreak); err != nil {
		return err
	}
	for p := range c.packets {
		if p.marker() != markReset {
			continue
		}
		if err := c.mark(markReset); err != nil {
			return err
		}
		c.in.b = nil
		o.summary(summary{err: &e})
		if err := c.send(o); err != nil || e.Ends {
			return errors.Join(err, errEnd)
		}
		return nil
	}
	return errEnd
}

func (c *session) mark(kind byte) error {
	_, err := c.conn.Write(packet{packMarker, []byte{1, 0, kind}}.packed(true))
	return err
}

// handle answers one message. An error ends the connection.
func (c *session) handle() error {
	switch kind := c.in.u8(); {
	case c.in.err != nil:
		return c.in.err
	case kind == msgProtocol:
		return c.protocol()
	case kind == msgDataTypes:
		return c.dataTypes()
	case kind == msgPiggyback: // stands before another call, and has no answer of its own
		call, _ := c.in.u8(), c.in.u8()
		if call != callClose || !c.entered {
			return errMessage
		}
		c.in.u8() // pointer
		for range c.in.num() {
			delete(c.cursors, c.in.num())
		}
		return c.in.err
	case kind != msgFunction:
		return errMessage
	}
	call, _ := c.in.u8(), c.in.u8() // and its number
	switch {
	case c.in.err != nil:
		return c.in.err
	case call == callBegin:
		return c.begin()
	case call == callFinish:
		return c.finish()
	case !c.entered:
		return errMessage
	case call == callVersion:
		return c.version()
	case call == callExecute:
		return c.execute()
	case call == callFetch:
		return c.fetch()
	case call == callPing, call == callLogoff:
		o := &output{}
		o.status()
		return c.send(o)
	}
	return errMessage
}

// execution is what a client asks for with callExecute.
type execution struct {
	rows   int // at most in the answer
	text   string
	params []Param
}

// readExecution reads the call, [thin] ExecuteMessage._write_execute_message.
func (c *session) readExecution() (e execution, err error) {
	in := &c.in
	in.num() // options
	in.num() // cursor: a new one
	in.u8()  // pointer
	text := in.num()
	in.u8()  // pointer
	in.num() // how many numbers come behind the text
	in.take(3)
	e.rows = in.num()
	in.num() // longest value
	in.u8()  // pointer
	params := in.num()
	in.take(6) // pointers
	in.num()   // columns as which the client wants values: it wants none otherwise
	// The registration's first half, and two pointers; an identification, the registration's other half; changes of
	// arrays; a signature of the statement; chunks.
	in.take(3 + 5 + 3 + 5 + 2)
	if text > 0 {
		e.text = string(in.clr())
	}
	for range 13 {
		in.num()
	}
	types := make([]byte, 0, params)
	for range params {
		types = append(types, in.u8())
		in.take(3) // flags, precision, scale
		in.num()   // longest value
		in.num()   // elements
		in.num()   // flags
		in.dlc()   // object identifier
		in.num()   // its version
		in.num()   // character set
		in.u8()    // its form
		in.num()   // characters
		in.num()   // collation
	}
	if params > 0 && in.u8() != msgRow {
		in.fail()
	}
	for i := range params {
		v := in.clr()
		switch types[i] {
		case wireVarchar:
			e.params = append(e.params, Param{"VARCHAR2", string(v)})
		case wireRaw:
			e.params = append(e.params, Param{"RAW", v})
		default:
			in.fail()
		}
	}
	return e, in.err
}

// execute runs a statement.
func (c *session) execute() error {
	e, err := c.readExecution()
	if err != nil {
		return err
	}
	st := Statement{Session: c.number, Login: c.login, Text: e.text, Params: e.params}
	c.server.note(st)
	f := c.server.fault(AtStatement, st.Text)
	if f != nil && f.Rows == 0 {
		return c.interrupt(*f, nil)
	}
	res, err := c.run(st)
	if err != nil {
		var told Error
		if !errors.As(err, &told) {
			told = Error{Code: 600, Message: "internal error code"}
		}
		return c.fail(told, nil)
	}
	o := &output{}
	if res.Columns == nil {
		o.parameters(int(time.Now().Unix()))
		o.summary(summary{})
		return c.send(o)
	}
	c.opened++
	cur := &cursor{number: c.opened, columns: res.Columns, rows: res.Rows, fault: f}
	c.cursors[cur.number] = cur
	o.describe(cur.columns)
	return c.bring(cur, e.rows, o)
}

// fetch sends further rows of a cursor.
func (c *session) fetch() error {
	number, rows := c.in.num(), c.in.num()
	if c.in.err != nil {
		return c.in.err
	}
	cur := c.cursors[number]
	if cur == nil {
		return c.fail(Error{Code: 1001, Message: "invalid cursor"}, nil)
	}
	return c.bring(cur, rows, &output{})
}

// bring sends at most n further rows of a cursor behind what the answer holds, up to where something goes wrong.
func (c *session) bring(cur *cursor, n int, o *output) error {
	end := min(cur.at+n, len(cur.rows))
	begin := cur.at
	for ; cur.at < end; cur.at++ {
		row, sent := cur.rows[cur.at], make([]bool, len(cur.columns))
		for i := range row {
			sent[i] = cur.at == 0 || !same(row[i], cur.rows[cur.at-1][i])
		}
		switch {
		case cur.at == 0:
			o.header(len(cur.columns), nil)
		case cur.at == begin:
			o.header(len(cur.columns), sent)
		default:
			o.repeats(sent)
		}
		before := len(o.b)
		o.bytes(msgRow)
		for i, v := range row {
			if sent[i] {
				o.value(cur.columns[i].Type, v)
			}
		}
		if f := cur.fault; f != nil && cur.at == f.Rows {
			if f.Do == Close || f.Do == HangDeaf {
				before += (len(o.b) - before) / 2 // in the middle of the row
			}
			o.b = o.b[:before]
			return c.interrupt(*f, o)
		}
	}
	over := cur.at == len(cur.rows) && n > 0 && end-begin < n
	if cur.fault != nil && over {
		return c.interrupt(*cur.fault, o)
	}
	s := summary{cursor: cur.number, rows: cur.at}
	if over {
		s.err = &Error{Code: noData, Message: "no data found"}
	}
	o.parameters(int(time.Now().Unix()))
	o.summary(s)
	return c.send(o)
}

// interrupt does what is to go wrong behind what the answer already holds.
func (c *session) interrupt(f Fault, o *output) error {
	switch f.Do {
	case Fail:
		return c.fail(f.Error, o)
	case Close:
		if o != nil {
			_ = c.send(o)
		}
		return errEnd
	}
	if o != nil {
		if err := c.send(o); err != nil {
			return err
		}
	}
	for p := range c.packets { // says nothing
		if p.marker() == markInterrupt && f.Do == Hang {
			return c.fail(Error{Code: 1013, Message: "user requested cancel of current operation"}, nil)
		}
	}
	return errEnd
}
