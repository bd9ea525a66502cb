package config

import (
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write what is told now into the .problems files; read them before committing")

// sentinel stands where a secret stands in the wrong files; nothing may ever print it.
const sentinel = "SENTINEL"

// tell loads a file as limsbridge check does, and returns all that it prints, with the folder of
// the test data as DIR.
func tell(t *testing.T, path string) string {
	t.Helper()
	t.Setenv("LIMSBRIDGE_TEST_PASSWORD", sentinel+"-lims")
	t.Setenv("LIMSBRIDGE_TEST_SECRET", sentinel+"-whoop")
	t.Setenv(credentials, "")
	c, problems := Load(path)
	var b strings.Builder
	if err := problems.Write(&b, false); err != nil {
		t.Fatal(err)
	}
	if c != nil {
		for _, w := range c.Warnings {
			b.WriteString("warning: " + w + "\n")
		}
	}
	dir, err := filepath.Abs(filepath.Dir(path))
	if err != nil {
		t.Fatal(err)
	}
	told := strings.ReplaceAll(b.String(), dir, "DIR")
	return regexp.MustCompile(`DIR\S*`).ReplaceAllStringFunc(told, filepath.ToSlash)
}

// TestWrongFiles holds what people read when a file is wrong: testdata/wrong/X.yaml gives exactly
// X.problems.
func TestWrongFiles(t *testing.T) {
	t.Chdir("testdata/wrong")
	files, err := filepath.Glob("*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatal("no wrong files", err)
	}
	for _, f := range files {
		t.Run(strings.TrimSuffix(f, ".yaml"), func(t *testing.T) {
			got := tell(t, f)
			if strings.Contains(got, sentinel) {
				t.Errorf("a secret is printed:\n%s", got)
			}
			if !strings.Contains(got, "problem") {
				t.Errorf("a wrong file has no problem:\n%s", got)
			}
			golden := strings.TrimSuffix(f, ".yaml") + ".problems"
			if *update {
				if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if got != string(want) {
				t.Errorf("got:\n%s\nwant:\n%s", got, want)
			}
		})
	}
}

// The service of a file that somebody broke still answers in its state folder, and is found there.
func TestStateOfBrokenFile(t *testing.T) {
	for _, broken := range []string{"mode: \"observe\nstate: /srv/ledger # here\n", "state: /srv/ledger\n\tmode: observe\n", "a: [\nstate: '/srv/ledger'\nb: }\n"} {
		c, problems := parse(FileName, filepath.Join(t.TempDir(), FileName), []byte(broken))
		if len(problems) == 0 || filepath.ToSlash(c.State) != "/srv/ledger" && runtime.GOOS != "windows" {
			t.Errorf("%q: %s, %s", broken, c.State, problems.Error())
		}
	}
	for _, broken := range []string{"state: \"x", "state: [\n", "state: \"x\nstate: \"x\n"} { // it ends
		if c, _ := parse(FileName, filepath.Join(t.TempDir(), FileName), []byte(broken)); c == nil || c.State == "" {
			t.Errorf("%q: no folder", broken)
		}
	}
}
