package lims

import (
	"cmp"
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"sync"
	"time"
)

// grace is how long a driver may take to return after its statement's time is over. Then its
// goroutine is left alone with its connection, and the next statement gets a new one.
const grace = 5 * time.Second

// maxHanging is how many statements may be left alone like that at the same time.
const maxHanging = 3

// session is the one connection to the database and the order in which it is used.
type session struct {
	o    Options
	d    dialect
	turn chan struct{} // holds one token: whoever has it runs a statement
	rest time.Time     // before it no statement on a source begins; owned by the turn

	mu      sync.Mutex
	db      *sql.DB // nil: open a new one
	sever   func()  // closes the socket of the connection; nil: its driver needs no such help
	tls     string  // the version that this end negotiated; "" where its driver does not tell
	hanging int
	closed  bool
}

func newSession(o Options, d dialect) *session {
	ss := &session{o: o, d: d, turn: make(chan struct{}, 1)}
	ss.turn <- struct{}{}
	return ss
}

// connector opens connections with the password of the moment.
type connector struct{ ss *session }

// Connect opens a connection and sets it up. database/sql may call it in a goroutine of its own.
func (c connector) Connect(ctx context.Context) (conn driver.Conn, err error) {
	defer func() {
		if recover() != nil {
			err = errPanic
		}
	}()
	password := ""
	if c.ss.o.Password != nil {
		if password, err = c.ss.o.Password(); err != nil {
			return nil, misfit("", "the LIMS password cannot be had: %v", err)
		}
	}
	conn, err = c.ss.d.connect(ctx, c.ss.o, password)
	if s, ok := conn.(interface{ sever() }); ok && err == nil {
		c.ss.mu.Lock()
		defer c.ss.mu.Unlock()
		c.ss.sever = s.sever
		if n, ok := conn.(interface{ negotiated() string }); ok {
			c.ss.tls = n.negotiated()
		}
	}
	return conn, err
}

// Driver is needed by driver.Connector, and by nobody else.
func (connector) Driver() driver.Driver { return nil }

// setUp runs statements on a connection that is not yet in the hands of database/sql.
func setUp(ctx context.Context, conn driver.Conn, texts []string) (driver.Conn, error) {
	for _, text := range texts {
		if _, err := conn.(driver.ExecerContext).ExecContext(ctx, text, nil); err != nil {
			conn.Close()
			return nil, err
		}
	}
	return conn, nil
}

// pool returns the pool of one connection.
func (ss *session) pool() (*sql.DB, error) {
	ss.mu.Lock()
	defer ss.mu.Unlock()
	switch {
	case ss.closed:
		return nil, &Unavailable{Reason: "the reader is closed"}
	case ss.hanging >= maxHanging:
		return nil, &Unavailable{
			Reason: fmt.Sprintf("%d statements hang in the database driver", ss.hanging),
			Next:   "look at the network between here and the database server, then restart the service",
		}
	}
	if ss.db == nil {
		ss.db = sql.OpenDB(connector{ss})
		ss.db.SetMaxOpenConns(1)
		ss.db.SetConnMaxLifetime(time.Hour) // follow a fail-over or a changed right within the hour
	}
	return ss.db, nil
}

// abandon leaves a hanging statement alone with its pool, and takes its socket away from it.
func (ss *session) abandon() {
	ss.mu.Lock()
	defer ss.mu.Unlock()
	ss.db = nil
	ss.hanging++
	if ss.sever != nil {
		ss.sever()
		ss.sever = nil
	}
}

// drop lets go of a pool whose connection a panic left in no state to be used, or closed.
func (ss *session) drop() {
	ss.mu.Lock()
	defer ss.mu.Unlock()
	ss.db.Close()
	ss.db = nil
}

// returned is called when an abandoned statement came back after all.
func (ss *session) returned(db *sql.DB) {
	db.Close()
	ss.mu.Lock()
	defer ss.mu.Unlock()
	ss.hanging--
}

func (ss *session) close() error {
	ss.mu.Lock()
	defer ss.mu.Unlock()
	ss.closed = true
	if ss.db == nil {
		return nil
	}
	return ss.db.Close()
}

// run runs one statement when its turn comes and returns what read made of the answer. A statement on a
// source ("" is none) first waits until the last one's rest is over.
func run[T any](ctx context.Context, ss *session, s Source, st statement, read func(*sql.Rows) (T, error)) (T, error) {
	var none T
	select {
	case <-ctx.Done():
		return none, ctx.Err()
	case <-ss.turn:
	}
	defer func() { ss.turn <- struct{}{} }()
	if s != "" {
		if err := sleep(ctx, time.Until(ss.rest)); err != nil {
			return none, err
		}
	}
	db, err := ss.pool()
	if err != nil {
		return none, err
	}
	begun := time.Now()
	v, err := watched(ctx, ss, db, func(ctx context.Context) (T, error) { return once(ctx, db, st, read) })
	if st.took != nil {
		*st.took = time.Since(begun)
	}
	if s != "" {
		ss.rest = time.Now().Add(time.Duration(ss.o.Pace * float64(time.Since(begun))))
	}
	if err != nil {
		if errors.Is(err, errPanic) {
			ss.drop()
		}
		return none, ss.explain(ctx, s, err)
	}
	return v, nil
}

// watched calls f with the time limit of a statement, and does not wait for it for ever: drivers
// have been seen to ignore their context when the network dies.
func watched[T any](ctx context.Context, ss *session, db *sql.DB, f func(context.Context) (T, error)) (T, error) {
	type answer struct {
		v   T
		err error
	}
	limited, cancel := context.WithTimeout(ctx, ss.o.QueryTimeout)
	defer cancel()
	answers := make(chan answer)
	left := make(chan struct{})
	go func() {
		var a answer
		func() {
			defer func() {
				if recover() != nil {
					a.err = errPanic
				}
			}()
			a.v, a.err = f(limited)
		}()
		select {
		case answers <- a:
		case <-left:
			ss.returned(db)
		}
	}()
	select {
	case a := <-answers:
		return a.v, a.err
	case <-limited.Done():
	}
	patience := time.NewTimer(grace)
	defer patience.Stop()
	select {
	case a := <-answers:
		return a.v, a.err
	case <-patience.C:
		ss.abandon()
		close(left)
		return *new(T), errHangs
	}
}

// errHangs says that a statement was left alone.
var errHangs = errors.New("the driver does not return")

// errPanic says that the driver panicked. The panic itself is not shown: its text may quote a value.
var errPanic = errors.New("the driver panicked")

// once runs a statement on the connection and throws the connection away after any error. Nothing is
// deferred: after a panic of the driver database/sql still holds its locks, and closing would wait for ever.
func once[T any](ctx context.Context, db *sql.DB, st statement, read func(*sql.Rows) (T, error)) (v T, err error) {
	conn, err := db.Conn(ctx)
	if err != nil {
		return v, err
	}
	for _, b := range st.before {
		err = cmp.Or(err, execute(ctx, conn, b))
	}
	if err == nil {
		v, err = query(ctx, conn, st, read)
	}
	if err != nil || len(st.before) > 0 {
		_ = conn.Raw(func(any) error { return driver.ErrBadConn })
	}
	conn.Close()
	return v, err
}

func execute(ctx context.Context, conn *sql.Conn, st statement) error {
	_, err := conn.ExecContext(ctx, st.text, st.args...)
	return err
}

func query[T any](ctx context.Context, conn *sql.Conn, st statement, read func(*sql.Rows) (T, error)) (v T, err error) {
	rows, err := conn.QueryContext(ctx, st.text, st.args...) //nolint:rowserrcheck // read returns rows.Err
	if err == nil {
		v, err = read(rows)
		err = cmp.Or(err, rows.Close())
	}
	return v, err
}

// sleep waits for d or for the context's end.
func sleep(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return ctx.Err()
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}
