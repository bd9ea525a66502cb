package whoop_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"sync/atomic"
	"testing"

	"github.com/google/uuid"

	"limsbridge/whoop"
	"limsbridge/whoop/sandbox"
)

// relay stands between the client and where it dials to, and resets a connection, as firewalls
// and failing routers do, after so many bytes of one direction.
type relay struct {
	up, down atomic.Int64 // bytes until the reset; negative: none
}

func (r *relay) dial(ctx context.Context, network, addr string) (_ net.Conn, err error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, l.Close()) }()
	near, err := (&net.Dialer{}).DialContext(ctx, network, l.Addr().String())
	if err != nil {
		return nil, err
	}
	mine, err := l.Accept()
	if err != nil {
		return nil, err
	}
	far, err := (&net.Dialer{}).DialContext(ctx, network, addr)
	if err != nil {
		return nil, err
	}
	reset := func() {
		for _, c := range []net.Conn{mine, far} {
			_ = c.(*net.TCPConn).SetLinger(0)
			_ = c.Close()
		}
	}
	go carry(far, mine, &r.up, reset)
	go carry(mine, far, &r.down, reset)
	return near, nil
}

// carry copies byte for byte until either side ends, or none may follow any more.
func carry(to io.Writer, from io.Reader, left *atomic.Int64, reset func()) {
	defer reset()
	buf := make([]byte, 4096)
	for {
		n, err := from.Read(buf)
		may := left.Load()
		if may >= 0 && int64(n) > may {
			_, _ = to.Write(buf[:may])
			return
		}
		if _, e := to.Write(buf[:n]); e != nil || err != nil {
			return
		}
		if may >= 0 {
			left.Add(int64(-n))
		}
	}
}

// A connection that is reset at any byte, of the handshake, the request or the answer: what is
// sent was accepted, what is released was not, and nothing was accepted twice.
func TestResetsAtAnyByte(t *testing.T) {
	for network, most := range map[string]int64{"plain": 600, "tls": 4000, "proxy": 4000} {
		seed := rand.Uint64()
		t.Run(fmt.Sprintf("%s, seed %d", network, seed), func(t *testing.T) {
			random := rand.New(rand.NewPCG(seed, 3))
			r := &relay{}
			api := sandbox.New(sandbox.Options{})
			o, stop := link(t, network, api)
			defer stop()
			o.DialContext = r.dial
			client := newClient(t, o)
			seen := map[whoop.Outcome]int{}
			accepted := 0
			outcomes := map[uuid.UUID]whoop.Outcome{}
			for range 250 {
				r.up.Store(-1)
				r.down.Store(-1)
				requisition, request := order(t, api)
				p := permit(t, client)
				if random.IntN(2) == 0 {
					client.Close() // of the idle connection: the call makes its own
				}
				direction := &r.up
				if random.IntN(2) == 0 {
					direction = &r.down
				}
				direction.Store(random.Int64N(most))
				names := []string{"report", "status", "whole status"}
				a := changing[names[random.IntN(3)]](t.Context(), client, p, requisition, request)
				outcomes[request] = a.Outcome
				seen[a.Outcome]++
				private(t, a.Text)
			}
			for request, o := range outcomes { // at the end, when whatever was on its way has landed
				got, _ := api.AcceptedFor(request)
				n := len(got.Reports) + len(got.Statuses)
				accepted += n
				if o == whoop.Sent && n != 1 || o == whoop.Released && n != 0 || o == whoop.Rejected || n > 1 {
					t.Errorf("%s, and accepted %d times", o, n)
				}
			}
			if seen[whoop.Sent] == 0 || seen[whoop.InDoubt] == 0 || seen[whoop.Released] == 0 && network != "plain" || accepted == seen[whoop.Sent] {
				t.Errorf("outcomes %v, %d accepted: the resets do not reach everything", seen, accepted)
			}
		})
	}
}
