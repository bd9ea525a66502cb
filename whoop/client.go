package whoop

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"time"
)

// DefaultBaseURL is WHOOP's production address.
const DefaultBaseURL = "https://api.prod.whoop.com/developer"

// Defaults of Options.
const (
	defaultParallel = 16
	defaultTimeout  = 30 * time.Second
	defaultPatience = 5 * time.Second
)

// maxBody is the longest answer that is read.
const maxBody = 1 << 20

// idleTimeout is how long an unused connection is kept. Servers and firewalls drop idle
// connections after a minute or so, silently at worst; a report written into such a connection
// would be in doubt.
const idleTimeout = 5 * time.Second

// Options are the settings of a Client. Only ClientID and ClientSecret have no default.
type Options struct {
	// BaseURL is the address before /v2; "" is DefaultBaseURL. Plain http is accepted for
	// loopback addresses only.
	BaseURL      string
	ClientID     string
	ClientSecret Secret
	// Proxy is the HTTP proxy to tunnel through, e.g. http://proxy.example.org:8080, with a
	// basic login if need be. "" is none; "environment" takes HTTPS_PROXY and its kin, which are
	// not looked at otherwise.
	Proxy string
	// CAFile (PEM) and RootCAs are trusted besides the system's certificates.
	CAFile  string
	RootCAs []*x509.Certificate
	// Parallel is the greatest number of connections; 0 is 16.
	Parallel int
	// RequestTimeout bounds one call from connection to the end of its answer; 0 is 30 s.
	RequestTimeout time.Duration
	// PerMinute and PerDay are the partner's quota; 0 is none but what the server announces.
	PerMinute, PerDay int
	// Patience is how long Permit waits for quota; 0 is 5 s.
	Patience time.Duration
	// Certificates is shown the chain that WHOOP's end, or a proxy that inspects TLS, showed at each
	// connection; nil: nobody. It is called from several goroutines.
	Certificates func([]*x509.Certificate)
	// Version stands in the User-Agent.
	Version string
	// DialContext replaces the network, e.g. by connections in memory.
	DialContext func(ctx context.Context, network, addr string) (net.Conn, error)
	// Log takes what is worth knowing of the quota and of tokens; nil is nothing. Calls are not
	// logged here: their answers go to the caller.
	Log *slog.Logger
}

// Client makes calls to the Healthcare Partner API. All methods may be called from several
// goroutines.
type Client struct {
	base      url.URL // its path without a slash at the end
	agent     []string
	timeout   time.Duration
	transport *http.Transport
	limiter   *limiter
	tokens    *tokens
	log       *slog.Logger
}

// Format prints nothing of the client's inside.
func (Client) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "whoop client") }

// New returns a client. It does not touch the network. Its errors name the setting.
func New(o Options) (*Client, error) {
	if o.BaseURL == "" {
		o.BaseURL = DefaultBaseURL
	}
	base, err := baseURL(o.BaseURL)
	if err != nil {
		return nil, err
	}
	switch {
	case o.ClientID == "":
		return nil, errors.New("client_id is missing")
	case o.ClientSecret == "":
		return nil, errors.New("client_secret is missing")
	case o.PerMinute < 0 || o.PerDay < 0 || o.Parallel < 0 || o.RequestTimeout < 0 || o.Patience < 0:
		return nil, errors.New("quota, number of connections and time limits cannot be negative")
	}
	proxy, err := proxyURL(o.Proxy, base)
	if err != nil {
		return nil, err
	}
	pool, err := roots(o.CAFile, o.RootCAs)
	if err != nil {
		return nil, err
	}
	if o.Parallel == 0 {
		o.Parallel = defaultParallel
	}
	if o.RequestTimeout == 0 {
		o.RequestTimeout = defaultTimeout
	}
	if o.Patience == 0 {
		o.Patience = defaultPatience
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.DialContext == nil {
		o.DialContext = (&net.Dialer{Timeout: connectTimeout, KeepAlive: 15 * time.Second}).DialContext
	}
	d := &dialer{dial: o.DialContext, proxy: proxy, seen: o.Certificates, tls: &tls.Config{
		RootCAs: pool, MinVersion: tls.VersionTLS12, NextProtos: []string{"http/1.1"},
		ClientSessionCache: tls.NewLRUClientSessionCache(o.Parallel),
	}}
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	c := &Client{
		base:    *base,
		agent:   []string{strings.TrimSuffix("limsbridge/"+o.Version, "/")},
		timeout: o.RequestTimeout,
		log:     o.Log,
		limiter: newLimiter(o.PerMinute, o.PerDay, permitLife+o.RequestTimeout, o.Patience),
		transport: &http.Transport{
			DialContext:            d.Plain,
			DialTLSContext:         d.TLS,
			Protocols:              protocols,
			MaxConnsPerHost:        o.Parallel,
			MaxIdleConnsPerHost:    o.Parallel,
			IdleConnTimeout:        idleTimeout,
			DisableCompression:     true,
			MaxResponseHeaderBytes: 64 << 10,
		},
	}
	request, err := tokenRequest(c, o.ClientID, o.ClientSecret)
	if err != nil {
		return nil, errors.New("client_id or client_secret cannot be written as JSON")
	}
	c.tokens = &tokens{source: &endpoint{
		request: request,
		send:    c.transport.RoundTrip,
		fetched: func(calls int) {
			c.limiter.spent(time.Now(), calls)
			c.log.Debug("fetching a token from WHOOP")
		},
		timeout: c.timeout,
	}}
	return c, nil
}

// baseURL checks the API's address.
func baseURL(text string) (*url.URL, error) {
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return nil, errors.New("base_url is not an address such as " + DefaultBaseURL)
	}
	ip := net.ParseIP(u.Hostname())
	loopback := u.Hostname() == "localhost" || ip != nil && ip.IsLoopback()
	if u.Scheme != "https" && (u.Scheme != "http" || !loopback) {
		return nil, errors.New("base_url must begin with https:// (plain http is for loopback addresses only)")
	}
	u.Path = strings.TrimRight(u.Path, "/")
	u.RawPath = ""
	return u, nil
}

// proxyURL checks the proxy's address; nil is none.
func proxyURL(text string, base *url.URL) (*url.URL, error) {
	if text == "" {
		return nil, nil
	}
	var u *url.URL
	var err error
	if text == "environment" {
		if u, err = http.ProxyFromEnvironment(&http.Request{URL: base}); u == nil && err == nil {
			return nil, nil
		}
	} else {
		u, err = url.Parse(text)
	}
	// url.Parse's errors repeat the text, which may hold a password.
	if err != nil || u.Scheme != "http" || u.Hostname() == "" {
		return nil, errors.New("proxy is not an address such as http://proxy.example.org:8080")
	}
	return u, nil
}

// Close ends idle connections. Calls that are under way are not touched.
func (c *Client) Close() {
	c.limiter.close()
	c.transport.CloseIdleConnections()
}

// Permit is the right to make one call: its quota is taken and its token is valid. It is spent
// by one call, which must begin within 30 s.
type Permit struct{ grant *grant }

type grant struct {
	spent atomic.Bool
	token string
	slot  slot
	until time.Time
}

// Format prints nothing of the permit's inside.
func (Permit) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "permit") }

// QuotaError says that the quota has no room before a time.
type QuotaError struct{ Until time.Time }

// Error tells when the quota has room again.
func (e *QuotaError) Error() string {
	return "the quota has no room before " + e.Until.Format(time.RFC3339)
}

// Permit takes a valid token and one call's quota, waiting for both, the lower class first and
// within a class in the order of asking. It returns a *QuotaError where the quota has no room
// within the client's patience, a *TokenError where no token can be had, or ctx's error; in each
// case nothing was sent but perhaps a request for a token.
func (c *Client) Permit(ctx context.Context, class Class) (Permit, error) {
	// The token comes first: fetching one may take longer than a permit lives.
	token, err := c.tokens.get(ctx)
	if err != nil {
		return Permit{}, err
	}
	s, err := c.limiter.take(ctx, class)
	if err != nil {
		return Permit{}, err
	}
	return Permit{&grant{token: token, slot: s, until: time.Now().Add(permitLife)}}, nil
}

// Return gives a permit back that was not used.
func (c *Client) Return(p Permit) {
	if g := p.grant; g != nil && g.spent.CompareAndSwap(false, true) {
		c.limiter.giveBack(g.slot)
	}
}

// Spent tells the client of calls that were made before it was created: calls of them in the
// minute that began at that time. Tell it of the last day's before the first Permit.
func (c *Client) Spent(at time.Time, calls int) { c.limiter.spent(at.Add(time.Minute), calls) }

// ForeignCalls is how many calls someone else made with these credentials since the client was
// created, as far as that is certain from the quota headers: what could have been a late call
// of ours is not counted. It does not see calls made before a window's first answer to us.
func (c *Client) ForeignCalls() int {
	c.limiter.mu.Lock()
	defer c.limiter.mu.Unlock()
	return c.limiter.foreign.before + c.limiter.foreign.found
}
