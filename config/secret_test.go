package config

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

func TestSecretNeverPrints(t *testing.T) {
	s := NewSecret(sentinel)
	held := struct {
		Name   string
		Secret Secret
		Again  *Secret
	}{"x", s, &s}
	var log bytes.Buffer
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", "s", s, "p", &s, "held", held)
	slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "s", s, "p", &s, "held", held)
	j, err := json.Marshal(held)
	if err != nil {
		t.Fatal(err)
	}
	printed := log.String() + string(j)
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%t", "%T"} {
		printed += fmt.Sprintf(verb, s) + fmt.Sprintf(verb, &s) + fmt.Sprintf(verb, held) + fmt.Sprintf(verb, []Secret{s})
	}
	if strings.Contains(printed, sentinel) || strings.Contains(printed, fmt.Sprintf("%x", sentinel)) {
		t.Errorf("printed: %s", printed)
	}
	if s.Reveal() != sentinel {
		t.Error("Reveal does not")
	}
}

// TestSecretPlaces: where a secret is looked for, and in which order.
func TestSecretPlaces(t *testing.T) {
	t.Setenv("LIMSBRIDGE_TEST_PASSWORD", "from-environment")
	dir := t.TempDir()
	file := filepath.Join(dir, FileName)
	write := func(path, text string, readers func(*testing.T, string)) {
		t.Helper()
		path = filepath.Join(dir, path)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		readers(t, path)
	}
	if err := StoreSecret(filepath.Join(dir, "state"), "stored", "from-state"); err != nil {
		t.Fatal(err)
	}
	if err := StoreSecret(filepath.Join(dir, "elsewhere"), "stored", "from-other-state"); err != nil {
		t.Fatal(err)
	}
	if err := StoreSecret(filepath.Join(dir, "state"), "both", "from-state"); err != nil {
		t.Fatal(err)
	}
	write("credentials/both", "from-systemd\n", forOthers) // the manager's business
	write("a.secret", "from-file\r\n", forUs)
	write("open.secret", sentinel, forOthers)
	write("empty.secret", "\n", forUs)
	t.Setenv(credentials, filepath.Join(dir, "credentials"))

	for _, x := range []struct{ name, state, reference, want, problem string }{
		{"plain text", "", "'pa: ss #1'", "pa: ss #1", ""},
		{"environment", "", "env:LIMSBRIDGE_TEST_PASSWORD", "from-environment", ""},
		{"environment, not set", "", "env:LIMSBRIDGE_TEST_NOTHING", "", "the environment variable LIMSBRIDGE_TEST_NOTHING is empty or not set"},
		{"file", "", "file:a.secret", "from-file", ""},
		{"file, absolute", "", "file:" + filepath.Join(dir, "a.secret"), "from-file", ""},
		{"file, missing", "", "file:b.secret", "", "there is no file"},
		{"file, empty", "", "file:empty.secret", "", "is empty"},
		{"state folder", "", "secret:stored", "from-state", ""},
		{"another state folder", "state: elsewhere\n", "secret:stored", "from-other-state", ""},
		{"systemd before state folder", "", "secret:both", "from-systemd", ""},
		{"never typed", "", "secret:nothing", "", "type: limsbridge secret set nothing"},
		{"no name at all", "", "'secret:'", "", "a secret's name"},
		{"a path as name", "", "secret:../a.secret", "", "a secret's name"},
		{"readable by others", "", "file:open.secret", "", "others can read " + filepath.Join(dir, "open.secret") + " ("},
	} {
		t.Run(x.name, func(t *testing.T) {
			text := strings.Replace(base, "password: 'plain'", "password: "+x.reference, 1) + x.state
			if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			c, problems := Load(file)
			told := problems.Error()
			if x.problem == "" {
				if len(problems) > 0 {
					t.Fatal(told)
				}
				if got := c.Database.Password.Reveal(); got != x.want {
					t.Errorf("got %q", got)
				}
				if now, err := c.Database.Password.Now(); err != nil || now != x.want {
					t.Errorf("now %q, %v", now, err)
				}
				return
			}
			if len(problems) != 1 || problems[0].Kind != NoSecret || !strings.Contains(told, x.problem) || strings.Contains(told, sentinel) {
				t.Errorf("told: %s", told)
			}
			if len(problems.Without(NoSecret, "lims")) != 0 || len(problems.Without(NoSecret, "whoop")) != 1 {
				t.Error("a missing secret of lims is not of that kind and section")
			}
		})
	}
}

// TestOpenSecretIsMended: what is told of a secret that others can read mends it, and it is read then.
func TestOpenSecretIsMended(t *testing.T) {
	dir := t.TempDir()
	t.Setenv(credentials, "")
	state := filepath.Join(dir, "state")
	for _, x := range []struct{ reference, path string }{
		{"file:p.secret", filepath.Join(dir, "p.secret")},
		{"secret:p", filepath.Join(state, "secrets", "p")},
	} {
		if err := StoreSecret(state, "p", sentinel); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, "p.secret"), []byte(sentinel), 0o600); err != nil {
			t.Fatal(err)
		}
		forOthers(t, x.path)
		kind, name, _ := splitReference(x.reference)
		_, wrong := resolve(kind, name, state, dir)
		if wrong == nil || strings.Contains(wrong.Error(), sentinel) || !strings.Contains(wrong.what, x.path) {
			t.Fatalf("%s: told: %v", x.reference, wrong)
		}
		obey(t, wrong.instead)
		if s, wrong := resolve(kind, name, state, dir); wrong != nil || s.Reveal() != sentinel {
			t.Errorf("%s is read as %s, told: %v", x.reference, s, wrong)
		}
	}
}

// TestSecretChanges: a secret that was typed anew is used without a restart.
func TestSecretChanges(t *testing.T) {
	dir := t.TempDir()
	t.Setenv(credentials, "")
	store := func(text string) {
		t.Helper()
		if err := StoreSecret(filepath.Join(dir, "state"), "p", text); err != nil {
			t.Fatal(err)
		}
	}
	store("one")
	file := filepath.Join(dir, FileName)
	if err := os.WriteFile(file, []byte(strings.Replace(base, "'plain'", "secret:p", 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	c, problems := Load(file)
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	store("two")
	if now, err := c.LIMS().Password(); now != "two" || err != nil {
		t.Errorf("%q, %v", now, err)
	}
	if err := os.RemoveAll(filepath.Join(dir, "state")); err != nil {
		t.Fatal(err)
	}
	if _, err := c.LIMS().Password(); err == nil || !strings.Contains(err.Error(), "limsbridge secret set p") {
		t.Errorf("told: %v", err)
	}
}

// A carriage return alone ends a line for YAML, and not for whoever looks for the line to show.
func TestBrokenLineKeepsSecrets(t *testing.T) {
	for _, line := range []string{"proxy: h\rttp:: u:" + sentinel + "@proxy:8080", "client_secret: x\r: " + sentinel, "password: \"a\rb: " + sentinel} {
		_, problems := parse("limsbridge.yaml", "/nowhere/limsbridge.yaml", []byte("whoop:\n  client_id: id\n  "+line+"\n"))
		if told := problems.Error(); len(problems) == 0 || strings.Contains(told, sentinel) {
			t.Errorf("%q: told: %s", line, told)
		}
	}
}

// TestBrokenFilesKeepSecrets breaks a file that holds secrets in plain text at random, around
// them, and looks for any letter of them in what is told.
func TestBrokenFilesKeepSecrets(t *testing.T) {
	const secret = "\x01"
	text := "mode: observe\ntime_zone: America/Chicago\nlims:\n  type: postgres\n  server: db\n  database: lims\n  user: u\n  password: " + secret +
		"\n  orders: o\n  results: r\nwhoop:\n  client_id: id\n  client_secret: \"" + secret + "\"\n  proxy: http://u:" + secret + "@proxy:8080\n" +
		"alerts:\n  email: {to: a@example.org, password: " + secret + ", server: 'x:25', from: b}\n# password: " + secret + "\narchive: {recipients: [AGE-SECRET-KEY-" + secret + "], folder: f}\ntests: {CBC: {results: {WBC: {code: WBC}}}}\n"
	pieces := []string{"", " ", "\n", ":", ": ", "\"", "'", "{", "}", "[", "]", "\t", "#", "- ", "x", "|", ">", "&", "*", "%", "\\", ",", "  ", "\r", "?", "!", "é", "@"}
	seed := rand.Uint64()
	if again := os.Getenv("LIMSBRIDGE_SEED"); again != "" {
		var err error
		if seed, err = strconv.ParseUint(again, 10, 64); err != nil {
			t.Fatal("LIMSBRIDGE_SEED is no number")
		}
	}
	random := rand.New(rand.NewPCG(seed, 0))
	for range 1000 {
		broken := []rune(text)
		for range 1 + random.IntN(3) {
			at := random.IntN(len(broken))
			if broken[at] == []rune(secret)[0] {
				continue
			}
			piece := []rune(pieces[random.IntN(len(pieces))])
			end := min(at+random.IntN(3), len(broken))
			if strings.ContainsRune(string(broken[at:end]), []rune(secret)[0]) {
				end = at
			}
			broken = append(broken[:at:at], append(piece, broken[end:]...)...)
		}
		file := strings.ReplaceAll(string(broken), secret, sentinel+"-"+sentinel)
		c, problems := parse("limsbridge.yaml", "/nowhere/limsbridge.yaml", []byte(file))
		told := problems.Error() + strings.Join(c.Warnings, "\n")
		for _, p := range problems {
			told += p.String()
		}
		if strings.Contains(told, sentinel) {
			t.Fatalf("seed %d: a secret is told:\n%s\nof:\n%s", seed, told, file)
		}
	}
}

func FuzzLoad(f *testing.F) {
	wrong, err := filepath.Glob("testdata/*/*.yaml")
	if err != nil {
		f.Fatal(err)
	}
	for _, w := range wrong {
		b, err := os.ReadFile(w)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		c, problems := parse("limsbridge.yaml", filepath.Join(t.TempDir(), FileName), b)
		if c == nil {
			t.Fatal("no configuration")
		}
		_ = problems.Error()
		for _, p := range problems {
			if p.What == "" || p.File == "" {
				t.Errorf("a problem says nothing: %+v", p)
			}
		}
	})
}
