package whoop_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"

	"limsbridge/whoop"
	"limsbridge/whoop/sandbox"
)

// The calls of the API that change something, by name.
var changing = map[string]func(context.Context, *whoop.Client, whoop.Permit, uuid.UUID, uuid.UUID) whoop.Answer{
	"report": func(ctx context.Context, c *whoop.Client, p whoop.Permit, _, request uuid.UUID) whoop.Answer {
		return c.SubmitReport(ctx, p, request, report)
	},
	"status": func(ctx context.Context, c *whoop.Client, p whoop.Permit, _, request uuid.UUID) whoop.Answer {
		return c.SetStatus(ctx, p, request, whoop.StatusUpdate{BusinessStatus: whoop.ResultsIssue, Reason: "lost"})
	},
	"whole status": func(ctx context.Context, c *whoop.Client, p whoop.Permit, requisition, _ uuid.UUID) whoop.Answer {
		return c.SetRequisitionStatus(ctx, p, requisition, whoop.StatusUpdate{BusinessStatus: whoop.ResultsIssue})
	},
}

// certainty is the rule, by what goes wrong: the outcome, the code, and whether WHOOP has
// processed the call. Released and rejected must never stand beside "processed".
var certainty = map[sandbox.Fault]struct {
	outcome   whoop.Outcome
	code      int
	processed bool
}{
	"":                   {whoop.Sent, 0, true},
	sandbox.Expired:      {whoop.Released, 401, false},
	sandbox.RateLimited:  {whoop.Released, 429, false},
	sandbox.Throttled:    {whoop.Released, 429, false},
	sandbox.BadRequest:   {whoop.Rejected, 400, false},
	sandbox.Missing:      {whoop.Rejected, 404, false},
	sandbox.Unprocessed:  {whoop.Rejected, 422, false},
	sandbox.Forbidden:    {whoop.InDoubt, 403, false},
	sandbox.TimedOut:     {whoop.InDoubt, 408, false},
	sandbox.Conflict:     {whoop.InDoubt, 409, false},
	sandbox.Redirect:     {whoop.InDoubt, 307, false},
	sandbox.ErrorBefore:  {whoop.InDoubt, 500, false},
	sandbox.Unavailable:  {whoop.InDoubt, 503, false},
	sandbox.CloseBefore:  {whoop.InDoubt, 0, false},
	sandbox.ResetBefore:  {whoop.InDoubt, 0, false},
	sandbox.HangBefore:   {whoop.InDoubt, 0, false},
	sandbox.ErrorAfter:   {whoop.InDoubt, 500, true},
	sandbox.GatewayAfter: {whoop.InDoubt, 502, true},
	sandbox.CutAfter:     {whoop.InDoubt, 0, true},
	sandbox.CutWithin:    {whoop.InDoubt, 0, true},
	sandbox.CutBody:      {whoop.InDoubt, 200, true},
	sandbox.HangAfter:    {whoop.InDoubt, 0, true},
	sandbox.Late:         {whoop.InDoubt, 0, true},
	sandbox.Page:         {whoop.InDoubt, 200, true},
	sandbox.Accepted202:  {whoop.InDoubt, 202, true},
}

func TestCertainty(t *testing.T) {
	for _, f := range sandbox.AllFaults {
		if _, ok := certainty[f]; !ok {
			t.Errorf("the table has no row for %q", f)
		}
	}
	success := map[string]int{"report": 201, "status": 200, "whole status": 204}
	for _, network := range networks {
		for fault, want := range certainty {
			hangs := fault == sandbox.HangBefore || fault == sandbox.HangAfter || fault == sandbox.Late
			memory := strings.HasPrefix(network, "memory")
			if hangs && !memory {
				continue // virtual time needs the network in memory
			}
			for name, call := range changing {
				want := want
				if fault == "" || fault == sandbox.CutBody && name != "status" {
					// The success of these has no body: the status line says it all.
					want.outcome, want.code = whoop.Sent, success[name]
				}
				t.Run(fmt.Sprintf("%s/%s/%s", network, name, fault), func(t *testing.T) {
					run := func(t *testing.T) {
						api := sandbox.New(sandbox.Options{})
						o, stop := link(t, network, api)
						defer stop()
						client, err := whoop.New(o)
						if err != nil {
							t.Fatal(err)
						}
						defer client.Close()
						requisition, request := order(t, api)
						if err := api.Fail("", fault); err != nil {
							t.Fatal(err)
						}
						a := call(context.Background(), client, permit(t, client), requisition, request)
						if a.Outcome != want.outcome || a.Code != want.code {
							t.Errorf("got %+v, want %s with code %d", a, want.outcome, want.code)
						}
						if memory {
							synctest.Wait() // the late call lands
						}
						got, _ := api.AcceptedFor(request)
						if processed := len(got.Reports)+len(got.Statuses) > 0; processed != want.processed {
							t.Errorf("processed: %v, want %v", processed, want.processed)
						}
						private(t, a.Text, a.RequestID)
					}
					if memory {
						synctest.Test(t, run)
					} else {
						run(t)
					}
				})
			}
		}
	}
}

// private fails the test where something private is in a text.
func private(t *testing.T, texts ...string) {
	t.Helper()
	for _, s := range texts {
		for _, secret := range []string{"187.4", "sentinel", "-4711", "1971-02", "mg/dL", sandbox.DefaultClientSecret, "sbx.", "CHOLESTEROL"} {
			if strings.Contains(strings.ToLower(s), strings.ToLower(secret)) {
				t.Errorf("%q is in %q", secret, s)
			}
		}
	}
}

// Every status code, with the contract's success for each call apart.
func TestCertaintyOfEveryCode(t *testing.T) {
	code := 0
	id := uuid.New()
	o, stop := link(t, "plain", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/token") {
			fmt.Fprint(w, `{"access_token":"t","token_type":"bearer","expires_in":3600}`)
			return
		}
		w.WriteHeader(code)
		if code != 204 && code != 304 {
			fmt.Fprintf(w, `{"id":%q,"status":"active","code":"CBC","task_business_status":"RESULTS_ISSUE"}`, id)
		}
	}))
	defer stop()
	o.Patience = time.Nanosecond
	success := map[string]int{"report": 201, "status": 200, "whole status": 204}
	for name, call := range changing {
		for code = 200; code < 600; code++ {
			want := whoop.InDoubt
			switch {
			case code == success[name]:
				want = whoop.Sent
			case slices.Contains([]int{401, 429}, code):
				want = whoop.Released
			case slices.Contains([]int{403, 408, 409}, code):
			case code/100 == 4:
				want = whoop.Rejected
			}
			client := newClient(t, o) // a 429 pauses the old one
			if a := call(context.Background(), client, permit(t, client), id, id); a.Outcome != want || a.Code != code {
				t.Errorf("%s: %d gives %+v, want %s", name, code, a, want)
			}
			client.Close()
		}
	}
}

// A success must show what was asked for.
func TestStatusAnswerMustFit(t *testing.T) {
	id := uuid.New()
	for body, want := range map[string]whoop.Outcome{
		`{"id":"ID","status":"active","task_business_status":"RESULTS_ISSUE","more":[1]}`:       whoop.Sent,
		`{"id":"ID","status":"active","task_business_status":"ORDER_CONFIRMED"}`:                whoop.InDoubt,
		`{"id":"ID","status":"active","task_business_status":null}`:                             whoop.InDoubt,
		`{"id":"ID","status":"active"}`:                                                         whoop.InDoubt,
		`{"id":"` + uuid.NewString() + `","status":"a","task_business_status":"RESULTS_ISSUE"}`: whoop.InDoubt,
		`{"status":"active","task_business_status":"RESULTS_ISSUE"}`:                            whoop.InDoubt,
		`{"id":"ID","status":"active","task_business_status":"RESULTS_ISSUE"`:                   whoop.InDoubt,
		`{"id":"ID","status":"active","task_business_status":"RESULTS_ISSUE"}{}`:                whoop.InDoubt,
		`<html>login</html>`: whoop.InDoubt,
		``:                   whoop.InDoubt,
		`{"id":"ID","task_business_status":"RESULTS_ISSUE","x":"` + strings.Repeat("x", 1<<20) + `"}`: whoop.InDoubt,
	} {
		body = strings.ReplaceAll(body, `"ID"`, strconv.Quote(id.String()))
		o, stop := link(t, "plain", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if strings.HasSuffix(r.URL.Path, "/token") {
				fmt.Fprint(w, `{"access_token":"t","token_type":"bearer","expires_in":3600}`)
				return
			}
			fmt.Fprint(w, body)
		}))
		client := newClient(t, o)
		a := client.SetStatus(context.Background(), permit(t, client), id, whoop.StatusUpdate{BusinessStatus: whoop.ResultsIssue})
		if a.Outcome != want || a.Code != 200 || (a.Text == "") != (want == whoop.Sent) {
			t.Errorf("%.90s gives %+v, want %s", body, a, want)
		}
		if _, a := client.ServiceRequest(context.Background(), permit(t, client), uuid.New()); a.Outcome != whoop.InDoubt {
			t.Errorf("%.90s for another service request gives %+v", body, a)
		}
		client.Close()
		stop()
	}
}

// Where no connection is obtained, nothing was sent.
func TestNoConnection(t *testing.T) {
	closed := func() string {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		return l.Addr().String()
	}
	refusing := func(code string) func(testing.TB) string {
		return func(t testing.TB) string {
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { l.Close() })
			go func() {
				for {
					c, err := l.Accept()
					if err != nil {
						return
					}
					_, _ = c.Read(make([]byte, 4096))
					_, _ = c.Write([]byte("HTTP/1.1 " + code + " sentinel reason\r\nContent-Length: 0\r\n\r\n"))
					_ = c.Close()
				}
			}()
			return l.Addr().String()
		}
	}
	tests := []struct {
		name, network string
		change        func(t testing.TB, o *whoop.Options)
		text          string
	}{
		{"refused, plain", "plain", func(_ testing.TB, o *whoop.Options) { o.BaseURL = "http://" + closed() }, "refused"},
		{"refused, tls", "tls", func(_ testing.TB, o *whoop.Options) { o.BaseURL = "https://" + closed() }, "refused"},
		{"refused behind the proxy", "proxy", func(_ testing.TB, o *whoop.Options) { o.BaseURL = "https://" + closed() }, "proxy refused the tunnel (502)"},
		{"no proxy there", "proxy", func(_ testing.TB, o *whoop.Options) { o.Proxy = "http://" + closed() }, "refused"},
		{"proxy wants a login", "proxy", func(t testing.TB, o *whoop.Options) { o.Proxy = "http://" + refusing("407")(t) }, "NTLM"},
		{"certificate not trusted", "tls", func(_ testing.TB, o *whoop.Options) { o.RootCAs = nil }, "Inspection CA of Example Lab"},
		{"certificate not trusted behind the proxy", "proxy", func(_ testing.TB, o *whoop.Options) { o.RootCAs = nil }, "ca_file"},
		{"plain server at a TLS address", "plain", func(_ testing.TB, o *whoop.Options) { o.BaseURL = strings.Replace(o.BaseURL, "http:", "https:", 1) }, "TLS"},
		{"no such name", "plain", func(_ testing.TB, o *whoop.Options) {
			o.DialContext = func(context.Context, string, string) (net.Conn, error) {
				return nil, &net.OpError{Op: "dial", Err: &net.DNSError{Name: "sentinel.example.org", IsNotFound: true}}
			}
		}, "DNS"},
		{"network unreachable", "plain", func(_ testing.TB, o *whoop.Options) {
			o.DialContext = func(context.Context, string, string) (net.Conn, error) { return nil, syscall.ENETUNREACH }
		}, "does not reach"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			api := sandbox.New(sandbox.Options{})
			o, stop := link(t, test.network, api)
			defer stop()
			test.change(t, &o)
			client := newClient(t, o)

			// The token call meets the failure first.
			_, err := client.Permit(context.Background(), whoop.Finals)
			var te *whoop.TokenError
			if !errors.As(err, &te) || te.Refused || !strings.Contains(err.Error(), test.text) {
				t.Errorf("Permit says %v, want a *TokenError with %q", err, test.text)
			}
			private(t, err.Error())
		})
	}
	// And the calls themselves, the token being had already.
	for _, network := range []string{"plain", "tls", "proxy"} {
		for name, call := range changing {
			t.Run(network+"/"+name, func(t *testing.T) {
				api := sandbox.New(sandbox.Options{})
				o, stop := link(t, network, api)
				defer stop()
				dial := (&net.Dialer{}).DialContext
				down := false
				o.DialContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
					if down {
						return nil, syscall.ECONNREFUSED
					}
					return dial(ctx, network, addr)
				}
				client := newClient(t, o)
				requisition, request := order(t, api)
				p := permit(t, client)
				client.Close() // the idle connection of the token call
				down = true
				a := call(context.Background(), client, p, requisition, request)
				if a.Outcome != whoop.Released || a.Code != 0 || a.Text != "the connection was refused; nothing was written" {
					t.Errorf("got %+v", a)
				}
				down = false
				ctx, cancel := context.WithCancel(context.Background())
				cancel()
				if a := call(ctx, client, permit(t, client), requisition, request); a.Outcome != whoop.Released {
					t.Errorf("with a context that has ended: %+v", a)
				}
				if a := call(context.Background(), client, p, requisition, request); a.Outcome != whoop.Released {
					t.Errorf("with a permit that is spent: %+v", a)
				}
				if a := call(context.Background(), client, whoop.Permit{}, requisition, request); a.Outcome != whoop.Released {
					t.Errorf("without a permit: %+v", a)
				}
				if n := api.Counts().Calls; n[sandbox.Results]+n[sandbox.SetStatus]+n[sandbox.SetRequisitionStatus] != 0 {
					t.Errorf("calls arrived: %v", n)
				}
			})
		}
	}
}

// brokenConn is a connection whose writes can be made to fail after some bytes.
type brokenConn struct {
	net.Conn
	broken *bool
	pass   int
}

func (b *brokenConn) Write(p []byte) (int, error) {
	if !*b.broken {
		return b.Conn.Write(p)
	}
	n, _ := b.Conn.Write(p[:min(b.pass, len(p))])
	_ = b.Conn.Close()
	return n, syscall.EPIPE
}

// A connection that was obtained but took no byte leaves no doubt; one byte does.
func TestBytesWritten(t *testing.T) {
	for _, network := range []string{"plain", "tls", "proxy"} {
		for pass, want := range map[int]whoop.Outcome{0: whoop.Released, 1: whoop.InDoubt, 60: whoop.InDoubt} {
			for name, call := range changing {
				t.Run(fmt.Sprintf("%s/%s/%d bytes", network, name, pass), func(t *testing.T) {
					api := sandbox.New(sandbox.Options{})
					o, stop := link(t, network, api)
					defer stop()
					broken := false
					o.DialContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
						c, err := (&net.Dialer{}).DialContext(ctx, network, addr)
						return &brokenConn{c, &broken, pass}, err
					}
					client := newClient(t, o)
					requisition, request := order(t, api)
					p := permit(t, client) // its connection is used again
					broken = true
					if a := call(context.Background(), client, p, requisition, request); a.Outcome != want {
						t.Errorf("got %+v, want %s", a, want)
					}
				})
			}
		}
	}
}

// The time is up while the request is being written: in doubt as soon as one byte was taken.
func TestBlockedWrite(t *testing.T) {
	t.Run("nothing taken", func(t *testing.T) {
		blockedWrite(t, 0, whoop.Answer{Outcome: whoop.Released, Text: "no answer within 30s; nothing was written"})
	})
	t.Run("one byte taken", func(t *testing.T) {
		blockedWrite(t, 1, whoop.Answer{Outcome: whoop.InDoubt, Text: "no answer within 30s; the request was written"})
	})
}

func blockedWrite(t *testing.T, taken int, want whoop.Answer) {
	synctest.Test(t, func(t *testing.T) {
		api := sandbox.New(sandbox.Options{})
		o, stop := link(t, "memory", api)
		defer stop()
		dial, deaf := o.DialContext, false
		var far net.Conn
		o.DialContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
			if deaf {
				var near net.Conn
				near, far = net.Pipe()
				go func() { _, _ = far.Read(make([]byte, taken)) }()
				return near, nil
			}
			return dial(ctx, network, addr)
		}
		client := newClient(t, o)
		_, request := order(t, api)
		p := permit(t, client)
		client.Close()
		deaf = true
		began := time.Now()
		a := client.SubmitReport(context.Background(), p, request, report)
		if a != want || time.Since(began) != 30*time.Second {
			t.Errorf("got %+v after %v, want %+v", a, time.Since(began), want)
		}
		far.Close()
	})
}
