package config

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
)

// base is the least that a file needs in observe mode.
const base = `
time_zone: America/Chicago
lims: {type: postgres, server: db, database: lims, user: u, password: 'plain', orders: o, results: r}
whoop: {client_id: id, client_secret: 'plain'}
`

func load(t *testing.T, text string) (*Config, Problems) {
	t.Helper()
	path := filepath.Join(t.TempDir(), FileName)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return Load(path)
}

func good(t *testing.T, text string) *Config {
	t.Helper()
	c, problems := load(t, text)
	if len(problems) > 0 {
		t.Fatalf("%v\nof:\n%s", problems, text)
	}
	return c
}

// TestTextAsWritten: codes are text exactly as written, whatever YAML makes of them elsewhere.
func TestTextAsWritten(t *testing.T) {
	for _, x := range []struct{ written, is string }{
		{`001`, "001"}, {`0`, "0"}, {`-0`, "-0"}, {`+1`, "+1"}, {`1E3`, "1E3"}, {`1e3`, "1e3"}, {`1.50`, "1.50"}, {`.5`, ".5"}, {`5.`, "5."},
		{`0x1F`, "0x1F"}, {`0o17`, "0o17"}, {`0b11`, "0b11"}, {`1_000`, "1_000"}, {`12345678901234567890123`, "12345678901234567890123"},
		{`NO`, "NO"}, {`No`, "No"}, {`Y`, "Y"}, {`N`, "N"}, {`on`, "on"}, {`OFF`, "OFF"}, {`true`, "true"}, {`False`, "False"},
		{`~`, "~"}, {`null`, "null"}, {`NULL`, "NULL"}, {`.nan`, ".nan"}, {`.inf`, ".inf"}, {`-.INF`, "-.INF"}, {`<<`, "<<"}, {`=`, "="},
		{`2026-12-01`, "2026-12-01"}, {`12:30:45`, "12:30:45"}, {`10*3/uL`, "10*3/uL"}, {`%`, "%"}, {`%A`, "%A"}, {`a%`, "a%"}, {`µg/L`, "µg/L"},
		{`a b  c`, "a b  c"}, {`GPT/ALAT-Serum`, "GPT/ALAT-Serum"}, {`a#b`, "a#b"}, {`a:b`, "a:b"}, {`-a`, "-a"}, {`<0.5`, "<0.5"},
		{`'001'`, "001"}, {`' x '`, " x "}, {`'it''s'`, "it's"}, {`'~'`, "~"}, {`"NO"`, "NO"}, {`"a\\b"`, `a\b`}, {`"\u00b5g"`, "µg"}, {`"a \"b\""`, `a "b"`},
		{`'DOM\L'`, `DOM\L`}, {`'10: 30'`, "10: 30"}, {`'#x'`, "#x"}, {`'a, b'`, "a, b"}, {`'*'`, "*"},
	} {
		for where, text := range map[string]string{
			"member":   "ignore: [" + x.written + "]\n",
			"line":     "ignore:\n  - " + x.written + "   # comment\n",
			"value":    "tests:\n  T:\n    results:\n      X:\n        code: " + x.written + "\n        unit: u\n",
			"flow":     "tests: {T: {results: {X: {code: " + x.written + ", unit: u}}}}\n",
			"name":     "status:\n  orders:\n    " + x.written + ": accepted\n",
			"flowname": "status: {orders: {" + x.written + ": accepted}}\n",
		} {
			if where == "flowname" && strings.Contains(strings.Trim(x.written, "'"), ":") && x.written[0] != '\'' {
				continue // the parser ends such a name at its first colon; the word behind it is then unknown
			}
			c := good(t, base+text)
			got := ""
			switch {
			case len(c.Ignore) == 1:
				got = c.Ignore[0]
			case len(c.Tests) == 1:
				got = c.Tests[0].Results["X"].Code
			default:
				for w := range c.Words.Orders {
					got = w
				}
			}
			if got != x.is {
				t.Errorf("%s as %s is %q, not %q", x.written, where, got, x.is)
			}
		}
	}
}

func TestDurations(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"10m": 10 * time.Minute, "75m": 75 * time.Minute, "90s": 90 * time.Second, "1h30m": 90 * time.Minute, "1h 30m": 90 * time.Minute,
		"30 days": 30 * day, "30d": 30 * day, "1 day": day, "2 weeks": 2 * week, "5 minutes": 5 * time.Minute, "0": 0, "1.5h": 90 * time.Minute,
		"500ms": 500 * time.Millisecond, "5 Min": 5 * time.Minute,
		"5": -1, "": -1, "m": -1, "-5m": -1, "5 m 3": -1, "5x": -1, "1e3s": -1, "99999999999999999999d": -1, "5,5h": -1,
	} {
		got, ok := parseSpan(text)
		if !ok {
			got = -1
		}
		if got != want {
			t.Errorf("%q is %v, not %v", text, got, want)
		}
		if again, ok := parseSpan(Span(got)); want >= 0 && (!ok || again != got) {
			t.Errorf("%v is written %q, which reads %v", got, Span(got), again)
		}
	}
}

func TestStartFrom(t *testing.T) {
	chicago, err := time.LoadLocation("America/Chicago")
	if err != nil {
		t.Fatal(err)
	}
	six := time.Date(2026, 12, 1, 6, 0, 0, 0, chicago)
	for _, text := range []string{"2026-12-01T06:00", "2026-12-01T06:00:00", "2026-12-01 06:00", "2026-12-01T12:00:00Z", "2026-12-01T06:00:00-06:00"} {
		if c := good(t, base+"start_from: "+text+"\n"); !c.StartFrom.Equal(six) {
			t.Errorf("%s is %v", text, c.StartFrom)
		}
	}
	if c := good(t, base+"start_from:\n"); !c.StartFrom.IsZero() {
		t.Errorf("an empty start_from is %v", c.StartFrom)
	}
}

func TestNearest(t *testing.T) {
	known := []string{"every", "user", "password", "per_minute", "look_back", "mode", "off"}
	for word, want := range map[string]string{
		"evry": "every", "Every": "every", "pasword": "password", "lookback": "look_back", "look-back": "look_back", "PER_MINUTE": "per_minute",
		"per_minutes": "per_minute", "mdoe": "mode", "of": "off", "x": "", "interval": "", "passwords": "password", "uesr": "user",
	} {
		if got := nearest(word, known); got != want {
			t.Errorf("%q: %q, not %q", word, got, want)
		}
	}
}

// TestEncodings: what editors save is read.
func TestEncodings(t *testing.T) {
	want := good(t, base)
	for name, text := range map[string]string{
		"byte order mark": "\ufeff" + base,
		"CRLF":            toCRLF(base),
		"no end of line":  base[:len(base)-1],
		"document start":  "---\n" + base,
		"document end":    base + "...\n",
		"tabs in comment": base + "\t# comment\n#\tcomment\nmode:\tobserve\t# x\n",
	} {
		got := good(t, text)
		got.Path, got.State, got.Archive, got.Log, got.hash, got.Warnings = want.Path, want.State, want.Archive, want.Log, want.hash, want.Warnings
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %+v\nwant %+v", name, got, want)
		}
	}
}

func toCRLF(s string) string {
	var b []byte
	for i := range len(s) {
		if s[i] == '\n' {
			b = append(b, '\r')
		}
		b = append(b, s[i])
	}
	return string(b)
}
