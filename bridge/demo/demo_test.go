package demo

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"io"
	"io/fs"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"limsbridge/bridge"
	"limsbridge/bridge/ledger"
	"limsbridge/config"
	"limsbridge/lims"
	"limsbridge/whoop"
	"limsbridge/whoop/sandbox"
)

// running is a bridge as the command assembles it, in this process, so that a test can act on it.
type running struct {
	started chan *bridge.Bridge
}

// start is a Start. It logs everything there is to log.
func (r *running) start(ctx context.Context, path string, w io.Writer) (err error) {
	cfg, problems := config.Load(path)
	if len(problems) > 0 {
		return problems
	}
	log := slog.New(slog.NewTextHandler(w, &slog.HandlerOptions{Level: slog.LevelDebug}))
	mapping, err := cfg.Mapping()
	if err != nil {
		return err
	}
	l, err := ledger.Open(cfg.State, ledger.Options{})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, l.Close()) }()
	reader, err := lims.Open(cfg.LIMS())
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, reader.Close()) }()
	o := cfg.WHOOP()
	o.Log = log
	client, err := whoop.New(o)
	if err != nil {
		return err
	}
	defer client.Close()
	if err := bridge.Configured(ctx, l, cfg.Hash(), time.Now()); err != nil {
		return err
	}
	b := bridge.New(reader, client, l, mapping, cfg.Bridge(), log)
	if r.started != nil {
		r.started <- b
	}
	loop := &bridge.Loop{Bridge: b, Zone: cfg.TimeZone, After: func(sum *bridge.Summary, err error) error {
		log.Info("pass", "pass", sum, "ended", err)
		return nil
	}}
	return loop.Run(ctx)
}

// TestDemo makes a small demonstration with all the real pieces: every kind of order, and it adds up.
func TestDemo(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	var r running
	seed := rand.Uint64N(1000)
	o := Options{Start: r.start, Out: &out, Width: 100, Seed: seed, Orders: 115, For: 3 * time.Second, Keep: filepath.Join(t.TempDir(), "kept")}
	var sentinels []string
	o.finished = func(s *stage, c Comparison) {
		sentinels = s.lab.Sentinels()
		if n := s.api.Counts(); n.Faults[sandbox.Expired] < 4 || n.Faults[sandbox.Throttled] != 2 || n.Calls[sandbox.Token] < 2 {
			t.Errorf("seed %d: tokens and limits were not walked through: %v, %d tokens", seed, n.Faults, n.Calls[sandbox.Token])
		}
		if c.Orders.Expected < 90 || c.Holds.Expected < 20 || c.Corrections.Expected < 9 {
			t.Errorf("seed %d: this lab has too little to show: %+v", seed, c)
		}
	}
	if err := Run(context.Background(), o); err != nil {
		t.Errorf("seed %d: %v\n%s", seed, err, out.String())
	}
	if !strings.Contains(out.String(), "It adds up") {
		t.Errorf("seed %d: no verdict in\n%s", seed, out.String())
	}
	if len(sentinels) < 100 {
		t.Fatalf("only %d sentinels", len(sentinels))
	}
	for _, s := range sentinels {
		if strings.Contains(out.String(), s) {
			t.Errorf("seed %d: a sentinel is printed", seed)
		}
	}
	for _, name := range []string{config.FileName, logName, labName, "state/journal", "state/ledger.db"} {
		if _, err := os.Stat(filepath.Join(o.Keep, filepath.FromSlash(name))); err != nil {
			t.Error(err)
		}
	}
	if _, problems := config.Load(filepath.Join(o.Keep, config.FileName)); len(problems) == 0 || len(problems.Without(config.NoSecret, "whoop")) > 0 {
		t.Errorf("what is kept should lack its secret and nothing else: %v", problems)
	}
}

// TestNothingPrivate searches everything that a bridge leaves behind for every value, name and
// secret of a lab's day in which the API repeats them all in its error answers. A person lets the
// bridge try again what was refused, so that the day adds up all the same.
func TestNothingPrivate(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	seed := rand.Uint64N(1000)
	r := running{started: make(chan *bridge.Bridge, 1)}
	o := Options{Start: r.start, Out: &out, Seed: seed, Orders: 115, For: 3 * time.Second}
	echoing := []sandbox.Fault{sandbox.BadRequest, sandbox.Unprocessed, sandbox.Missing}
	o.prepare = func(api *sandbox.Server) error {
		var errs []error
		for _, e := range []sandbox.Endpoint{sandbox.Results, sandbox.SetStatus, sandbox.SetRequisitionStatus} {
			for i := range 12 {
				errs = append(errs, api.Fail(e, "", "", "", echoing[i%len(echoing)]))
			}
		}
		return errors.Join(errs...)
	}
	o.meanwhile = func(ctx context.Context, s *stage) {
		b := <-r.started
		tick := time.NewTicker(glance)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
			j, err := readJournal(s.state)
			if err != nil {
				t.Error(err)
			}
			if !slices.ContainsFunc(j.holds(), func(h Held) bool { return h.Kind == bridge.Refused }) {
				continue
			}
			e := bridge.Event{At: time.Now(), Act: bridge.ResumeAct, By: "A. Lab", Why: "try again"}
			if err := b.Act(ctx, e); err != nil && ctx.Err() == nil {
				t.Error(err)
			}
		}
	}
	searched := map[string]bool{}
	o.finished = func(s *stage, _ Comparison) {
		private := append(s.lab.Sentinels(), s.secret, "sbx.", "Bearer")
		for _, q := range s.lab.Truth().Requisitions {
			private = append(private, q.Patient.ID.String())
		}
		n := s.api.Counts()
		for _, f := range echoing {
			if n.Faults[f] < 5 {
				t.Errorf("seed %d: the API answered %s only %d times", seed, f, n.Faults[f])
			}
		}
		err := filepath.WalkDir(s.folder, func(path string, d fs.DirEntry, err error) error {
			if err != nil || !d.Type().IsRegular() {
				return err
			}
			name, _ := filepath.Rel(s.folder, path)
			found, err := search(path, private)
			switch {
			case err != nil:
				return err
			case strings.HasPrefix(name, labName): // the search can find, and only here
				searched[labName] = searched[labName] || found != ""
			case name == filepath.Join("state", "secrets", secretName):
				if found != s.secret {
					t.Errorf("%s does not hold the secret", name)
				}
			case found != "":
				t.Errorf("seed %d: %s holds something private, the %d characters %.3s…", seed, name, len(found), found)
			}
			searched[name] = searched[name] || !strings.HasPrefix(name, labName)
			return nil
		})
		if err != nil {
			t.Error(err)
		}
		if text, _ := os.ReadFile(s.log.Name()); bytes.Count(text, []byte("\n")) < 100 || !bytes.Contains(text, []byte("code=422")) {
			t.Errorf("the log is not worth searching")
		}
	}
	if err := Run(context.Background(), o); err != nil {
		t.Fatalf("seed %d: %v\n%s", seed, err, out.String())
	}
	for _, name := range []string{labName, logName, config.FileName, "state/ledger.db", "state/fingerprint.key"} {
		if !searched[filepath.FromSlash(name)] {
			t.Errorf("%s was not searched, or (the lab's own database) nothing was found in it", name)
		}
	}
	journals := regexp.MustCompile(`state.journal.\d`)
	for name := range searched {
		if journals.MatchString(name) {
			return
		}
	}
	t.Errorf("no journal was searched: %v", searched)
}

// search returns the first of the texts that the file holds, or "".
func search(path string, texts []string) (string, error) {
	content, err := os.ReadFile(path)
	if err != nil {
		return "", err
	}
	for _, s := range texts {
		if bytes.Contains(content, []byte(s)) {
			return s, nil
		}
	}
	return "", nil
}

// TestBridgeFails: a bridge that cannot run ends the demonstration at once, with its last words.
func TestBridgeFails(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	broken := errors.New("no such luck")
	err := Run(context.Background(), Options{Out: &out, Orders: 1, For: time.Hour, Start: func(_ context.Context, _ string, log io.Writer) error {
		_, err := io.WriteString(log, "I tried\n")
		return cmp.Or(err, broken)
	}})
	if !errors.Is(err, broken) || !strings.Contains(err.Error(), "I tried") {
		t.Error(err)
	}
}

// TestInterrupted: the bridge is stopped, and nothing is left behind.
func TestInterrupted(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	ctx, stop := context.WithCancel(context.Background())
	var folder string
	stopped := false
	err := Run(ctx, Options{Out: &out, Orders: 1, For: time.Hour, Start: func(ctx context.Context, path string, _ io.Writer) error {
		folder = filepath.Dir(path)
		stop()
		<-ctx.Done()
		stopped = true
		return nil
	}})
	if !errors.Is(err, context.Canceled) || !stopped {
		t.Errorf("%v; the bridge has ended: %v", err, stopped)
	}
	if _, err := os.Stat(folder); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the folder is still there: %v", err)
	}
}

// TestKeep: what is there already is never overwritten.
func TestKeep(t *testing.T) {
	t.Parallel()
	keep := t.TempDir()
	if err := os.WriteFile(filepath.Join(keep, "mine"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := Run(context.Background(), Options{Keep: keep}); err == nil || !strings.Contains(err.Error(), "not empty") {
		t.Error(err)
	}
	if found, _ := os.ReadDir(keep); len(found) != 1 {
		t.Errorf("the folder holds %d things now", len(found))
	}
}
