package sandbox

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"reflect"
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

// Whatever the order of things forbids is found: refused, or counted and accepted.
func TestViolations(t *testing.T) {
	const confirmed, seen, some, full = "status ORDER_CONFIRMED", "status APPOINTMENT_ATTENDED", "status PARTIAL_RESULTS_READY", "status FULL_RESULTS_READY"
	tests := []struct {
		steps []string // the last one is judged
		want  Violation
	}{
		{[]string{confirmed}, ""},
		{[]string{confirmed, seen}, ""},
		{[]string{confirmed, seen, "report partial A=1", some}, ""},
		{[]string{confirmed, seen, "report partial A=1", some, "report final B=1", full}, ""},
		{[]string{confirmed, seen, "report final A=1", full}, ""},
		{[]string{confirmed, seen, "report final A=1", full, "report corrected A=2"}, ""},
		{[]string{confirmed, seen, "report final A=1", full, "report corrected A=1!"}, ""},
		{[]string{confirmed, seen, "report final A=1", full, "report amended B=2"}, ""},
		{[]string{confirmed, seen, "report final A=1", "status RESULTS_ISSUE"}, ""},
		{[]string{"status ORDER_ISSUE"}, ""},
		{[]string{confirmed, "status APPOINTMENT_ISSUE"}, ""},
		{[]string{"foreign ORDER_CONFIRMED", seen}, ""},

		{[]string{confirmed, seen, confirmed}, Backwards},
		{[]string{confirmed, seen, "report partial A=1", some, seen}, Backwards},
		{[]string{confirmed, confirmed}, Repeated},
		{[]string{seen}, Skipped},
		{[]string{confirmed, full}, Skipped},
		{[]string{confirmed, seen, full}, NothingReady},
		{[]string{confirmed, seen, some}, NothingReady},
		{[]string{"status ORDER_ISSUE", confirmed}, AfterIssue},
		{[]string{"status ORDER_ISSUE", "status ORDER_ISSUE"}, AfterIssue},
		{[]string{confirmed, "status APPOINTMENT_ISSUE", "report final A=1"}, AfterIssue},
		{[]string{confirmed, seen, "report partial A=1", "status APPOINTMENT_ISSUE"}, IssueAfterAll},
		{[]string{confirmed, seen, "report final A=1", full, "status RESULTS_ISSUE"}, IssueAfterAll},
		{[]string{"revoke", confirmed}, ToRevoked},
		{[]string{confirmed, seen, "revoke", "report final A=1"}, ToRevoked},
		{[]string{"report final A=1"}, EarlyReport},
		{[]string{confirmed, "report final A=1"}, EarlyReport},
		{[]string{confirmed, seen, "report final A=1", "report final B=1"}, AfterFinal},
		{[]string{confirmed, seen, "report final A=1", full, "report partial B=1"}, AfterFinal},
		{[]string{confirmed, seen, "report corrected A=1"}, NothingToAmend},
		{[]string{confirmed, seen, "report partial A=1", "report corrected B=1"}, NothingToAmend},
		{[]string{confirmed, seen, "report partial A=1", "report amended B=1!"}, NothingToAmend},
		{[]string{confirmed, seen, "report partial A=1", "report final A=2"}, SilentChange},
		{[]string{confirmed, seen, "report final A=1 A=1"}, TwiceInOne},
	}
	for _, test := range tests {
		for _, lenient := range []bool{false, true} {
			p := newPartner(t, Options{Lenient: lenient})
			id := p.order("X")[1]
			last := len(test.steps) - 1
			p.do(id, test.steps[:last]...)
			before := p.api.Counts()
			if len(before.Violations) != 0 {
				t.Errorf("%v: the steps before are judged: %v", test.steps, before.Violations)
			}
			accepted, _ := p.api.AcceptedFor(id)
			code := p.do(id, test.steps[last])
			after, _ := p.api.AcceptedFor(id)
			want := map[Violation]int{}
			if test.want != "" {
				want[test.want] = 1
			}
			if got := p.api.Counts().Violations; !reflect.DeepEqual(got, want) {
				t.Errorf("%v: violations %v, want %v", test.steps, got, want)
			}
			refused := test.want != "" && !lenient
			if (code == 422) != refused || refused != reflect.DeepEqual(accepted, after) {
				t.Errorf("%v, lenient %v: answered %d", test.steps, lenient, code)
			}
		}
	}
}

// The same thing accepted twice is found, and what only looks like it is not.
func TestDuplicates(t *testing.T) {
	tests := map[string]struct {
		reports               []string
		duplicates, identical int
	}{
		"once":                     {[]string{"partial A=5.40", "final B=5.40"}, 0, 0},
		"the same report":          {[]string{"partial A=5.40", "partial A=5.40"}, 1, 1},
		"in a larger report":       {[]string{"partial A=5.40", "final A=5.40 B=1"}, 1, 0},
		"as a correction":          {[]string{"partial A=5.40", "corrected A=5.40"}, 1, 0},
		"other digits":             {[]string{"partial A=5.40", "corrected A=5.4"}, 0, 0},
		"corrected":                {[]string{"partial A=1", "corrected A=2"}, 0, 0},
		"to and fro":               {[]string{"partial A=1", "corrected A=2", "corrected A=1"}, 0, 0},
		"to and fro and to":        {[]string{"final A=1", "corrected A=2", "corrected A=1", "corrected A=2"}, 0, 1},
		"withdrawn":                {[]string{"final A=1", "corrected A=1!"}, 0, 0},
		"withdrawn twice":          {[]string{"final A=1", "corrected A=1!", "corrected A=1!"}, 1, 1},
		"withdrawn and back again": {[]string{"final A=1", "corrected A=1!", "corrected A=1"}, 0, 0},
		"three times":              {[]string{"partial A=1 B=1", "partial A=1 B=1", "partial A=1 B=1"}, 4, 2},
	}
	for name, test := range tests {
		for _, drop := range []bool{false, true} {
			p := newPartner(t, Options{Lenient: true, DropReports: drop})
			ids := p.order("X", "Y")
			p.do(ids[1], "foreign APPOINTMENT_ATTENDED")
			p.do(ids[2], "foreign APPOINTMENT_ATTENDED", "report partial A=5.40") // another request is another matter
			for _, r := range test.reports {
				if code := p.do(ids[1], "report "+r); code != 201 {
					t.Fatalf("%s: %d", name, code)
				}
			}
			got := p.api.Counts()
			if got.Duplicates != test.duplicates || got.IdenticalBodies != test.identical {
				t.Errorf("%s: %d duplicates and %d identical bodies, want %d and %d", name,
					got.Duplicates, got.IdenticalBodies, test.duplicates, test.identical)
			}
			if a, _ := p.api.AcceptedFor(ids[1]); drop != (len(a.Reports) == 0) {
				t.Errorf("%s: %d reports kept", name, len(a.Reports))
			}
		}
	}
}

// Bodies that are not exactly the contract's are refused.
func TestStrictBodies(t *testing.T) {
	report := func(observation string) string { return `{"status":"final","observations":[` + observation + `]}` }
	reports := map[string]int{
		report(`{"code":"A","value_numeric":1,"unit":"mg/dL","status":"final"}`):              201,
		report(`{"code":"A","value_text":"A+","status":"final"}`):                             201,
		report(`{"code":"A","value_numeric":1,"value_text":"1","status":"entered-in-error"}`): 422, // of nothing sent
		report(`{"code":"A","value_numeric":-1.5e3,"value_text":"x","status":"preliminary"}`): 201,
		report(`{"code":"A","value_numeric":"1","status":"final"}`):                           422,
		report(`{"code":"A","value_numeric":null,"status":"final"}`):                          422,
		report(`{"code":"A","value_numeric":true,"status":"final"}`):                          422,
		report(`{"code":"A","value_numeric":.5,"status":"final"}`):                            422,
		report(`{"code":"A","value_text":"","status":"final"}`):                               422,
		report(`{"code":"A","value_text":1,"status":"final"}`):                                422,
		report(`{"code":"A","status":"final"}`):                                               422,
		report(`{"code":"","value_numeric":1,"status":"final"}`):                              422,
		report(`{"value_numeric":1,"status":"final"}`):                                        422,
		report(`{"code":"A","value_numeric":1,"status":"done"}`):                              422,
		report(`{"code":"A","value_numeric":1}`):                                              422,
		report(`{"code":"A","value_numeric":1,"status":"final","comparator":"<"}`):            422,
		report(``): 422,
		`{"status":"ok","observations":[{"code":"A","value_numeric":1,"status":"final"}]}`: 422,
		`{"observations":[{"code":"A","value_numeric":1,"status":"final"}]}`:               422,
		`{"status":"final"}`: 422,
		`{}`:                 422,
		`[]`:                 422,
		``:                   400, // and no content type
		report(`{"code":"A","value_numeric":1,"status":"final"}`) + `{}`:                             422,
		`{"status":"final","id":1,"observations":[{"code":"A","value_numeric":1,"status":"final"}]}`: 422,
	}
	for body, want := range reports {
		p := newPartner(t, Options{})
		id := p.order("X")[1]
		p.do(id, "foreign APPOINTMENT_ATTENDED")
		if code, answer, _ := p.call("POST", "service-request/"+id.String()+"/results", body); code != want {
			t.Errorf("%s: %d %s, want %d", body, code, answer, want)
		} else if code == 201 && answer != "" {
			t.Errorf("the success has a body: %s", answer)
		}
	}
	statuses := map[string]int{
		`{"task_business_status":"ORDER_CONFIRMED"}`:                        200,
		`{"task_business_status":"ORDER_CONFIRMED","reason":"because"}`:     200,
		`{"task_business_status":"order_confirmed"}`:                        422,
		`{"task_business_status":""}`:                                       422,
		`{"task_business_status":null}`:                                     422,
		`{"status":"ORDER_CONFIRMED"}`:                                      422,
		`{"task_business_status":"ORDER_CONFIRMED","reason":1}`:             422,
		`{"task_business_status":"ORDER_CONFIRMED","task_description":"x"}`: 422,
	}
	for body, want := range statuses {
		p := newPartner(t, Options{})
		ids := p.order("X")
		code, answer, _ := p.call("PATCH", "service-request/"+ids[1].String()+"/status", body)
		if code != want || code == 200 && !strings.Contains(answer, `"task_business_status":"ORDER_CONFIRMED"`) {
			t.Errorf("%s: %d %s, want %d", body, code, answer, want)
		}
		p = newPartner(t, Options{})
		ids = p.order("X", "Y")
		code, answer, _ = p.call("PATCH", "requisition/"+ids[0].String()+"/status", body)
		if want == 200 {
			want = 204
		}
		if code != want || code == 204 && answer != "" {
			t.Errorf("whole, %s: %d %s, want %d", body, code, answer, want)
		}
		for _, a := range p.api.Accepted() {
			if (a.BusinessStatus == "ORDER_CONFIRMED") != (want == 204) {
				t.Errorf("whole, %s: %+v", body, a)
			}
		}
	}
}

// A whole requisition's status is set on all or on none.
func TestWholeStatusIsAllOrNothing(t *testing.T) {
	p := newPartner(t, Options{})
	ids := p.order("X", "Y")
	p.do(ids[2], "revoke")
	code, _, _ := p.call("PATCH", "requisition/"+ids[0].String()+"/status", `{"task_business_status":"ORDER_CONFIRMED"}`)
	if a, _ := p.api.AcceptedFor(ids[1]); code != 422 || a.BusinessStatus != "" || p.api.Counts().Violations[ToRevoked] != 1 {
		t.Errorf("%d %+v", code, a)
	}
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

// What was received is kept to the byte.
func TestLiteralsAreKept(t *testing.T) {
	p := newPartner(t, Options{})
	id := p.order("X")[1]
	p.do(id, "foreign APPOINTMENT_ATTENDED", "report final A=5.40 B=1E3 C=-0.0 D=0.10000000000000000555111512312578270211815834045410156250")
	var got []string
	a, _ := p.api.AcceptedFor(id)
	for _, o := range a.Reports[0].Observations {
		got = append(got, o.Numeric)
	}
	if want := []string{"5.40", "1E3", "-0.0", "0.10000000000000000555111512312578270211815834045410156250"}; !slices.Equal(got, want) {
		t.Error(got)
	}
}

// The draw of faults depends on seed and call, not on the order of arrival; scripts go first.
func TestFaultsAreRepeatable(t *testing.T) {
	odds := map[Fault]float64{ErrorBefore: 0.2, BadRequest: 0.1, CutAfter: 0}
	draw := func(seed uint64, paths []string) map[string][]Fault {
		f := newFaults(seed, odds)
		got := map[string][]Fault{}
		for _, p := range paths {
			got[p] = append(got[p], f.draw(Results, "POST", p))
		}
		return got
	}
	var paths []string
	for i := range 2000 {
		paths = append(paths, fmt.Sprint("/", i%700))
	}
	one := draw(7, paths)
	slices.Sort(paths)
	if !reflect.DeepEqual(one, draw(7, paths)) {
		t.Error("another order, other faults")
	}
	if reflect.DeepEqual(one, draw(8, paths)) {
		t.Error("another seed, the same faults")
	}
	count := map[Fault]int{}
	for _, fs := range one {
		for _, f := range fs {
			count[f]++
		}
	}
	if count[ErrorBefore] < 320 || count[ErrorBefore] > 480 || count[BadRequest] < 140 || count[BadRequest] > 260 || count[CutAfter] != 0 {
		t.Error(count)
	}
	p := newPartner(t, Options{Faults: map[Fault]float64{ErrorBefore: 1}})
	if err := p.api.Fail(Results, "nonsense"); err == nil {
		t.Error("nonsense is a fault")
	}
	if err := p.api.Fail(Results, Conflict); err != nil {
		t.Error(err)
	}
	if err := p.api.Fail("", Missing, ""); err != nil {
		t.Error(err)
	}
	s := p.order("X")[1].String()
	p.login() // the token's calls are left alone
	for _, step := range []struct {
		call string
		want int
	}{{"GET service-request/" + s, 404}, {"POST service-request/" + s + "/results", 409}, {"GET service-request/" + s, 200}, {"GET service-request/" + s, 500}} {
		method, path, _ := strings.Cut(step.call, " ")
		if code, _, _ := p.call(method, path, ""); code != step.want {
			t.Errorf("%s: %d, want %d", step.call, code, step.want)
		}
	}
	if f := p.api.Counts().Faults; f[ErrorBefore] != 1 || f[Conflict] != 1 || f[Missing] != 1 {
		t.Error(f)
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

func TestCompleteOnFull(t *testing.T) {
	p := newPartner(t, Options{CompleteOnFull: true})
	id := p.order("X")[1]
	p.do(id, "foreign APPOINTMENT_ATTENDED", "report final A=1", "status FULL_RESULTS_READY")
	if a, _ := p.api.AcceptedFor(id); a.Status != "completed" {
		t.Errorf("%+v", a)
	}
	if code := p.do(id, "report corrected A=2"); code != 201 {
		t.Error("a completed request takes no correction:", code)
	}
}
