package whoop

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"

	"golang.org/x/oauth2"
)

const (
	tokenPath  = "/v2/partner/token" //nolint:gosec // a path, no credential
	tokenScope = "whoop-partner/token"

	// tokenEarly is how long before its end a token is renewed: a permit may lie for a while
	// and its call may take its time. A fifth of a shorter life.
	tokenEarly = 2 * time.Minute
	// tokenDefaultLife stands for a missing or senseless expires_in.
	tokenDefaultLife = 5 * time.Minute
	tokenMaxLife     = 24 * time.Hour
	// After a failure the endpoint is left alone for a while, longer where it refused the
	// credentials: asking again would not help, and might lock them.
	tokenRest        = 2 * time.Second
	tokenRefusedRest = time.Minute
)

// TokenError says why no token could be had. It holds no secret.
type TokenError struct {
	// Code is the HTTP status of the token endpoint; 0 where no answer came.
	Code int
	// Refused says that the client id and secret were refused: only a person can mend that.
	Refused bool
	text    string
}

// Error says which settings to look at.
func (e *TokenError) Error() string { return e.text }

// endpoint is an oauth2.TokenSource for WHOOP's token endpoint, which takes JSON and not the
// form of RFC 6749, so that x/oauth2/clientcredentials cannot be used.
type endpoint struct {
	request func(ctx context.Context) *http.Request // holds the credentials
	send    func(*http.Request) (*http.Response, error)
	fetched func(calls int)
	timeout time.Duration
}

var _ oauth2.TokenSource = (*endpoint)(nil)

// tokenRequest returns a function that builds the request for a token. The credentials live in
// the function only.
func tokenRequest(c *Client, id string, secret Secret) (func(context.Context) *http.Request, error) {
	body, err := json.Marshal(map[string]string{
		"grant_type": "client_credentials", "client_id": id, "client_secret": string(secret), "scope": tokenScope,
	})
	if err != nil {
		return nil, err
	}
	return func(ctx context.Context) *http.Request {
		r := c.request(ctx, http.MethodPost, tokenPath, body)
		r.Header["Content-Type"] = jsonType
		return r
	}, nil
}

// Token fetches a new token; its errors are *TokenError.
func (e *endpoint) Token() (*oauth2.Token, error) {
	ctx, cancel := context.WithTimeout(context.Background(), e.timeout)
	defer cancel()
	e.fetched(1)
	began := time.Now()
	resp, err := e.send(e.request(ctx))
	if err != nil {
		return nil, &TokenError{text: "no token from WHOOP: " + failureText(err, e.timeout)}
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxBody))
	switch {
	case resp.StatusCode == http.StatusUnauthorized:
		return nil, &TokenError{Code: resp.StatusCode, Refused: true,
			text: "WHOOP refused the client id and secret (401 at the token endpoint): look at whoop.client_id and whoop.client_secret, and whether they belong to this address"}
	case resp.StatusCode != http.StatusOK:
		return nil, &TokenError{Code: resp.StatusCode, text: strings.TrimSpace(fmt.Sprintf(
			"no token from WHOOP: the token endpoint answered %d %s", resp.StatusCode, redact(resp.Header, body)))}
	case err != nil:
		return nil, &TokenError{Code: resp.StatusCode, text: "no token from WHOOP: the answer of the token endpoint was cut"}
	}
	var got struct {
		AccessToken string       `json:"access_token"`
		TokenType   string       `json:"token_type"`
		ExpiresIn   lax[float64] `json:"expires_in"`
	}
	if json.Unmarshal(body, &got) != nil || !tokenText(got.AccessToken) ||
		got.TokenType != "" && !strings.EqualFold(got.TokenType, "bearer") {
		what := "something else than a bearer token"
		if isHTML(resp.Header, body) {
			what = "an HTML page; is there a proxy or a login page in between?"
		}
		return nil, &TokenError{Code: resp.StatusCode, text: "no token from WHOOP: the token endpoint answered 200 with " + what}
	}
	life := tokenDefaultLife
	if s := got.ExpiresIn.Value; s > 0 {
		life = time.Duration(min(s, tokenMaxLife.Seconds()) * float64(time.Second))
	}
	return &oauth2.Token{AccessToken: got.AccessToken, TokenType: "Bearer", Expiry: began.Add(life), ExpiresIn: int64(life.Seconds())}, nil
}

// tokenText reports whether s can stand in an Authorization header (RFC 6750, 2.1).
func tokenText(s string) bool {
	return s != "" && !strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r > '~' })
}

// tokens keeps the present token and renews it early. It does what
// oauth2.ReuseTokenSourceWithExpiry does, and three things that it cannot: a token that was
// refused is forgotten, a caller that waits for a fetch can give up, and a failure is
// remembered for a moment.
type tokens struct {
	source oauth2.TokenSource

	mu      sync.Mutex
	present string
	renew   time.Time // when present is to be renewed
	fetch   *fetch    // under way
	failed  error
	rest    time.Time // failed is the answer until then
}

type fetch struct {
	done  chan struct{}
	token string
	err   error
}

// get returns a token that is valid for a while yet. Its error is a *TokenError or ctx's.
func (t *tokens) get(ctx context.Context) (string, error) {
	t.mu.Lock()
	now := time.Now()
	if t.present != "" && now.Before(t.renew) {
		defer t.mu.Unlock()
		return t.present, nil
	}
	if t.failed != nil && now.Before(t.rest) {
		defer t.mu.Unlock()
		return "", t.failed
	}
	f := t.fetch
	if f == nil {
		f = &fetch{done: make(chan struct{})}
		t.fetch = f
		go t.run(f)
	}
	t.mu.Unlock()
	select {
	case <-f.done:
		return f.token, f.err
	case <-ctx.Done():
		return "", ctx.Err()
	}
}

// run fetches once, for all who wait.
func (t *tokens) run(f *fetch) {
	defer close(f.done)
	token, err := t.source.Token()
	t.mu.Lock()
	defer t.mu.Unlock()
	t.fetch, t.failed = nil, err
	now := time.Now()
	if err != nil {
		f.err, t.rest = err, now.Add(tokenRest)
		if e, ok := errors.AsType[*TokenError](err); ok && e.Refused {
			t.rest = now.Add(tokenRefusedRest)
		}
		return
	}
	life := token.Expiry.Sub(now)
	f.token, t.present, t.renew = token.AccessToken, token.AccessToken, token.Expiry.Add(-min(tokenEarly, life/5))
}

// forget drops the token that was refused, unless a newer one has replaced it already.
func (t *tokens) forget(refused string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.present == refused {
		t.present = ""
	}
}

// lax takes a value that the bridge can do without: what does not decode leaves it zero.
type lax[T any] struct{ Value T }

func (l *lax[T]) UnmarshalJSON(text []byte) error {
	var v T
	if json.Unmarshal(bytes.TrimSpace(text), &v) == nil {
		l.Value = v
	}
	return nil
}
