package sandbox

import (
	"reflect"
	"slices"
	"strings"
	"testing"
)

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
	cancelled := p.order("Y")[1]
	p.do(cancelled, "foreign APPOINTMENT_ATTENDED", "report final A=1")
	if err := p.api.Revoke(cancelled); err != nil {
		t.Fatal(err)
	}
	p.do(cancelled, "status FULL_RESULTS_READY")
	if a, _ := p.api.AcceptedFor(cancelled); a.Status != "revoked" {
		t.Errorf("cancelled, and then: %+v", a)
	}
}
