package whoop

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/httptrace"
	"time"
)

var jsonType = []string{"application/json"}

// request builds a request lean enough for thousands a second. It leaves GetBody nil: a request
// with a body that cannot be rewound is never sent again by net/http itself. (http.NewRequest
// would set it.) The body is of a kind that net/http knows to be in memory, and therefore writes
// together with the head.
func (c *Client) request(ctx context.Context, method, path string, content []byte) *http.Request {
	u := c.base
	u.Path += path
	r := &http.Request{
		Method: method, URL: &u, Host: u.Host, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: http.Header{"User-Agent": c.agent, "Accept": jsonType},
	}
	if content != nil {
		r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(content)), int64(len(content))
		r.Header["Content-Type"] = jsonType
	}
	return r.WithContext(ctx)
}

// reply is what came back of one call.
type reply struct {
	code   int // 0: no answer
	header http.Header
	body   []byte
	whole  bool // body was read to its end
	// Without an answer:
	unwritten bool // certainly no byte of the request was written
	text      string
}

// attempt watches which connections a call gets: one at most, or for a GET, which net/http may
// repeat by itself, several.
type attempt struct {
	conn  *conn
	calls int
}

func (a *attempt) got(info httptrace.GotConnInfo) {
	a.calls++
	if a.conn, _ = info.Conn.(*conn); a.conn != nil {
		a.conn.begin()
	}
}

// unwritten seals the connection and reports whether certainly no byte of the request was
// written.
func (a *attempt) unwritten() bool {
	if a.calls == 0 {
		return true
	}
	return a.conn != nil && a.conn.seal() && a.calls == 1
}

// exchange makes one call and reads its answer.
func (c *Client) exchange(ctx context.Context, p Permit, method, path string, content []byte) reply {
	g := p.grant
	if g == nil || !g.spent.CompareAndSwap(false, true) {
		return reply{unwritten: true, text: "there was no permit for the call"}
	}
	if time.Now().After(g.until) {
		c.limiter.giveBack(g.slot)
		return reply{unwritten: true, text: "the permit was too old"}
	}
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	a := attempt{}
	req := c.request(httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{GotConn: a.got}), method, path, content)
	req.Header["Authorization"] = []string{"Bearer " + g.token}

	resp, err := c.transport.RoundTrip(req)
	if err != nil {
		r := reply{unwritten: a.unwritten(), text: failureText(err, c.timeout)}
		if r.unwritten {
			r.text += "; nothing was written"
			c.limiter.giveBack(g.slot)
		} else {
			r.text += "; the request was written"
			c.limiter.ended(g.slot, a.calls, 0, nil)
		}
		return r
	}
	r := reply{code: resp.StatusCode, header: resp.Header}
	// The body of a 101 is the connection itself, which has no end.
	if resp.ContentLength != 0 && r.code != http.StatusSwitchingProtocols {
		r.body, err = io.ReadAll(io.LimitReader(resp.Body, maxBody+1))
		r.whole = err == nil && len(r.body) <= maxBody
	}
	_ = resp.Body.Close()
	c.limiter.ended(g.slot, a.calls, r.code, r.header)
	if r.code == http.StatusUnauthorized {
		c.tokens.forget(g.token)
	}
	return r
}

// answer judges a reply by the rule of certainty; success is the contract's code for the call.
func (r reply) answer(success int) Answer {
	a := Answer{Code: r.code, Text: r.text}
	if r.code == 0 {
		if a.Outcome = InDoubt; r.unwritten {
			a.Outcome = Released
		}
		return a
	}
	a.RequestID = requestID(r.header)
	if r.code == success {
		a.Outcome = Sent
		return a
	}
	a.Text = redact(r.header, r.body)
	switch {
	case r.code == http.StatusUnauthorized, r.code == http.StatusTooManyRequests:
		a.Outcome = Released
	case r.code == http.StatusForbidden, r.code == http.StatusRequestTimeout, r.code == http.StatusConflict:
		a.Outcome = InDoubt
	case r.code >= 400 && r.code <= 499:
		a.Outcome = Rejected
	default:
		a.Outcome = InDoubt
	}
	return a
}

// doubt turns a success whose body is not what the contract says into a doubt.
func (a Answer) doubt(r reply, text string) Answer {
	a.Outcome, a.Text = InDoubt, text
	switch {
	case isHTML(r.header, r.body):
		a.Text = "an HTML page instead of the answer"
	case !r.whole:
		a.Text = "the answer was cut or too long"
	}
	return a
}
