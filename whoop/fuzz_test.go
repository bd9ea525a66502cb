package whoop_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"

	"limsbridge/whoop"
)

// Whatever code and body answer a call, it is sent only by the contract's exact answer (201; 200
// whose body shows the asked id and status), released only by 401 and 429, rejected only by another
// 4xx but 403, 408 and 409, and in doubt otherwise; and no word of the body that is not the API's own
// is told.
func FuzzAnswer(f *testing.F) {
	id := uuid.MustParse("22222222-2222-4222-8222-222222222222")
	shown := `{"id":"` + id.String() + `","status":"active","code":"CBC","task_business_status":"RESULTS_ISSUE"}`
	for _, code := range []uint16{100, 101, 200, 201, 202, 204, 304, 307, 400, 401, 403, 404, 408, 409, 422, 429, 499, 500, 502, 503, 600, 999} {
		f.Add(code, []byte(shown), uint16(len(shown)))
	}
	for _, body := range []string{
		"", "null", "{}", "[]", shown + "{}", shown[:len(shown)-1], strings.Replace(shown, "2222", "3333", 1),
		strings.Replace(shown, "RESULTS_ISSUE", "ORDER_CONFIRMED", 1), strings.Replace(shown, `"id"`, `"ID"`, 1),
		"<html>login</html>", "finalJane Janefinal \u00f1final", "\xff\xfe\x00\u202e", `{"error":"not_found","message":"service request not found"}`,
	} {
		f.Add(uint16(200), []byte(body), uint16(len(body)/2))
		f.Add(uint16(422), []byte(body), uint16(0))
	}
	var code uint16
	var body string
	o, stop := link(f, "memory", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		if strings.HasSuffix(r.URL.Path, "/token") {
			fmt.Fprint(w, `{"access_token":"t","token_type":"bearer","expires_in":3600}`)
			return
		}
		// Not by w, which knows what belongs to each code.
		c, _, err := w.(http.Hijacker).Hijack()
		if err != nil {
			panic(err)
		}
		_, _ = fmt.Fprintf(c, "HTTP/1.1 %d Any\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", code, len(body), body)
		_ = c.Close()
	}))
	f.Cleanup(stop)
	f.Fuzz(func(t *testing.T, c uint16, b []byte, at uint16) {
		code = 100 + (c+800)%900 // as given, where it has three digits
		i := min(int(at), len(b))
		for _, body = range []string{string(b), string(b[:i]) + " Sentinel4711 " + string(b[i:])} {
			if code < 200 {
				body = "" // what follows an interim answer is another answer
			}
			for _, name := range []string{"report", "status"} {
				want := whoop.InDoubt
				switch {
				case name == "report" && code == 201, name == "status" && code == 200 && shows(body, id):
					want = whoop.Sent
				case code == 401, code == 429:
					want = whoop.Released
				case code/100 == 4 && !slices.Contains([]uint16{403, 408, 409}, code):
					want = whoop.Rejected
				}
				client := newClient(t, o) // a 429 pauses the old one
				a := changing[name](context.Background(), client, permit(t, client), id, id)
				if a.Outcome != want || a.Code != int(code) && (code >= 200 || a.Code != 0) {
					t.Errorf("%s: %d %q gives %+v, want %s", name, code, body, a, want)
				}
				private(t, a.Text, a.RequestID)
				client.Close()
			}
		}
	})
}

// shows reports whether a body is the service request with the status that was asked for.
func shows(body string, id uuid.UUID) bool {
	var got struct {
		ID           uuid.UUID
		Status, Code string
		Business     string `json:"task_business_status"`
	}
	return len(body) <= 1<<20 && json.Unmarshal([]byte(body), &got) == nil && got.ID == id && got.Business == string(whoop.ResultsIssue)
}
