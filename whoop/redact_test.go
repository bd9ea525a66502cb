package whoop

import (
	"math/rand/v2"
	"net/http"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestRedact(t *testing.T) {
	tests := []struct{ kind, body, want string }{
		{"", "", ""},
		{"application/json", `{"error":"not_found","message":"service request not found"}`, "error not_found message service request not found"},
		{"application/json", `{"message":"value_numeric 187.4 of observation TOTAL_CHOLESTEROL is invalid"}`, "message value_numeric … of observation … is invalid"},
		{"application/json", `{"errors":[{"field":"observations[0].unit","reason":"mg/dL unknown"}]}`, "errors field observations … unit reason … unknown"},
		{"text/plain", "Jane Miller, born 1971-02-28, NEGATIVE, blood group A", "…"},
		{"text/plain", "patient Jane status final", "patient … status final"},
		{"text/plain", "finalJane Janefinal final2 ñfinal finalñ final", "… final"},
		{"text/plain", "trace high low none less more many small large positive detected normal a", "…"},
		{"text/plain", "\xff\xfe\x00\u202e", "…"},
		{"text/html", "value", "an HTML page"},
		{"text/plain", "  <!DOCTYPE html>secret", "an HTML page"},
	}
	for _, test := range tests {
		if got := redact(http.Header{"Content-Type": {test.kind}}, []byte(test.body)); got != test.want {
			t.Errorf("%q becomes %q, want %q", test.body, got, test.want)
		}
	}
}

// However a private text is wrapped, no part of it survives, and the length is bounded.
func TestRedactRandom(t *testing.T) {
	seed := rand.Uint64()
	rng := rand.New(rand.NewPCG(seed, 0))
	sentinels := []string{"Sentinelname", "1234.5678", "<0.5", "A+", "1:40", "Größe", "42", "jane@example.org", "10-15", "7e3"}
	var known []string
	for w := range vocabulary {
		known = append(known, w)
	}
	for range 3000 {
		var b strings.Builder
		b.WriteString("x ") // so that no body begins like a page
		for range rng.IntN(60) {
			if rng.IntN(2) == 0 {
				b.WriteString(known[rng.IntN(len(known))])
			} else {
				b.WriteString(sentinels[rng.IntN(len(sentinels))])
			}
			b.WriteString([]string{" ", "", `"`, `":"`, ",", "\n", "\u00a0"}[rng.IntN(7)])
		}
		got := redact(nil, []byte(b.String()))
		if n := utf8.RuneCountInString(got); n > maxText {
			t.Fatalf("seed %d: %d characters", seed, n)
		}
		for w := range strings.SplitSeq(got, " ") {
			if w != leftOut && w != "" && !vocabulary[strings.ToLower(w)] {
				t.Fatalf("seed %d: %q survives from %q", seed, w, b.String())
			}
		}
	}
}

func TestRequestID(t *testing.T) {
	tests := map[string]struct{ header, value, want string }{
		"uuid":       {"X-Request-Id", "6f2c0c1e-1b1d-4c55-9a65-2f8f4f3f7d11", "6f2c0c1e-1b1d-4c55-9a65-2f8f4f3f7d11"},
		"aws":        {"X-Amzn-Trace-Id", "Root=1-67891233-abcdef012345678912345678", "Root1-67891233-abcdef012345678912345678"},
		"odd":        {"X-Request-Id", "a b\x00<c>\u00e9", "abc"},
		"long":       {"X-Correlation-Id", strings.Repeat("z", 100), strings.Repeat("z", 64)},
		"none":       {"X-Other", "1", ""},
		"amazon's":   {"X-Amzn-RequestId", "q1", "q1"},
		"empty ones": {"X-Request-Id", "", ""},
	}
	for name, test := range tests {
		h := http.Header{}
		h.Set(test.header, test.value)
		if got := requestID(h); got != test.want {
			t.Errorf("%s: %q", name, got)
		}
	}
}
