package sandbox

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
)

// partner calls a sandbox by hand, without the client.
type partner struct {
	*testing.T
	api   *Server
	token string
}

func newPartner(t *testing.T, o Options) *partner {
	t.Helper()
	p := &partner{T: t, api: New(o)}
	p.login()
	return p
}

const credentials = `{"grant_type":"client_credentials","client_id":"sandbox-client","client_secret":"sandbox-secret-for-rehearsals","scope":"whoop-partner/token"}`

func (p *partner) login() {
	p.Helper()
	code, body, _ := p.call("POST", "token", credentials)
	var got struct {
		AccessToken string `json:"access_token"`
		TokenType   string `json:"token_type"`
		ExpiresIn   int    `json:"expires_in"`
	}
	if err := json.Unmarshal([]byte(body), &got); err != nil || code != 200 || got.TokenType != "bearer" || got.ExpiresIn <= 0 {
		p.Fatalf("no token: %d %s", code, body)
	}
	p.token = got.AccessToken
}

// call makes one call and returns code, body and head.
func (p *partner) call(method, path, body string, head ...string) (int, string, http.Header) {
	p.Helper()
	r := httptest.NewRequest(method, "/developer/v2/partner/"+path, strings.NewReader(body))
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	if p.token != "" {
		r.Header.Set("Authorization", "Bearer "+p.token)
	}
	for _, h := range head {
		name, value, _ := strings.Cut(h, ": ")
		r.Header.Set(name, value)
	}
	w := httptest.NewRecorder()
	p.api.ServeHTTP(w, r)
	return w.Code, w.Body.String(), w.Header()
}

// order adds one order of these codes and returns the ids, the requisition's first.
func (p *partner) order(codes ...string) []uuid.UUID {
	p.Helper()
	var orders []Order
	for _, c := range codes {
		orders = append(orders, Order{Code: c})
	}
	id, err := p.api.AddRequisition(Requisition{
		Patient: Patient{ID: "p", FirstName: "Jane", BirthDate: "1971-02-28"}, ServiceRequests: orders,
	})
	if err != nil {
		p.Fatal(err)
	}
	ids := []uuid.UUID{id}
	for _, o := range orders {
		ids = append(ids, o.ID)
	}
	return ids
}

// do carries out steps on one service request, such as "status ORDER_CONFIRMED",
// "report final A=5.40" or "revoke", and returns the last code.
func (p *partner) do(id uuid.UUID, steps ...string) (code int) {
	p.Helper()
	for _, step := range steps {
		what, rest, _ := strings.Cut(step, " ")
		switch what {
		case "status":
			code, _, _ = p.call("PATCH", "service-request/"+id.String()+"/status", `{"task_business_status":"`+rest+`"}`)
		case "foreign":
			if err := p.api.SetForeignStatus(id, rest); err != nil {
				p.Fatal(err)
			}
		case "revoke":
			if err := p.api.Revoke(id); err != nil {
				p.Fatal(err)
			}
		case "report":
			words := strings.Fields(rest)
			var observations []string
			for _, o := range words[1:] {
				name, value, _ := strings.Cut(o, "=")
				status := "final"
				if v, withdrawn := strings.CutSuffix(value, "!"); withdrawn {
					value, status = v, "entered-in-error"
				}
				observations = append(observations, fmt.Sprintf(`{"code":%q,"value_numeric":%s,"unit":"mg/dL","status":%q}`, name, value, status))
			}
			code, _, _ = p.call("POST", "service-request/"+id.String()+"/results",
				fmt.Sprintf(`{"status":%q,"observations":[%s]}`, words[0], strings.Join(observations, ",")))
		default:
			p.Fatal("no such step: " + step)
		}
	}
	return code
}

func TestRoutes(t *testing.T) {
	p := newPartner(t, Options{})
	ids := p.order("X")
	q, s, none := ids[0].String(), ids[1].String(), uuid.NewString()
	tests := []struct {
		call string
		want int
	}{
		{"GET requisition/" + q, 200},
		{"GET requisition/" + strings.ToUpper(q), 200},
		{"GET service-request/" + s, 200},
		{"GET requisition/" + s, 404},
		{"GET service-request/" + q, 404},
		{"GET requisition/" + none, 404},
		{"GET service-request/" + none, 404},
		{"GET requisition/4711", 404},
		{"GET requisition/" + strings.ReplaceAll(q, "-", ""), 404},
		{"GET requisition", 404},
		{"GET requisition/" + q + "/", 200},
		{"GET requisition/" + q + "/status", 404},
		{"GET service-request/" + s + "/results", 404},
		{"PUT service-request/" + s + "/status", 404},
		{"DELETE requisition/" + q, 404},
		{"POST development/add-test-data", 400}, // no content type
	}
	for _, test := range tests {
		method, path, _ := strings.Cut(test.call, " ")
		if code, body, _ := p.call(method, path, ""); code != test.want {
			t.Errorf("%s: %d %s, want %d", test.call, code, body, test.want)
		}
	}
	if code, _, _ := p.call("POST", "development/add-test-data", "{}"); code != 204 || p.api.Counts().Requisitions != 2 {
		t.Error("no test data")
	}
	_, body, _ := p.call("GET", "requisition/"+q, "")
	for _, want := range []string{`"id":"` + q + `"`, `"birth_date":"1971-02-28"`, `"task_business_status":null`, `"status":"active"`, `"intent":"order"`, `"code":"X"`, `"start_time":`} {
		if !strings.Contains(body, want) {
			t.Errorf("no %s in %s", want, body)
		}
	}
}

func TestTokens(t *testing.T) {
	now := time.Date(2026, 12, 1, 6, 0, 0, 0, time.UTC)
	p := newPartner(t, Options{TokenLife: time.Minute, Now: func() time.Time { return now }})
	s := "service-request/" + p.order("X")[1].String()
	good := p.token
	for name, test := range map[string]struct {
		token string
		later time.Duration
		want  int
	}{
		"good":        {good, 0, 200},
		"almost over": {good, 59 * time.Second, 200},
		"expired":     {good, time.Minute, 401},
		"made up":     {"sbx.made-up", 0, 401},
		"none":        {"", 0, 401},
	} {
		p.token = test.token
		was := now
		now = now.Add(test.later)
		if code, _, _ := p.call("GET", s, ""); code != test.want {
			t.Errorf("%s: %d", name, code)
		}
		now = was
	}
	p.token = good
	p.api.ExpireTokens()
	if code, _, _ := p.call("GET", s, ""); code != 401 {
		t.Error(code)
	}
	p.token = ""
	for body, want := range map[string]int{
		credentials: 200,
		strings.Replace(credentials, "sandbox-secret", "wrong", 1):         401,
		strings.Replace(credentials, `"sandbox-client"`, `"other"`, 1):     401,
		strings.Replace(credentials, "client_credentials", "password", 1):  400,
		strings.Replace(credentials, "whoop-partner/token", "offline", 1):  400,
		strings.Replace(credentials, `"scope"`, `"scopes"`, 1):             400,
		"grant_type=client_credentials&client_id=sandbox-client":           400,
		`{"grant_type":"client_credentials","client_id":"sandbox-client"}`: 400,
	} {
		if code, _, _ := p.call("POST", "token", body); code != want {
			t.Errorf("%s: %d, want %d", body, code, want)
		}
	}
	if code, _, _ := p.call("POST", "token", credentials, "Content-Type: application/x-www-form-urlencoded"); code != 400 {
		t.Error("a form is accepted:", code)
	}
}

func TestRateLimits(t *testing.T) {
	now := time.Date(2026, 12, 1, 6, 0, 20, 0, time.UTC)
	p := newPartner(t, Options{PerMinute: 3, PerDay: 5, TokenLife: 48 * time.Hour, Now: func() time.Time { return now }})
	s := "service-request/" + p.order("X")[1].String()
	want := func(code int, limit, remaining, reset string) {
		t.Helper()
		got, _, h := p.call("GET", s, "")
		if got != code || h.Get("X-RateLimit-Limit") != limit || h.Get("X-RateLimit-Remaining") != remaining || h.Get("X-RateLimit-Reset") != reset {
			t.Errorf("%d %v", got, h)
		}
	}
	want(200, "3;window=60", "2", "40")
	want(200, "3;window=60", "1", "40")
	p.api.CountForeign(1)
	want(429, "3;window=60", "0", "40")
	now = now.Add(40 * time.Second)
	want(200, "3;window=60", "2", "60")
	want(200, "5;window=86400", "0", "64740")
	want(429, "5;window=86400", "0", "64740")
	now = now.Add(24 * time.Hour)
	want(200, "3;window=60", "2", "60")
	if c := p.api.Counts(); c.RateLimited != 2 || c.MaxPerMinute != 4 {
		t.Errorf("%+v", c)
	}
}

func TestPace(t *testing.T) {
	var p pace
	at := time.Unix(1_700_000_000, 0)
	for i := range 600 { // one a second, and 30 at once in the middle
		p.count(at.Add(time.Duration(i) * time.Second))
		if i == 300 {
			for range 30 {
				p.count(at.Add(time.Duration(i) * time.Second))
			}
		}
	}
	p.count(at.Add(time.Hour))
	if p.most != 90 || p.sum != 1 {
		t.Errorf("most %d, now %d", p.most, p.sum)
	}
}

// The same seed makes the same ids.
func TestSeed(t *testing.T) {
	ids := func(seed uint64) []uuid.UUID {
		p := &partner{T: t, api: New(Options{Seed: seed})}
		return append(p.order("A", "B"), p.order("C")...)
	}
	if !slices.Equal(ids(1), ids(1)) || slices.Equal(ids(1), ids(2)) {
		t.Error("ids do not follow the seed")
	}
	all := ids(3)
	slices.SortFunc(all, func(a, b uuid.UUID) int { return bytes.Compare(a[:], b[:]) })
	if len(slices.Compact(all)) != 5 || all[0].Version() != 4 {
		t.Error(all)
	}
}

// Another process drives the sandbox over HTTP.
func TestControl(t *testing.T) {
	api := New(Options{})
	url, err := api.Start("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer api.Close()
	root := strings.TrimSuffix(url, Prefix) + "/_sandbox/"
	post := func(path, body string, want int) string {
		t.Helper()
		r, err := http.Post(root+path, "application/json", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		defer r.Body.Close()
		text, _ := io.ReadAll(r.Body)
		if r.StatusCode != want {
			t.Errorf("%s %s: %d %s", path, body, r.StatusCode, text)
		}
		return string(text)
	}
	get := func(path string, v any) {
		t.Helper()
		r, err := http.Get(root + path)
		if err != nil {
			t.Fatal(err)
		}
		defer r.Body.Close()
		if err := json.NewDecoder(r.Body).Decode(v); err != nil {
			t.Error(err)
		}
	}
	q, s := uuid.NewString(), uuid.NewString()
	post("requisitions", `{"id":"`+q+`","service_requests":[{"id":"`+s+`","code":"CBC"}]}`, 200)
	post("requisitions", `{"id":"`+q+`","service_requests":[{"code":"CBC"}]}`, 400)
	post("requisitions", `{"service_requests":[]}`, 400)
	post("requisitions", `{"orders":[]}`, 400)
	var ids []uuid.UUID
	if err := json.Unmarshal([]byte(post("requisitions", `[{"service_requests":[{"code":"A"},{"code":"B"}]},{"service_requests":[{"code":"A"}]}]`, 200)), &ids); err != nil || len(ids) != 2 {
		t.Error(err, ids)
	}
	post("status", `{"id":"`+s+`","status":"ORDER_CONFIRMED"}`, 200)
	post("status", `{"id":"`+s+`","status":"DONE"}`, 400)
	post("revoke", `{"id":"`+q+`"}`, 200)
	post("revoke", `{"id":"`+uuid.NewString()+`"}`, 400)
	post("faults", `{"endpoint":"results","faults":["hang-after"]}`, 200)
	post("faults", `{"faults":["nonsense"]}`, 400)
	post("expire-tokens", ``, 200)
	post("nothing", ``, 404)
	var counts Counts
	get("counts", &counts)
	if counts.Requisitions != 3 || counts.ServiceRequests != 4 {
		t.Errorf("%+v", counts)
	}
	var state []Accepted
	get("state", &state)
	if len(state) != 4 || state[0].ID.String() != s || state[0].Status != "revoked" || state[0].BusinessStatus != "ORDER_CONFIRMED" || !state[0].Statuses[0].Foreign {
		t.Errorf("%+v", state)
	}
}

func TestLoopbackOnly(t *testing.T) {
	for _, addr := range []string{"0.0.0.0:0", ":0", "example.org:80", "127.0.0.1"} {
		api := New(Options{})
		if _, err := api.Start(addr); err == nil {
			t.Error(addr, "is listened on")
		}
		_ = api.Close()
	}
}
