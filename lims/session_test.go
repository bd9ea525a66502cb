package lims

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"io"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// scripted is a database whose statements do what the test says.
type scripted struct {
	sqliteDialect
	query   func(ctx context.Context) error
	opened  *atomic.Int32
	closing *atomic.Int32
}

func (s scripted) connect(context.Context, Options, string) (driver.Conn, error) {
	s.opened.Add(1)
	return scriptedConn{s}, nil
}

func (scripted) explain(Source, error) error { return nil }

type scriptedConn struct{ scripted }

func (scriptedConn) Prepare(string) (driver.Stmt, error) { return nil, errors.New("not used") }
func (scriptedConn) Begin() (driver.Tx, error)           { return nil, errors.New("not used") }
func (c scriptedConn) Close() error                      { c.closing.Add(1); return nil }
func (c scriptedConn) QueryContext(ctx context.Context, _ string, _ []driver.NamedValue) (driver.Rows, error) {
	return noRows{}, c.query(ctx)
}

type noRows struct{}

func (noRows) Columns() []string         { return []string{"a"} }
func (noRows) Close() error              { return nil }
func (noRows) Next([]driver.Value) error { return io.EOF }

// scriptedSession is a session with such a database.
func scriptedSession(o Options, query func(context.Context) error) (ss *session, opened, closed *atomic.Int32) {
	opened, closed = new(atomic.Int32), new(atomic.Int32)
	return newSession(o, scripted{query: query, opened: opened, closing: closed}), opened, closed
}

func none(*sql.Rows) (int, error) { return 0, nil }

// After a statement on a source that took t, the next one begins no earlier than Pace times t later.
func TestPace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var begun []time.Time
		ss, opened, _ := scriptedSession(Options{QueryTimeout: time.Minute, Pace: 20}, func(context.Context) error {
			begun = append(begun, time.Now())
			time.Sleep(2 * time.Second)
			return nil
		})
		defer ss.close()
		for _, s := range []Source{Orders, "", Results} {
			if _, err := run(t.Context(), ss, s, statement{}, none); err != nil {
				t.Fatal(err)
			}
		}
		if d := begun[1].Sub(begun[0]); d != 2*time.Second {
			t.Errorf("a question about the server itself waited %s", d-2*time.Second)
		}
		if d := begun[2].Sub(begun[0]); d != 42*time.Second {
			t.Errorf("the next statement on a source began %s after the first one, want 2 s and 20 times 2 s", d)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := run(ctx, ss, Orders, statement{}, none); !errors.Is(err, context.DeadlineExceeded) || len(begun) != 3 {
			t.Errorf("a caller that does not want to wait: %v", err)
		}
		if opened.Load() != 1 {
			t.Errorf("%d connections were opened", opened.Load())
		}
	})
}

// A driver that keeps to its context is Busy at the time limit, and its connection is thrown away.
func TestQueryTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slow := true
		ss, opened, closed := scriptedSession(Options{QueryTimeout: time.Minute}, func(ctx context.Context) error {
			if slow {
				<-ctx.Done()
				return ctx.Err()
			}
			return nil
		})
		defer ss.close()
		begin := time.Now()
		_, err := run(t.Context(), ss, Orders, statement{}, none)
		var busy *Busy
		if !errors.As(err, &busy) || busy.Source != Orders || time.Since(begin) != time.Minute {
			t.Errorf("after %s: %v", time.Since(begin), err)
		}
		slow = false
		if _, err := run(t.Context(), ss, Orders, statement{}, none); err != nil || opened.Load() != 2 || closed.Load() != 1 {
			t.Errorf("afterwards: %v, %d connections opened, %d closed", err, opened.Load(), closed.Load())
		}
	})
}

// A driver that does not return is left alone, the next statement gets a new connection; too many of
// them and no new one is begun, until one comes back.
func TestHangingDriverIsLeftAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hang := make(chan struct{})
		var hanging atomic.Bool
		hanging.Store(true)
		ss, opened, closed := scriptedSession(Options{QueryTimeout: time.Minute}, func(context.Context) error {
			if hanging.Load() {
				<-hang
			}
			return nil
		})
		defer ss.close()
		for range maxHanging {
			begin := time.Now()
			_, err := run(t.Context(), ss, Orders, statement{}, none)
			var unavailable *Unavailable
			if !errors.As(err, &unavailable) || time.Since(begin) != time.Minute+grace {
				t.Errorf("after %s: %v", time.Since(begin), err)
			}
		}
		if opened.Load() != maxHanging {
			t.Errorf("%d connections were opened", opened.Load())
		}
		hanging.Store(false)
		begin := time.Now()
		_, err := run(t.Context(), ss, Orders, statement{}, none)
		if opened.Load() != maxHanging || time.Since(begin) != 0 || err == nil {
			t.Errorf("one more was begun: %v", err)
		}
		close(hang)
		synctest.Wait()
		if _, err := run(t.Context(), ss, Orders, statement{}, none); err != nil {
			t.Errorf("after they came back: %v", err)
		}
		if closed.Load() != maxHanging {
			t.Errorf("%d of their connections were closed", closed.Load())
		}
	})
}

// severed is a connection whose statements hang until its socket is taken away.
type severed struct {
	scriptedConn
	gone chan struct{}
}

func (c severed) sever() { close(c.gone) }
func (c severed) QueryContext(context.Context, string, []driver.NamedValue) (driver.Rows, error) {
	<-c.gone
	return nil, io.ErrUnexpectedEOF
}

type severedDialect struct{ scripted }

func (d severedDialect) connect(context.Context, Options, string) (driver.Conn, error) {
	d.opened.Add(1)
	return severed{scriptedConn(d), make(chan struct{})}, nil
}

// A driver that does not return has its socket taken away, so that it does: however often, the next statement is begun.
func TestHangingDriverLosesItsSocket(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		opened, closed := new(atomic.Int32), new(atomic.Int32)
		ss := newSession(Options{QueryTimeout: time.Minute}, severedDialect{scripted{opened: opened, closing: closed}})
		defer ss.close()
		for n := range int32(3 * maxHanging) {
			begin := time.Now()
			_, err := run(t.Context(), ss, Orders, statement{}, none)
			var unavailable *Unavailable
			if !errors.As(err, &unavailable) || time.Since(begin) != time.Minute+grace || opened.Load() != n+1 {
				t.Fatalf("statement %d after %s, %d connections: %v", n, time.Since(begin), opened.Load(), err)
			}
			synctest.Wait()
			if closed.Load() != n+1 {
				t.Errorf("%d of %d connections were closed", closed.Load(), n+1)
			}
		}
	})
}

// The caller's own end is the caller's own error.
func TestCancelled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ss, _, _ := scriptedSession(Options{QueryTimeout: time.Minute}, func(ctx context.Context) error {
			<-ctx.Done()
			return errors.New("some driver's words")
		})
		defer ss.close()
		ctx, cancel := context.WithCancel(t.Context())
		go func() {
			time.Sleep(time.Second)
			cancel()
		}()
		if _, err := run(ctx, ss, Orders, statement{}, none); !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
	})
}

// A driver that panics neither ends the process, nor keeps the next statement waiting, nor is quoted.
func TestPanickingDriver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		broken := true
		ss, _, _ := scriptedSession(Options{QueryTimeout: time.Minute}, func(context.Context) error {
			if broken {
				panic("value 5.40")
			}
			return nil
		})
		defer ss.close()
		begin := time.Now()
		for range maxHanging + 1 {
			_, err := run(t.Context(), ss, Orders, statement{}, none)
			var unavailable *Unavailable
			if !errors.As(err, &unavailable) || contains(err, "5.40") {
				t.Errorf("got %v", err)
			}
		}
		broken = false
		if _, err := run(t.Context(), ss, Orders, statement{}, none); err != nil || time.Since(begin) != 0 {
			t.Errorf("afterwards: %v, and %s later", err, time.Since(begin))
		}
	})
}

func TestClosed(t *testing.T) {
	ss, _, _ := scriptedSession(Options{QueryTimeout: time.Minute}, func(context.Context) error { return nil })
	if err := ss.close(); err != nil {
		t.Fatal(err)
	}
	if _, err := run(t.Context(), ss, Orders, statement{}, none); err == nil {
		t.Error("a closed session still runs statements")
	}
}
