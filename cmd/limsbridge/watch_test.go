package main

import (
	"bytes"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"limsbridge/bridge"
	"limsbridge/bridge/control"
	"limsbridge/bridge/health"
	"limsbridge/config"
)

// What will hurt is told of once when it begins, once a day while it lasts, and when it is over.
func TestNotices(t *testing.T) {
	var log bytes.Buffer
	n := &notices{log: newLog(&log, slog.LevelInfo)}
	at := time.Date(2026, 11, 27, 12, 0, 0, 0, time.UTC)
	for _, tt := range []struct {
		after time.Duration
		text  string
		level string // of the one line that is logged; "" for none
		stand int
	}{
		{0, "", "", 0},
		{time.Minute, "the disk is nearly full: 499 MB", "WARN", 1},
		{time.Minute, "the disk is nearly full: 498 MB", "", 1},
		{sayAgain, "the disk is nearly full: 400 MB", "WARN", 1},
		{time.Minute, "the disk is nearly full: 399 MB", "", 1},
		{time.Minute, "", "INFO", 0},
		{time.Minute, "", "", 0},
	} {
		log.Reset()
		at = at.Add(tt.after)
		n.set("disk_ledger", tt.text, at)
		got := log.String()
		if (tt.level == "") != (got == "") || tt.level != "" && !strings.Contains(got, "level="+tt.level) || strings.Count(got, "\n") > 1 {
			t.Errorf("%q: logged %q, want %s", tt.text, got, tt.level)
		}
		all := n.all()
		if len(all) != tt.stand || len(all) == 1 && all[0].Text != tt.text {
			t.Errorf("%q: %+v stand", tt.text, all)
		}
	}
}

// The machine is looked at as a whole: disks, clock, certificates and the log's own file.
func TestWatch(t *testing.T) {
	at := time.Date(2026, 11, 27, 12, 0, 0, 0, time.UTC)
	free, passed := uint64(10<<30), time.Duration(0)
	var logging error
	cfg := config.Blank(filepath.Join(t.TempDir(), config.FileName))
	w := &watch{
		notices: &notices{log: slog.New(slog.DiscardHandler)}, config: func() *config.Config { return cfg }, logging: func() error { return logging },
		clock: health.Clock{Now: func() (time.Time, time.Duration) { return at, passed }},
		disks: map[string]*health.Disk{"ledger": {Free: func(string) (uint64, error) { return free, nil }}, "log": {Free: func(string) (uint64, error) { return 10 << 30, nil }}},
	}
	stand := func(kinds ...string) {
		t.Helper()
		w.look(at)
		var got []string
		for _, n := range w.notices.all() {
			got = append(got, n.Kind)
		}
		if strings.Join(got, " ") != strings.Join(kinds, " ") {
			t.Errorf("%q stand, want %q", got, kinds)
		}
	}
	minute := func() { at, passed = at.Add(time.Minute), passed+time.Minute }
	stand()
	minute()
	free = 1 << 20
	stand("disk_ledger")
	minute()
	free, at = 10<<30, at.Add(-2*time.Hour)
	stand("clock")
	at, passed = at.Add(25*time.Hour), passed+25*time.Hour
	stand()
	logging = errors.New("the log file x cannot be opened: locked")
	w.shown(limsEnd)([]*x509.Certificate{{Subject: pkix.Name{CommonName: "LIMSSQL01"}, NotAfter: at.Add(72 * time.Hour)}})
	w.shown(whoopEnd)([]*x509.Certificate{{NotAfter: at.Add(20 * 24 * time.Hour)}})
	minute()
	stand("certificate_lims", "log_file")
	if text := w.notices.all()[0].Text; !strings.Contains(text, "the LIMS database server shows: the certificate of LIMSSQL01") {
		t.Error(text)
	}
}

// The same failure of passes is told of once an hour, another one at once; a pass that was asked for
// is one that began afterwards.
func TestProgress(t *testing.T) {
	p := &progress{}
	fails, other := errors.New("no connection"), errors.New("login failed")
	for i, tt := range []struct {
		err      error
		repeated bool
	}{{fails, false}, {fails, true}, {other, false}, {nil, false}, {other, false}} {
		if got := p.pass(&bridge.Summary{Began: time.Now()}, tt.err); got != tt.repeated {
			t.Errorf("%d: repeated %v", i, got)
		}
		if !errors.Is(p.failure(), tt.err) {
			t.Errorf("%d: %v", i, p.failure())
		}
	}
	began := time.Now().Round(0).Add(-time.Second)
	asked := p.wait()
	p.pass(&bridge.Summary{Began: began, Rows: 1}, nil)
	select {
	case x := <-asked:
		t.Errorf("a pass that began before: %+v", x.sum.Rows)
	default:
	}
	p.pass(&bridge.Summary{Began: began.Add(time.Hour), Rows: 2}, fails)
	if x := <-asked; x.sum.Rows != 2 || !errors.Is(x.err, fails) {
		t.Errorf("%d %v", x.sum.Rows, x.err)
	}
}

func TestStatusExit(t *testing.T) {
	well := control.Status{Running: true, Ready: true}
	held, changed, unready := well, well, well
	held.Holds = map[string]int{"gone": 1}
	changed.Changed = true
	unready.Ready = false
	for want, all := range map[int][]control.Status{0: {well}, exitAttention: {held, changed}, exitFailed: {unready, {}}} {
		for _, s := range all {
			if got := exitOf(s); got != want {
				t.Errorf("%+v: %d, want %d", s, got, want)
			}
		}
	}
}

// A credential of the service, by the name under which its unit loads it, wins over what is stored.
func TestCredentialsThatWin(t *testing.T) {
	store := t.TempDir()
	file(t, store, "lims-password", "x")
	file(t, store, "limsbridge-west.whoop-client-secret", "x")
	for _, tt := range []struct{ instance, name, want string }{
		{"", "lims-password", "lims-password"}, {"", "whoop-client-secret", ""},
		{"west", "whoop-client-secret", "limsbridge-west.whoop-client-secret"}, {"west", "lims-password", ""},
	} {
		var want []string
		if tt.want != "" {
			want = []string{filepath.Join(store, tt.want)}
		}
		if got := credentials([]string{t.TempDir(), store}, tt.instance, tt.name); !slices.Equal(got, want) {
			t.Errorf("%+v: %q", tt, got)
		}
	}
}

// secret list tells names, settings and what is missing, and no text; one that others can read is
// refused with its cure.
func TestSecretCommands(t *testing.T) {
	dir := t.TempDir()
	path := file(t, dir, "limsbridge.yaml", "whoop: {client_id: x, client_secret: secret:whoop-client-secret}\nlims: {user: u, password: secret:lims-password}\n")
	secrets := filepath.Join(dir, "state", "secrets")
	set := func(name, text string) {
		c := root()
		c.SetArgs([]string{"secret", "set", name, "--config", path})
		c.SetIn(strings.NewReader(text + "\n"))
		c.SetOut(&bytes.Buffer{})
		if err := c.ExecuteContext(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	list := func(status int, says ...string) {
		t.Helper()
		out, got := command(t, "secret", "list", "--config", path)
		for _, s := range says {
			if !strings.Contains(out, s) {
				t.Errorf("the list does not say %q:\n%s", s, out)
			}
		}
		if got != status || strings.Contains(out, "SENTINEL") {
			t.Errorf("status %d, want %d:\n%s", got, status, out)
		}
	}
	list(exitFailed, "lims-password", "lims.password", "MISSING", "limsbridge secret set lims-password")
	set("lims-password", "SENTINEL-1")
	set("whoop-client-secret", "SENTINEL-2")
	set("old", "SENTINEL-3")
	list(0, "lims-password", "stored 20", "no setting refers to it")
	if runtime.GOOS != "windows" {
		if err := os.Chmod(filepath.Join(secrets, "lims-password"), 0o644); err != nil {
			t.Fatal(err)
		}
		list(exitFailed, "others can read", "chmod 600")
	}
	for _, status := range []int{0, exitFailed} {
		if out, got := command(t, "secret", "remove", "old", "--config", path); got != status {
			t.Errorf("remove: %d, want %d\n%s", got, status, out)
		}
	}
	if _, err := os.Stat(filepath.Join(secrets, "old")); err == nil {
		t.Error("it is still there")
	}
	if out, _ := command(t, "secret", "remove", "lims-password", "--config", path); !strings.Contains(out, "lims.password still refers to it") {
		t.Errorf("a secret in use goes without a word:\n%s", out)
	}
}
