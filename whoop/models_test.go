package whoop

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/uuid"
)

// The lab's digits leave as they are, and nothing else leaves as a number.
func TestDigits(t *testing.T) {
	for _, literal := range []string{
		"5.40", "0", "-0", "-0.0", "0.50", "100", "1E3", "1e+03", "1.50E-07", "187.4000000000000000000000",
		"3.1415926535897932384626433832795028841971", "123456789012345678901234567890.1234567890", "9007199254740993",
	} {
		body := string(encode(Report{Status: ReportFinal, Observations: []Observation{
			{Code: "X", Numeric: json.Number(literal), Status: ObservationFinal}}}))
		if want := `{"status":"final","observations":[{"code":"X","value_numeric":` + literal + `,"status":"final"}]}`; body != want {
			t.Errorf("%s leaves as %s", literal, body)
		}
		if !isNumber(literal) {
			t.Errorf("%s is no number", literal)
		}
	}
	for _, literal := range []string{
		"", ".5", "5.", "+5", "007", "1,5", "1 000", "NaN", "Infinity", "-", "1e", "0x1F", "1_000", "null", "true", `"5"`, "<0.5",
		" 5", "5 ", "5\n", "\t5", "5,6", "5}", "[5]", "{}", "٥", "5\x00", "--5", "-.5", "1.5.2",
	} {
		if isNumber(literal) {
			t.Errorf("%q passes as a number", literal)
		}
	}
}

func TestTextLeavesPlain(t *testing.T) {
	for text, want := range map[string]string{
		"<0.5": `"<0.5"`, "> 200": `"> 200"`, "≥100": `"≥100"`, "A&B": `"A&B"`, `say "x"\`: `"say \"x\"\\"`, "1:40": `"1:40"`,
		"\u00b5 \u03bc": "\"\u00b5 \u03bc\"",
	} {
		body := string(encode(Observation{Code: "X", Text: text, Unit: "10*3/uL", Status: ObservationFinal}))
		if want := `{"code":"X","value_text":` + want + `,"unit":"10*3/uL","status":"final"}`; body != want {
			t.Errorf("%s leaves as %s", text, body)
		}
	}
}

func TestCheck(t *testing.T) {
	good := Observation{Code: "X", Numeric: "123.456", Unit: "mg/dL", Status: ObservationFinal}
	tests := map[string]struct {
		report Report
		want   string // "" is nothing wrong
	}{
		"sound":          {Report{ReportFinal, []Observation{good}}, ""},
		"text":           {Report{ReportFinal, []Observation{{Code: "X", Text: "A+", Status: ObservationFinal}}}, ""},
		"nothing":        {Report{ReportFinal, nil}, "no observation"},
		"no value":       {Report{ReportFinal, []Observation{good, {Code: "X"}}}, "observation 2 of the report has no value"},
		"no code":        {Report{ReportFinal, []Observation{{Text: "A+"}}}, "has no code"},
		"bad number":     {Report{ReportFinal, []Observation{{Code: "X", Numeric: "123.456.789"}}}, "not a JSON number"},
		"list of number": {Report{ReportFinal, []Observation{{Code: "X", Numeric: "1,\"status\":2"}}}, "not a JSON number"},
		"bad text":       {Report{ReportFinal, []Observation{{Code: "X", Text: "sentinel\xff"}}}, "not UTF-8"},
	}
	for name, test := range tests {
		err := test.report.Check()
		switch {
		case (err == nil) != (test.want == ""):
			t.Errorf("%s: %v", name, err)
		case err != nil && !strings.Contains(err.Error(), test.want):
			t.Errorf("%s: %v, want %s", name, err, test.want)
		case err != nil && (strings.Contains(err.Error(), "123") || strings.Contains(err.Error(), "sentinel")):
			t.Errorf("%s: a value is in %v", name, err)
		}
	}
}

func TestRequisitionIsTolerant(t *testing.T) {
	const request = `{"id":"7d9f2a54-51f7-4a9d-9a30-000000000001","status":"active","intent":"order","code":"CBC","task_business_status":null}`
	tests := map[string]struct {
		body  string
		birth string
		ok    bool
	}{
		"full": {`"created_at":"2026-12-01T06:00:00Z","updated_at":"2026-12-01T06:00:00.123456+02:00","patient":{"id":"p","birth_date":"1971-02-28","gender":"F"},
			"appointments":[{"service_request_ids":[],"slot_id":null}],"service_requests":[` + request + `]`, "1971-02-28", true},
		"no patient":             {`"service_requests":[` + request + `]`, "", true},
		"null patient":           {`"patient":null,"service_requests":[` + request + `]`, "", true},
		"patient as text":        {`"patient":"p-1","service_requests":[` + request + `]`, "", true},
		"null birth date":        {`"patient":{"birth_date":null},"service_requests":[` + request + `]`, "", true},
		"birth date with time":   {`"patient":{"birth_date":"1971-02-28T00:00:00.000Z"},"service_requests":[` + request + `]`, "1971-02-28", true},
		"birth date with space":  {`"patient":{"birth_date":"1971-02-28 00:00:00"},"service_requests":[` + request + `]`, "1971-02-28", true},
		"birth date of no kind":  {`"patient":{"birth_date":"28/02/1971"},"service_requests":[` + request + `]`, "28/02/1971", true},
		"birth date, a number":   {`"patient":{"birth_date":19710228},"service_requests":[` + request + `]`, "unreadable", true},
		"strange times":          {`"created_at":1764000000,"updated_at":"yesterday","service_requests":[` + request + `]`, "", true},
		"strange intent":         {`"service_requests":[` + strings.Replace(request, `"order"`, `["order"]`, 1) + `]`, "", true},
		"no requests":            {`"service_requests":[]`, "", true},
		"request without id":     {`"service_requests":[{"status":"active","code":"CBC"}]`, "", false},
		"null request":           {`"service_requests":[null]`, "", false},
		"status of another kind": {`"service_requests":[` + strings.Replace(request, `"active"`, `1`, 1) + `]`, "", false},
		"requests of no kind":    {`"service_requests":"none"`, "", false},
	}
	for name, test := range tests {
		var got LabRequisition
		err := json.Unmarshal([]byte(`{"id":"7D9F2A54-51F7-4A9D-9A30-0000000000FF",`+test.body+`,"more":{"x":[1]}}`), &got)
		if (err == nil) != test.ok {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if err != nil {
			continue
		}
		if got.ID != uuid.MustParse("7d9f2a54-51f7-4a9d-9a30-0000000000ff") || got.Patient.BirthDate != test.birth {
			t.Errorf("%s: %s, birth date %q", name, got.ID, got.Patient.BirthDate)
		}
		for _, s := range got.ServiceRequests {
			if s.Code != "CBC" || s.Status != RequestActive || s.BusinessStatus != "" {
				t.Errorf("%s: %+v", name, s)
			}
		}
	}
}

func TestBusinessStatusOrder(t *testing.T) {
	path := []BusinessStatus{"", OrderConfirmed, AppointmentAttended, PartialResultsReady, FullResultsReady}
	for i, s := range path {
		if s.Rank() != i || s.Issue() {
			t.Errorf("%q has rank %d", s, s.Rank())
		}
	}
	for _, s := range []BusinessStatus{AppointmentIssue, ResultsIssue, OrderIssue} {
		if s.Rank() != -1 || !s.Issue() {
			t.Errorf("%q is no issue", s)
		}
	}
	if s := BusinessStatus("NEW"); s.Rank() != -1 || s.Issue() {
		t.Error("a status that is not published has a place")
	}
}
