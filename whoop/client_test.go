package whoop_test

import (
	"bytes"
	"context"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/uuid"

	"limsbridge/whoop"
	"limsbridge/whoop/sandbox"
)

func TestOptions(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	cert, _ := certificate(t)
	good := string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert.Certificate[0]}))
	tests := map[string]struct {
		change func(*whoop.Options)
		want   string // in the error; "" is none
	}{
		"defaults":             {func(*whoop.Options) {}, ""},
		"loopback":             {func(o *whoop.Options) { o.BaseURL = "http://127.0.0.1:8088/developer/" }, ""},
		"loopback, IPv6":       {func(o *whoop.Options) { o.BaseURL = "http://[::1]:8088" }, ""},
		"localhost":            {func(o *whoop.Options) { o.BaseURL = "http://localhost:8088" }, ""},
		"plain http":           {func(o *whoop.Options) { o.BaseURL = "http://api.prod.whoop.com/developer" }, "https://"},
		"plain http, like it":  {func(o *whoop.Options) { o.BaseURL = "http://localhost.example.org" }, "https://"},
		"no scheme":            {func(o *whoop.Options) { o.BaseURL = "api.prod.whoop.com" }, "base_url"},
		"another scheme":       {func(o *whoop.Options) { o.BaseURL = "ftp://127.0.0.1" }, "base_url"},
		"login in the address": {func(o *whoop.Options) { o.BaseURL = "https://user:hunter2hunter2@example.org" }, "base_url"},
		"no client id":         {func(o *whoop.Options) { o.ClientID = "" }, "client_id"},
		"no secret":            {func(o *whoop.Options) { o.ClientSecret = "" }, "client_secret"},
		"proxy":                {func(o *whoop.Options) { o.Proxy = "http://user:hunter2hunter2@proxy.example.org:8080" }, ""},
		"proxy without scheme": {func(o *whoop.Options) { o.Proxy = "proxy.example.org:8080" }, "proxy is not"},
		"proxy that is broken": {func(o *whoop.Options) { o.Proxy = "http://user:hunter2hunter2@%zz" }, "proxy is not"},
		"socks proxy":          {func(o *whoop.Options) { o.Proxy = "socks5://proxy.example.org" }, "proxy is not"},
		"negative quota":       {func(o *whoop.Options) { o.PerDay = -1 }, "negative"},
		"CA file":              {func(o *whoop.Options) { o.CAFile = write("good.pem", "for people\n"+good) }, ""},
		"CA file of nothing":   {func(o *whoop.Options) { o.CAFile = write("der.pem", "0\x82\x01") }, "Base-64"},
		"CA file that is bad":  {func(o *whoop.Options) { o.CAFile = write("bad.pem", strings.Replace(good, "MI", "AA", 1)) }, "certificate 1"},
		"no CA file":           {func(o *whoop.Options) { o.CAFile = filepath.Join(dir, "none.pem") }, "ca_file"},
	}
	for name, test := range tests {
		o := whoop.Options{ClientID: "id", ClientSecret: "very-secret-sentinel"}
		test.change(&o)
		c, err := whoop.New(o)
		switch {
		case (err == nil) != (test.want == ""):
			t.Errorf("%s: %v", name, err)
		case err != nil && (!strings.Contains(err.Error(), test.want) || strings.Contains(err.Error(), "hunter2") || strings.Contains(err.Error(), "sentinel")):
			t.Errorf("%s: %v", name, err)
		case err == nil:
			c.Close()
		}
	}
}

// The environment's proxy is looked at only where that is asked for. (net/http reads the
// environment once in a process and never proxies loopback, so this only shows that nothing breaks.)
func TestEnvironmentProxy(t *testing.T) {
	api := sandbox.New(sandbox.Options{})
	o, stop := link(t, "tls", api)
	defer stop()
	o.Proxy = "environment"
	permit(t, newClient(t, o))
}

func TestEveryCall(t *testing.T) {
	for _, network := range []string{"plain", "tls", "proxy"} {
		t.Run(network, func(t *testing.T) {
			api := sandbox.New(sandbox.Options{PerMinute: 100, PerDay: 1000})
			o, stop := link(t, network, api)
			defer stop()
			client := newClient(t, o)
			ctx := context.Background()
			orders := []sandbox.Order{{Code: "LIPID_PANEL"}, {Code: "CBC"}}
			id, err := api.AddRequisition(sandbox.Requisition{Patient: patient, ServiceRequests: orders})
			if err != nil {
				t.Fatal(err)
			}
			must := func(a whoop.Answer, code int) {
				t.Helper()
				if a.Outcome != whoop.Sent || a.Code != code || a.RequestID == "" || a.Text != "" {
					t.Errorf("%+v, want sent with %d", a, code)
				}
			}
			got, a := client.Requisition(ctx, permit(t, client), id)
			must(a, 200)
			if got.ID != id || len(got.ServiceRequests) != 2 || got.ServiceRequests[1].Code != "CBC" ||
				got.Patient.BirthDate != patient.BirthDate || got.CreatedAt.IsZero() || got.ServiceRequests[0].Status != whoop.RequestActive {
				t.Errorf("%+v", got)
			}
			must(client.SetRequisitionStatus(ctx, permit(t, client), id, whoop.StatusUpdate{BusinessStatus: whoop.OrderConfirmed}), 204)
			must(client.SetStatus(ctx, permit(t, client), orders[0].ID, whoop.StatusUpdate{BusinessStatus: whoop.AppointmentAttended, Reason: "<seen>"}), 200)
			must(client.SubmitReport(ctx, permit(t, client), orders[0].ID, report), 201)
			one, a := client.ServiceRequest(ctx, permit(t, client), orders[0].ID)
			must(a, 200)
			if one.BusinessStatus != whoop.AppointmentAttended || one.Intent != "order" {
				t.Errorf("%+v", one)
			}
			must(client.AddTestData(ctx, permit(t, client)), 204)
			if _, a := client.Requisition(ctx, permit(t, client), uuid.New()); a.Outcome != whoop.Rejected || a.Code != 404 || a.Text != "error not_found message requisition not found" {
				t.Errorf("%+v", a)
			}
			accepted, _ := api.AcceptedFor(orders[0].ID)
			if s := accepted.Statuses; len(s) != 2 || s[1].Reason != "<seen>" {
				t.Errorf("%+v", s)
			}
			if n := api.Counts(); n.Requisitions != 2 || n.Reports != 1 || n.Statuses != 3 || len(n.Violations) != 0 || n.Duplicates != 0 {
				t.Errorf("%+v", n)
			}
			if client.ForeignCalls() != 0 {
				t.Error("own calls taken for foreign ones")
			}
			api.CountForeign(50)
			client.ServiceRequest(ctx, permit(t, client), orders[0].ID)
			if n := client.ForeignCalls(); n < 40 || n > 50 {
				t.Errorf("%d foreign calls seen of 50", n)
			}
		})
	}
}

// What WHOOP gets is what the lab wrote, byte for byte; the report that cannot be written is not
// sent.
func TestDigitsArrive(t *testing.T) {
	var body []byte
	api := sandbox.New(sandbox.Options{})
	o, stop := link(t, "plain", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var b bytes.Buffer
		_, _ = b.ReadFrom(r.Body)
		body = b.Bytes()
		r.Body = http.NoBody
		r2 := r.Clone(r.Context())
		r2.Body = readCloser{bytes.NewReader(body)}
		api.ServeHTTP(w, r2)
	}))
	defer stop()
	client := newClient(t, o)
	for _, literal := range []string{"5.40", "1E3", "-0.0", "0.1000000000000000055511151231257827021181", "123456789012345678901234567890.0"} {
		_, request := order(t, api)
		r := whoop.Report{Status: whoop.ReportFinal, Observations: []whoop.Observation{
			{Code: "A", Numeric: json.Number(literal), Unit: "mg/dL", Status: whoop.ObservationFinal},
			{Code: "B", Text: "<0.5 & >0", Status: whoop.ObservationFinal},
		}}
		if a := client.SubmitReport(context.Background(), permit(t, client), request, r); a.Outcome != whoop.Sent {
			t.Fatalf("%s: %+v", literal, a)
		}
		got, _ := api.AcceptedFor(request)
		if o := got.Reports[0].Observations; o[0].Numeric != literal || o[0].Text != "" || o[1].Text != "<0.5 & >0" || o[1].Numeric != "" {
			t.Errorf("%s arrives as %+v", literal, o)
		}
		if !bytes.Contains(body, []byte(`"value_numeric":`+literal+`,`)) || !bytes.Contains(body, []byte(`"value_text":"<0.5 & >0"`)) {
			t.Errorf("on the wire: %s", body)
		}
	}
	before := calls(api)
	for _, literal := range []string{".5", "+5", "1,234", "NaN", "5.40 "} {
		r := whoop.Report{Status: whoop.ReportFinal, Observations: []whoop.Observation{{Code: "A", Numeric: json.Number(literal), Status: whoop.ObservationFinal}}}
		a := client.SubmitReport(context.Background(), permit(t, client), uuid.New(), r)
		if a.Outcome != whoop.Rejected || a.Code != 0 || a.Text != "observation 1 of the report has a value_numeric that is not a JSON number" {
			t.Errorf("%s: %+v", literal, a)
		}
	}
	if calls(api) != before {
		t.Error("a report that cannot be written was sent")
	}
}

type readCloser struct{ *bytes.Reader }

func (readCloser) Close() error { return nil }

// Under random faults and 16 callers the outcomes never lie: what is sent was accepted once,
// what is released or rejected was not accepted.
func TestOutcomesNeverLie(t *testing.T) {
	seed := rand.Uint64()
	faults := map[sandbox.Fault]float64{}
	for _, f := range sandbox.AllFaults {
		if !strings.HasPrefix(string(f), "hang") && !strings.HasPrefix(string(f), "429") && f != sandbox.Late {
			faults[f] = 0.02
		}
	}
	for _, network := range []string{"plain", "tls", "proxy"} {
		t.Run(fmt.Sprintf("%s, seed %d", network, seed), func(t *testing.T) {
			api := sandbox.New(sandbox.Options{Seed: seed, Faults: faults})
			o, stop := link(t, network, api)
			defer stop()
			client := newClient(t, o)
			outcomes := make([]whoop.Answer, 480)
			requests := make([]uuid.UUID, len(outcomes))
			var all sync.WaitGroup
			for w := range 16 {
				all.Go(func() {
					for i := w; i < len(outcomes); i += 16 {
						_, requests[i] = order(t, api)
						p, err := client.Permit(context.Background(), whoop.Finals)
						if err != nil {
							t.Error(err)
							return
						}
						outcomes[i] = client.SubmitReport(context.Background(), p, requests[i], report)
					}
				})
			}
			all.Wait()
			seen := map[whoop.Outcome]int{}
			for i, a := range outcomes {
				seen[a.Outcome]++
				private(t, a.Text, a.RequestID)
				got, _ := api.AcceptedFor(requests[i])
				switch n := len(got.Reports); {
				case a.Outcome == whoop.Sent && n != 1, a.Outcome == whoop.Released && n != 0, a.Outcome == whoop.Rejected && n != 0, n > 1:
					t.Errorf("%+v, but accepted %d times", a, n)
				}
			}
			if len(seen) != 4 {
				t.Errorf("only these outcomes: %v", seen)
			}
			if n := api.Counts(); n.Duplicates != 0 || n.IdenticalBodies != 0 || n.Calls[sandbox.Results] > len(outcomes) {
				t.Errorf("%+v", n)
			}
		})
	}
}

// Quota and priorities hold through the whole client against the server's own windows.
func TestQuotaThroughTheClient(t *testing.T) {
	api := sandbox.New(sandbox.Options{PerMinute: 20})
	o, stop := link(t, "plain", api)
	defer stop()
	o.PerMinute, o.Patience = 20, time.Nanosecond
	client := newClient(t, o)
	client.Spent(time.Now().Add(-25*time.Hour), 1000) // yesterday's do not matter
	client.Spent(time.Now().Add(-3*time.Minute), 1000)
	client.Spent(time.Now().Add(-30*time.Second), 5)
	_, request := order(t, api)
	n := 0
	for ; n < 50; n++ {
		p, err := client.Permit(context.Background(), whoop.Progress)
		if err != nil {
			break
		}
		if _, a := client.ServiceRequest(context.Background(), p, request); a.Outcome != whoop.Sent {
			t.Fatalf("%+v", a)
		}
	}
	if n != 14 { // five before, one token
		t.Errorf("%d calls", n)
	}
	if c := api.Counts(); c.RateLimited != 0 || c.MaxPerMinute != n {
		t.Errorf("%+v", c)
	}
}

// What was certainly not written costs nothing of the quota.
func TestUnwrittenCallsAreFree(t *testing.T) {
	api := sandbox.New(sandbox.Options{})
	o, stop := link(t, "plain", api)
	defer stop()
	down := false
	o.DialContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
		if down {
			return nil, syscall.ECONNREFUSED
		}
		return (&net.Dialer{}).DialContext(ctx, network, addr)
	}
	o.PerMinute, o.Patience = 2, time.Nanosecond // a token and one call
	client := newClient(t, o)
	_, request := order(t, api)
	client.Return(permit(t, client))
	client.Close()
	down = true
	for range 5 {
		if a := client.SubmitReport(context.Background(), permit(t, client), request, report); a.Outcome != whoop.Released {
			t.Fatalf("%+v", a)
		}
		if a := client.SubmitReport(context.Background(), permit(t, client), request, whoop.Report{}); a.Outcome != whoop.Rejected {
			t.Fatalf("%+v", a)
		}
	}
	down = false
	if a := client.SubmitReport(context.Background(), permit(t, client), request, report); a.Outcome != whoop.Sent {
		t.Fatalf("%+v", a)
	}
	if _, err := client.Permit(context.Background(), whoop.Corrections); err == nil {
		t.Error("more calls than the quota")
	}
}
