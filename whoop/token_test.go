package whoop_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"limsbridge/whoop"
	"limsbridge/whoop/sandbox"
)

// A token serves until shortly before its end, and is fetched once for all who wait.
func TestTokenIsRenewedEarly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api := sandbox.New(sandbox.Options{TokenLife: time.Hour})
		o, stop := link(t, "memory", api)
		defer stop()
		client := newClient(t, o)
		_, request := order(t, api)
		began := time.Now()
		tokens := 0
		for time.Since(began) < 3*time.Hour {
			var all sync.WaitGroup
			for range 5 {
				all.Go(func() {
					if _, a := client.ServiceRequest(context.Background(), permit(t, client), request); a.Outcome != whoop.Sent {
						t.Errorf("after %v: %+v", time.Since(began), a)
					}
				})
			}
			all.Wait()
			if n := api.Counts().Calls[sandbox.Token]; n != tokens {
				tokens = n
				if at := time.Since(began) % (58 * time.Minute); at > time.Minute {
					t.Errorf("token %d was fetched after %v", n, time.Since(began))
				}
			}
			time.Sleep(30 * time.Second)
		}
		if tokens != 4 {
			t.Errorf("%d tokens in three hours", tokens)
		}
	})
}

// A 401 is released, not repeated, and the next permit brings a new token.
func TestRefusedToken(t *testing.T) {
	api := sandbox.New(sandbox.Options{})
	o, stop := link(t, "plain", api)
	defer stop()
	client := newClient(t, o)
	_, request := order(t, api)
	one, two := permit(t, client), permit(t, client) // with the same token
	api.ExpireTokens()
	if a := client.SubmitReport(context.Background(), one, request, report); a.Outcome != whoop.Released || a.Code != 401 {
		t.Fatalf("%+v", a)
	}
	three := permit(t, client)
	if a := client.SubmitReport(context.Background(), two, request, report); a.Outcome != whoop.Released || a.Code != 401 {
		t.Fatalf("%+v", a)
	}
	four := permit(t, client) // the new token is not thrown away for the old one's sake
	if a := client.SubmitReport(context.Background(), three, request, report); a.Outcome != whoop.Sent {
		t.Fatalf("%+v", a)
	}
	client.Return(four)
	client.Return(four)
	if a := client.SubmitReport(context.Background(), four, request, report); a.Outcome != whoop.Released || a.Code != 0 {
		t.Errorf("with a permit that was given back: %+v", a)
	}
	if n := api.Counts().Calls; n[sandbox.Token] != 2 || n[sandbox.Results] != 3 {
		t.Errorf("%v", n)
	}
}

func TestTokenFailures(t *testing.T) {
	const secret = "very-secret-sentinel"
	answer := func(code int, kind, body string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", kind)
			w.WriteHeader(code)
			_, _ = w.Write([]byte(body))
		}
	}
	tests := map[string]struct {
		handler http.Handler
		refused bool
		code    int
		text    string
	}{
		"wrong secret":     {sandbox.New(sandbox.Options{}), true, 401, "whoop.client_secret"},
		"echo":             {answer(400, "application/json", `{"error":"invalid_request","got":"`+secret+`"}`), false, 400, "answered 400 error invalid_request got …"},
		"gateway":          {answer(502, "text/html", "<html>"+secret), false, 502, "an HTML page"},
		"login page":       {answer(200, "text/html", "<html>"+secret), false, 200, "HTML page; is there a proxy"},
		"redirect":         {answer(302, "text/html", ""), false, 302, "302"},
		"no token":         {answer(200, "application/json", `{"token_type":"bearer"}`), false, 200, "something else"},
		"not a bearer":     {answer(200, "application/json", `{"access_token":"`+secret+`","token_type":"mac"}`), false, 200, "something else"},
		"header injection": {answer(200, "application/json", `{"access_token":"`+secret+`\r\nX: y"}`), false, 200, "something else"},
		"overlong":         {answer(200, "application/json", `{"access_token":"`+strings.Repeat("x", 2<<20)+`"}`), false, 200, "something else"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			o, stop := link(t, "plain", test.handler)
			defer stop()
			o.ClientSecret = secret
			client := newClient(t, o)
			_, err := client.Permit(context.Background(), whoop.Finals)
			var te *whoop.TokenError
			if !errors.As(err, &te) || te.Refused != test.refused || te.Code != test.code || !strings.Contains(err.Error(), test.text) {
				t.Errorf("%#v: %v", err, err)
			} else if strings.Contains(err.Error(), secret) {
				t.Error("the secret is in the error")
			}
		})
	}
}

// After a refusal the endpoint is left alone for a minute; a caller can give up waiting.
func TestTokenRest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		asked := 0
		hang := make(chan struct{})
		o, stop := link(t, "memory", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if asked++; asked == 3 {
				<-hang
			}
			w.WriteHeader(401)
		}))
		defer stop()
		client := newClient(t, o)
		began := time.Now()
		for asked < 2 {
			if _, err := client.Permit(context.Background(), whoop.Finals); err == nil {
				t.Fatal("a permit without a token")
			}
			time.Sleep(time.Second)
		}
		if d := time.Since(began); d < time.Minute || d > time.Minute+2*time.Second {
			t.Errorf("asked again after %v", d)
		}
		time.Sleep(time.Hour)
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		if _, err := client.Permit(ctx, whoop.Finals); !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
		close(hang)
		synctest.Wait()
	})
}

// Nothing of the client prints its secrets.
func TestSecretsDoNotPrint(t *testing.T) {
	api := sandbox.New(sandbox.Options{})
	o, stop := link(t, "plain", api)
	defer stop()
	var log bytes.Buffer
	o.Log = slog.New(slog.NewJSONHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	client := newClient(t, o)
	p := permit(t, client)
	requisition, _ := order(t, api)
	got, a := client.Requisition(context.Background(), p, requisition)
	if a.Outcome != whoop.Sent || got.Patient.BirthDate != patient.BirthDate {
		t.Fatal(a)
	}
	o.Log = nil
	for _, v := range []any{o, &o, o.ClientSecret, client, *client, p, got, got.Patient, a} {
		var b bytes.Buffer
		fmt.Fprintf(&b, "%v %+v %#v %s %x %q", v, v, v, v, v, v)
		slog.New(slog.NewTextHandler(&b, nil)).Info("", "v", v)
		if text, err := json.Marshal(map[string]any{"v": fmt.Sprint(v)}); err == nil {
			b.Write(text)
		}
		for _, secret := range []string{sandbox.DefaultClientSecret, fmt.Sprintf("%x", sandbox.DefaultClientSecret), "sbx.", "1971-02-28"} {
			if strings.Contains(b.String(), secret) {
				t.Errorf("%T prints %q", v, secret)
			}
		}
	}
	for _, v := range []any{o.ClientSecret, got, got.Patient, p} {
		if text, _ := json.Marshal(v); strings.Contains(string(text), "1971-02-28") || strings.Contains(string(text), "sbx.") ||
			strings.Contains(string(text), sandbox.DefaultClientSecret) {
			t.Errorf("%T encodes as %s", v, text)
		}
	}
	if strings.Contains(log.String(), sandbox.DefaultClientSecret) || strings.Contains(log.String(), "sbx.") || log.Len() == 0 {
		t.Error("log:", log.String())
	}
}
