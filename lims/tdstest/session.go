package tdstest

import (
	"cmp"
	"crypto/tls"
	"errors"
	"net"
	"strconv"
)

// session is one connection.
type session struct {
	server *Server
	raw    net.Conn
	conn   net.Conn // encrypted or not
	number int
	login  Login
	writer bool

	messages chan message
	tx       *transaction
}

// serve lives through a connection.
func (c *session) serve() {
	c.conn = c.raw
	if !c.proceed(AtAccept) || c.prelogin() != nil || c.enter() != nil {
		return
	}
	c.messages = make(chan message)
	go func() {
		defer close(c.messages)
		for {
			m, err := readMessage(c.conn)
			if err != nil {
				return
			}
			select {
			case c.messages <- m:
			case <-c.server.closing.Done():
				return
			}
		}
	}()
	for m := range c.messages {
		if c.handle(m) != nil {
			break
		}
	}
	_ = c.end(false)
	c.raw.Close()
	for range c.messages { // the reading goroutine ends
	}
}

// proceed lets happen what is to go wrong at a step before the login is done.
func (c *session) proceed(at Step) bool {
	f := c.server.fault(at, "")
	switch {
	case f == nil:
		return true
	case f.Do == Hang || f.Do == HangDeaf:
		var b [1]byte
		for { // until the client or the test ends it
			if _, err := c.raw.Read(b[:]); err != nil {
				return false
			}
		}
	case f.Do == Fail:
		_ = c.interrupt(*f, reply{})
	}
	return false
}

// prelogin negotiates the encryption and sets it up.
func (c *session) prelogin() error {
	m, err := readMessage(c.raw)
	if err != nil || m.kind != packPrelogin {
		return errors.Join(err, errEnd)
	}
	asked, err := preloginOption(m.body, preloginEncryption)
	if err != nil || len(asked) != 1 {
		return errors.Join(err, errEnd)
	}
	answer, shake, throughout := c.server.o.Encryption.negotiate(asked[0])
	if _, err := c.raw.Write(packets(packReply, preloginAnswer(answer), true)); err != nil {
		return err
	}
	if !c.proceed(AtHandshake) {
		return errEnd
	}
	if shake {
		if c.conn, err = handshake(c.server.closing, c.raw, c.server.o.TLS); err != nil {
			return err
		}
		c.login.TLS = c.conn.(*tls.Conn).ConnectionState().Version
	}
	c.login.Encrypted = throughout
	return nil
}

// enter reads the login and answers it.
func (c *session) enter() error {
	m, err := readMessage(c.conn)
	if err != nil || m.kind != packLogin {
		return errors.Join(err, errEnd)
	}
	if !c.login.Encrypted {
		c.conn = c.raw // only the login was
	}
	l, password, err := parseLogin(m.body)
	if err != nil {
		return err
	}
	l.TLS, l.Encrypted = c.login.TLS, c.login.Encrypted
	c.server.mu.Lock()
	c.login = l
	c.server.mu.Unlock()
	if !c.proceed(AtLogin) {
		return errEnd
	}
	var r reply
	if refused := c.server.login(l, password); len(refused) > 0 {
		for _, e := range refused[:len(refused)-1] {
			r.fail(e)
		}
		return errors.Join(c.fail(refused[len(refused)-1], r), errEnd)
	}
	c.writer = l.User == c.server.o.Writer.User
	name := cmp.Or(l.Database, "master")
	r.env(envDatabase, name, "master")
	r.info(5701, "Changed database context to '"+name+"'.")
	r.envBytes(envCollation, collation, nil)
	r.env(envLanguage, "us_english", "")
	r.info(5703, "Changed language setting to us_english.")
	r.env(envPacketSize, strconv.Itoa(packetSize), strconv.Itoa(packetSize))
	if host, port, ok := c.server.routed(l); ok {
		r.route(host, port)
	}
	r.loginAck()
	r.done(tokenDone, 0, 0, 0)
	return c.send(r, true)
}

// send sends a reply. Without last the client waits for the rest.
func (c *session) send(r reply, last bool) error {
	_, err := c.conn.Write(packets(packReply, r.b, last))
	return err
}

// handle answers one message. An error ends the connection.
func (c *session) handle(m message) error {
	var r reply
	if m.reset {
		_ = c.end(false)
		r.envBytes(envReset, nil, nil)
	}
	st := Statement{Session: c.number, Login: c.login, Reset: m.reset}
	var err error
	switch m.kind {
	case packAttention:
		return c.cancelled()
	case packTransaction:
		return c.transact(m.body, r)
	case packBatch:
		st.Text, err = parseBatch(m.body)
	case packRPC:
		st.Text, st.Params, err = parseRPC(m.body)
	default:
		err = errors.New("a message of an unknown kind")
	}
	if err != nil {
		c.server.t.Errorf("tdstest: %v", err)
		return err
	}
	c.server.note(st)
	f := c.server.fault(AtStatement, st.Text)
	if f != nil && f.Rows == 0 {
		return c.interrupt(*f, r)
	}
	res, err := c.run(st, &r)
	if err != nil {
		var e Error
		if !errors.As(err, &e) {
			e = Error{Number: 50000, Class: 16, Message: err.Error()}
		}
		return c.fail(e, r)
	}
	return c.result(res, m.kind == packRPC, f, r)
}

// fail answers with an error.
func (c *session) fail(e Error, r reply) error {
	r.fail(e)
	status := doneFailed
	if e.Class >= 20 {
		status |= doneFatal
	}
	r.done(tokenDone, status, 0, 0)
	if err := c.send(r, true); err != nil || e.Class >= 20 {
		return errors.Join(err, errEnd)
	}
	return nil
}

const commandSelect = 0xc1

// result writes the columns and rows of an answer, up to where something goes wrong.
func (c *session) result(res Result, procedure bool, f *Fault, r reply) error {
	token := byte(tokenDone)
	if procedure {
		token = tokenDoneInProc
	}
	if res.Columns == nil {
		status := 0
		if res.Affected > 0 {
			status = doneCount
		}
		r.done(token, status|doneMoreIf(procedure), 0, res.Affected)
	} else {
		r.columns(res.Columns)
		for i, row := range res.Rows {
			before := len(r.b)
			if err := r.row(res.Columns, row); err != nil {
				c.server.t.Errorf("tdstest: %v", err)
				return err
			}
			if f != nil && i == f.Rows {
				if f.Do == Close || f.Do == HangDeaf {
					before += (len(r.b) - before) / 2 // in the middle of the row
				}
				r.b = r.b[:before]
				return c.interrupt(*f, r)
			}
		}
		if f != nil {
			return c.interrupt(*f, r)
		}
		r.done(token, doneCount|doneMoreIf(procedure), commandSelect, int64(len(res.Rows)))
	}
	if procedure {
		r.u8(tokenReturnStatus)
		r.u32(0)
		r.done(tokenDoneProc, 0, 0, 0)
	}
	return c.send(r, true)
}

func doneMoreIf(more bool) int {
	if more {
		return doneMore
	}
	return 0
}

// interrupt does what is to go wrong behind what the reply already holds.
func (c *session) interrupt(f Fault, r reply) error {
	switch f.Do {
	case Fail:
		if f.Before != nil {
			r.fail(*f.Before)
		}
		return c.fail(f.Error, r)
	case Close:
		_ = c.send(r, false)
		return errEnd
	}
	if len(r.b) > 0 {
		if err := c.send(r, false); err != nil {
			return err
		}
	}
	for m := range c.messages { // says nothing
		if m.kind == packAttention && f.Do == Hang {
			return c.cancelled()
		}
	}
	return errEnd
}

// cancelled acknowledges an attention.
func (c *session) cancelled() error {
	var r reply
	r.done(tokenDone, doneCancel, 0, 0)
	return c.send(r, true)
}

// transact begins, commits or rolls back, [MS-TDS] 2.2.6.9.
func (c *session) transact(body []byte, r reply) error {
	in := &input{b: body}
	in.skipHeaders()
	var err error
	switch in.u16() {
	case 5:
		c.begin(&r)
	case 7:
		err = c.finish(&r, true)
	case 8:
		err = c.finish(&r, false)
	default:
		err = Error{Number: 50000, Class: 16, Message: "this kind of transaction request is not known"}
	}
	if err != nil {
		var e Error
		if !errors.As(err, &e) {
			e = Error{Number: 50000, Class: 16, Message: err.Error()}
		}
		return c.fail(e, r)
	}
	r.done(tokenDone, 0, 0, 0)
	return c.send(r, true)
}
