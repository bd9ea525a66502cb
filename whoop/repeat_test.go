package whoop_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"

	"limsbridge/whoop"
	"limsbridge/whoop/sandbox"
)

// net/http repeats a call by itself when a used connection ends without an answer, if it takes
// the call for repeatable. The GET shows that the scene is such a one; nothing that changes
// something may ever be repeated.
func TestNeverRepeated(t *testing.T) {
	for _, network := range []string{"plain", "tls", "proxy"} {
		for _, fault := range []sandbox.Fault{sandbox.CloseBefore, sandbox.ResetBefore, sandbox.CutAfter, sandbox.CutWithin, sandbox.Redirect, sandbox.Expired} {
			t.Run(fmt.Sprintf("%s/%s", network, fault), func(t *testing.T) {
				api := sandbox.New(sandbox.Options{})
				o, stop := link(t, network, api)
				defer stop()
				o.Parallel = 1 // one connection, used again
				client := newClient(t, o)
				requisition, request := order(t, api)
				for name, call := range changing {
					if _, a := client.ServiceRequest(context.Background(), permit(t, client), request); a.Outcome != whoop.Sent {
						t.Fatalf("no used connection: %+v", a)
					}
					before := calls(api)
					p := permit(t, client)
					if err := api.Fail("", fault); err != nil {
						t.Fatal(err)
					}
					call(context.Background(), client, p, requisition, request)
					if n := calls(api) - before; n != 1 {
						t.Errorf("%s arrived %d times", name, n)
					}
				}
				if fault != sandbox.CloseBefore {
					return
				}
				client.ServiceRequest(context.Background(), permit(t, client), request)
				before := calls(api)
				p := permit(t, client)
				_ = api.Fail("", fault)
				if _, a := client.ServiceRequest(context.Background(), p, request); a.Outcome != whoop.Sent || calls(api)-before != 2 {
					t.Errorf("the scene proves nothing: the GET arrived %d times: %+v", calls(api)-before, a)
				}
			})
		}
	}
}

// calls is how many calls arrived, but those for a token.
func calls(api *sandbox.Server) int {
	n := 0
	for e, calls := range api.Counts().Calls {
		if e != sandbox.Token {
			n += calls
		}
	}
	return n
}

// A server that closes idle connections at the very moment when they are used again.
func TestClosedIdleConnection(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	var mu sync.Mutex
	arrived := map[string]int{}
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close() // after one answer, without saying so
				r, err := http.ReadRequest(bufio.NewReader(c))
				if err != nil {
					return
				}
				_, _ = io.Copy(io.Discard, r.Body)
				if strings.HasSuffix(r.URL.Path, "/token") {
					_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 51\r\n\r\n"+`{"access_token":"t","expires_in":3600,"more":"-_-"}`)
					return
				}
				mu.Lock()
				arrived[r.URL.Path]++
				mu.Unlock()
				_, _ = io.WriteString(c, "HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n")
			}()
		}
	}()
	client := newClient(t, whoop.Options{BaseURL: "http://" + l.Addr().String(), ClientID: "id", ClientSecret: "secret", Parallel: 1})
	outcomes := map[whoop.Outcome]int{}
	for range 500 {
		id := uuid.New()
		a := client.SubmitReport(context.Background(), permit(t, client), id, report)
		outcomes[a.Outcome]++
		mu.Lock()
		n := arrived["/v2/partner/service-request/"+id.String()+"/results"]
		mu.Unlock()
		if n > 1 || a.Outcome == whoop.Released && n > 0 || a.Outcome == whoop.Sent && n != 1 {
			t.Fatalf("%+v, arrived %d times", a, n)
		}
	}
	t.Log(outcomes)
}

// What leaves is plain HTTP/1.1 with nothing that would let anyone repeat it.
func TestRequestHead(t *testing.T) {
	var got *http.Request
	api := sandbox.New(sandbox.Options{})
	o, stop := link(t, "tls", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got = r
		api.ServeHTTP(w, r)
	}))
	defer stop()
	o.Version = "1.2.3"
	client := newClient(t, o)
	_, request := order(t, api)
	p := permit(t, client)
	if got.Proto != "HTTP/1.1" || got.Header.Get("Content-Type") != "application/json" || got.Header.Get("Authorization") != "" {
		t.Errorf("token call: %s %v", got.Proto, got.Header)
	}
	if a := client.SubmitReport(context.Background(), p, request, report); a.Outcome != whoop.Sent {
		t.Fatal(a)
	}
	if got.URL.Path != "/developer/v2/partner/service-request/"+request.String()+"/results" || got.Proto != "HTTP/1.1" {
		t.Errorf("%s %s", got.Proto, got.URL.Path)
	}
	for name := range got.Header {
		switch name {
		case "Authorization", "Content-Type", "Content-Length", "Accept", "User-Agent":
		default:
			t.Errorf("header %s", name)
		}
	}
	if agent := got.Header.Get("User-Agent"); agent != "limsbridge/1.2.3" {
		t.Error(agent)
	}
}

// An answer that switches protocols has no end to wait for.
func TestSwitchingProtocols(t *testing.T) {
	api := sandbox.New(sandbox.Options{})
	o, stop := link(t, "plain", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/token") {
			api.ServeHTTP(w, r)
			return
		}
		c, _, err := w.(http.Hijacker).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer c.Close()
		_, _ = io.WriteString(c, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n")
		_, _ = io.Copy(io.Discard, c) // until the client closes it
	}))
	defer stop()
	client := newClient(t, o)
	if a := client.SubmitReport(context.Background(), permit(t, client), uuid.New(), report); a.Outcome != whoop.InDoubt || a.Code != 101 {
		t.Errorf("%+v", a)
	}
}

// A connection that was idle for long is not used again: who knows what a firewall made of it.
func TestIdleConnectionsAreLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api := sandbox.New(sandbox.Options{})
		o, stop := link(t, "memory", api)
		defer stop()
		dial, dialled := o.DialContext, 0
		o.DialContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
			dialled++
			return dial(ctx, network, addr)
		}
		client := newClient(t, o)
		_, request := order(t, api)
		for _, x := range []struct {
			idle time.Duration
			want int // connections so far
		}{{0, 1}, {4 * time.Second, 1}, {6 * time.Second, 2}, {time.Second, 2}, {time.Minute, 3}} {
			<-time.After(x.idle)
			if _, a := client.ServiceRequest(t.Context(), permit(t, client), request); a.Outcome != whoop.Sent {
				t.Fatalf("%+v", a)
			}
			if dialled != x.want {
				t.Errorf("after %s idle there were %d connections, want %d", x.idle, dialled, x.want)
			}
			synctest.Wait()
		}
		client.Close()
	})
}
