package main

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib"
	_ "modernc.org/sqlite"

	"limsbridge/lims/limstest"
)

// Adversity is what a server does to a program that runs for years: the disk fills up or becomes
// read-only, the database or the network goes away, the clock is set. Here the real program meets
// each in the middle of work, between a lab that goes on working and a simulated API; it is never
// started again. Once the cause is gone it must go on by itself, and in the end everything is
// compared as after the torture (torture_check_test.go): nothing twice, nothing lost, nothing held
// but what was in flight. Being killed is the torture's part.

// adversity is one such thing.
type adversity struct {
	name string
	// needs makes what the world of this episode needs before the ledger is made.
	needs func(t *testing.T, dir string)
	// lims lets the program read another database than the lab's own file.
	lims func(e *episode)
	// clock lets the program's clock on the wall be set.
	clock bool
	// strike does it, and relent takes it back.
	strike, relent func(e *episode)
	// felt is said in the program's log once it has noticed; "": it needs to notice nothing.
	felt string
}

var adversities = []adversity{
	{name: "the disk is full", needs: smallDisk, strike: fillDisk, relent: freeDisk, felt: "the ledger failed"},
	{name: "the disk is read-only", needs: failingDisk, strike: failDisk, relent: mendDisk, felt: "the ledger failed"},
	{name: "the database vanishes", lims: onPostgres, strike: pullDatabase, relent: plugDatabase, felt: "pass ended early"},
	{name: "the network vanishes", strike: func(e *episode) { e.network.pull() }, relent: func(e *episode) { e.network.plug(e.T) }},
	{name: "the clock jumps a day ahead", clock: true, strike: setClock(26 * time.Hour), relent: setClock(0)},
	{name: "the clock is set back two hours", clock: true, strike: setClock(-2 * time.Hour), relent: setClock(0)},
}

func TestAdversity(t *testing.T) {
	seed := fromEnvironment(t, "LIMSBRIDGE_SEED", rand.Uint64()>>1)
	plain := sync.OnceValue(func() string { return buildProgram(t) })
	settable := sync.OnceValue(func() string { return buildProgram(t, settableClock(t)...) })
	for _, a := range adversities {
		t.Run(a.name, func(t *testing.T) {
			if a.clock && os.Getenv("CI") != "true" && os.Getenv("LIMSBRIDGE_CLOCKS") == "" {
				t.Skip("left out: builds the standard library anew, which takes a minute or two; LIMSBRIDGE_CLOCKS=1 runs it")
			}
			t.Cleanup(func() {
				if t.Failed() {
					t.Logf("again: LIMSBRIDGE_SEED=%d go test -artifacts -run '^TestAdversity$' ./cmd/limsbridge", seed)
				}
			})
			program := plain
			if a.clock {
				program = settable
			}
			a.live(t, program(), seed)
		})
	}
}

// live runs the program through a lab's day of some seconds with the adversity in the middle.
func (a *adversity) live(t *testing.T, program string, seed uint64) {
	dir := t.ArtifactDir()
	if a.needs != nil {
		a.needs(t, dir)
	}
	e := newEpisodeIn(t, dir, seed, 1, limstest.Options{Orders: 60, For: 3 * time.Second})
	e.clock.begin(false)
	if a.lims != nil {
		a.lims(e)
		e.configured()
	}
	c := exec.CommandContext(t.Context(), program, "run", "--config", e.config)
	var log growing
	c.Stdout, c.Stderr = &log, &log
	if a.clock {
		c.Env = append(os.Environ(), clockFile(t, dir))
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- c.Wait() }()
	alive := func() {
		t.Helper()
		select {
		case err := <-ended:
			t.Fatalf("the program ended by itself: %v\n%s", err, log.head())
		default:
		}
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("the end of its log:\n%s", log.tail())
		}
	})
	reports := func() int { return e.api.Counts().Reports }

	e.until("the first reports arrive", func() bool { alive(); return reports() >= 10 })
	a.strike(e)
	e.inFlight += parallel // what was on its way just then may be in doubt
	taken, _ := e.lab.Progress()
	e.until("the program notices, and the lab goes on meanwhile", func() bool {
		alive()
		now, all := e.lab.Progress()
		return strings.Contains(log.String(), a.felt) && (now >= taken+20 || now == all)
	})
	e.until("the lab's day is almost over", func() bool {
		alive()
		now, all := e.lab.Progress()
		return now > all*2/3
	})
	a.relent(e)
	before := reports()
	e.until("the program goes on by itself", func() bool { alive(); return reports() > before })
	e.until("the lab has done everything", func() bool { alive(); return e.lab.Done() })

	if err := c.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := <-ended; err != nil {
		t.Fatalf("told to stop, the program ended with %v\n%s", err, log.tail())
	}
	t.Log(e.end())
}

// until waits until something is so, for two minutes at most.
func (e *episode) until(what string, so func() bool) {
	e.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	patience := time.After(2 * time.Minute)
	for !so() {
		select {
		case <-tick.C:
		case <-patience:
			e.Fatalf("two minutes passed, and this did not happen: %s", what)
		}
	}
}

// growing is a log that is read while it is written.
type growing struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (g *growing) Write(p []byte) (int, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.text.Write(p)
}

func (g *growing) String() string {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.text.String()
}

func (g *growing) head() string {
	lines := strings.Split(g.String(), "\n")
	return strings.Join(lines[:min(40, len(lines))], "\n")
}

func (g *growing) tail() string {
	lines := strings.Split(g.String(), "\n")
	return strings.Join(lines[max(0, len(lines)-20):], "\n")
}

// smallDisk puts the ledger on a small disk of its own.
func smallDisk(t *testing.T, dir string) {
	state := filepath.Join(dir, "state")
	if err := os.MkdirAll(state, 0o700); err != nil {
		t.Fatal(err)
	}
	needsRoot(t)
	if err := syscall.Mount("tmpfs", state, "tmpfs", 0, "size=16m,mode=0700"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(state, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
}

func ballast(e *episode) string { return filepath.Join(e.state, "ballast") }

// fillDisk writes until nothing more goes onto the ledger's disk.
func fillDisk(e *episode) {
	f, err := os.Create(ballast(e))
	if err != nil {
		e.Fatal(err)
	}
	defer f.Close()
	block := make([]byte, 4096)
	for {
		switch _, err := f.Write(block); {
		case errors.Is(err, syscall.ENOSPC):
			return
		case err != nil:
			e.Fatal(err)
		}
	}
}

func freeDisk(e *episode) {
	if err := os.Remove(ballast(e)); err != nil {
		e.Fatal(err)
	}
}

// failingDisk puts the ledger on an ext4 of its own, in a file.
func failingDisk(t *testing.T, dir string) {
	state, image := filepath.Join(dir, "state"), diskImage(dir)
	if err := errors.Join(os.MkdirAll(state, 0o700), os.WriteFile(image, nil, 0o600), os.Truncate(image, 24<<20)); err != nil {
		t.Fatal(err)
	}
	needsRoot(t)
	shell(t, "mkfs.ext4", "-q", image)
	shell(t, "mount", "-o", "loop,errors=remount-ro", image, state)
	t.Cleanup(func() { shell(t, "umount", "--lazy", state) })
}

func diskImage(dir string) string { return filepath.Join(dir, "disk.img") }

// failDisk does what ext4 does after an error of the device: whatever is written fails from then on.
func failDisk(e *episode) { shell(e.T, "mount", "-o", "remount,abort", e.state) }

// mendDisk is what an administrator does then, while the program tries again and again.
func mendDisk(e *episode) {
	// The program's socket keeps the old mount busy, so the disk is copied to another one.
	if err := syscall.Unmount(e.state, syscall.MNT_DETACH); err != nil {
		e.Fatal(err)
	}
	image := diskImage(filepath.Dir(e.config)) + ".mended"
	shell(e.T, "cp", diskImage(filepath.Dir(e.config)), image)
	fsck := exec.CommandContext(e.Context(), "e2fsck", "-fy", image)
	var mended *exec.ExitError // 1: errors were corrected
	if out, err := fsck.CombinedOutput(); err != nil && (!errors.As(err, &mended) || mended.ExitCode() > 1) {
		e.Fatalf("%v\n%s", err, out)
	}
	shell(e.T, "mount", "-o", "loop", image, e.state)
}

// needsRoot leaves the test out where only root may do what it does; with CI=true it must be root.
func needsRoot(t *testing.T) {
	t.Helper()
	switch {
	case os.Geteuid() == 0:
	case os.Getenv("CI") == "true":
		t.Fatal("only root may mount a disk of a test's own, and CI=true")
	default:
		t.Skip("left out: only root may mount a disk of a test's own")
	}
}

// shell runs a command that must succeed.
func shell(t *testing.T, name string, args ...string) {
	t.Helper()
	if out, err := exec.CommandContext(context.WithoutCancel(t.Context()), name, args...).CombinedOutput(); err != nil {
		t.Fatalf("%s %v: %v\n%s", name, args, err, out)
	}
}

// onPostgres lets the program read the lab's views out of a PostgreSQL database, over a wire of its own.
func onPostgres(e *episode) {
	const usual = "127.0.0.1:5432"
	admin := e.open("pgx", "postgres://postgres@"+usual+"/postgres?sslmode=disable")
	if err := admin.Ping(); err != nil {
		if os.Getenv("CI") == "true" {
			e.Fatalf("no PostgreSQL answers at %s, and CI=true", usual)
		}
		e.Skipf("left out: no PostgreSQL answers at %s", usual)
	}
	name := fmt.Sprintf("limsbridge_adversity_%d", rand.Uint32())
	e.exec(admin, "CREATE DATABASE "+name)
	e.Cleanup(func() { e.exec(admin, "DROP DATABASE "+name+" WITH (FORCE)") })
	copied := e.open("pgx", "postgres://postgres@"+usual+"/"+name+"?sslmode=disable")
	e.exec(copied, `CREATE TABLE whoop_orders (row_id bigint PRIMARY KEY, changed_at timestamp, requisition_id text, order_code text, status text, reason text, birth_date text)`)
	e.exec(copied, `CREATE TABLE whoop_results (row_id bigint PRIMARY KEY, changed_at timestamp, requisition_id text, order_code text, result_code text, value text, unit text, status text)`)
	e.database = newWire(e.T, usual)
	host, port, _ := strings.Cut(e.database.address, ":")
	e.source = fmt.Sprintf("type: postgres, host: %s, port: %s, database: %s, login: sql, user: postgres, password: none", host, port, name)
	e.replicate(e.open("sqlite", "file:"+filepath.Join(filepath.Dir(e.config), "lab.db")+"?mode=ro"), copied)
}

func pullDatabase(e *episode) { e.database.pull() }
func plugDatabase(e *episode) { e.database.plug(e.T) }

// replicate keeps a copy of the lab's two views as tables, until the lab ends.
func (e *episode) replicate(from, to *sql.DB) {
	copyAll := func() error {
		return errors.Join(replica(from, to, "whoop_orders", 7), replica(from, to, "whoop_results", 8))
	}
	stop, done := make(chan struct{}), make(chan error, 1)
	go func() {
		tick := time.NewTicker(50 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-stop:
				done <- nil
				return
			case <-tick.C:
				if err := copyAll(); err != nil {
					done <- err
					return
				}
			}
		}
	}()
	stopLab := e.stopLab
	e.stopLab = sync.OnceValue(func() error {
		close(stop)
		return errors.Join(<-done, stopLab(), copyAll())
	})
	e.Cleanup(func() { _ = e.stopLab() })
}

// replica makes table hold the rows that view shows now. The rows of both have row_id first.
func replica(from, to *sql.DB, name string, columns int) (err error) {
	rows, err := from.Query("SELECT * FROM " + name)
	if err != nil {
		return err
	}
	defer rows.Close()
	tx, err := to.Begin()
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, tx.Rollback())
		}
	}()
	names, err := rows.Columns()
	if err != nil {
		return err
	}
	var places, sets, differs []string
	for i, c := range names[:columns] {
		places = append(places, fmt.Sprintf("$%d", i+1))
		if i > 0 {
			sets = append(sets, c+" = EXCLUDED."+c)
			differs = append(differs, fmt.Sprintf("%s.%s IS DISTINCT FROM EXCLUDED.%s", name, c, c))
		}
	}
	upsert := fmt.Sprintf("INSERT INTO %s (%s) VALUES (%s) ON CONFLICT (row_id) DO UPDATE SET %s WHERE %s",
		name, strings.Join(names, ", "), strings.Join(places, ", "), strings.Join(sets, ", "), strings.Join(differs, " OR "))
	here := []int64{}
	for rows.Next() {
		cells := make([]any, columns)
		into := make([]any, columns)
		for i := range cells {
			into[i] = &cells[i]
		}
		if err := rows.Scan(into...); err != nil {
			return err
		}
		for i, c := range cells {
			if t, ok := c.(time.Time); ok && names[i] == "birth_date" {
				cells[i] = t.Format(time.DateOnly)
			}
		}
		if _, err := tx.Exec(upsert, cells...); err != nil {
			return err
		}
		here = append(here, cells[0].(int64))
	}
	if err := rows.Err(); err != nil {
		return err
	}
	if _, err := tx.Exec("DELETE FROM "+name+" WHERE NOT row_id = ANY($1)", here); err != nil {
		return err
	}
	return tx.Commit()
}

func (e *episode) open(driver, dsn string) *sql.DB {
	e.Helper()
	db, err := sql.Open(driver, dsn)
	if err != nil {
		e.Fatal(err)
	}
	e.Cleanup(func() { _ = db.Close() })
	return db
}

func (e *episode) exec(db *sql.DB, query string) {
	e.Helper()
	if _, err := db.Exec(query); err != nil {
		e.Fatal(err)
	}
}

// settableClock are the flags that build a program whose clock on the wall is off by the seconds
// that a file holds: the standard library's time.Now, with that added. The monotonic clock is left
// alone, as it is when an administrator sets the time.
func settableClock(t *testing.T) []string {
	original := filepath.Join(runtime.GOROOT(), "src", "time", "time.go") //nolint:staticcheck // the tests run where the toolchain is
	text, err := os.ReadFile(original)
	if err != nil {
		t.Fatal(err)
	}
	const before = "func Now() Time {\n\tsec, nsec, mono := runtimeNow()\n"
	if strings.Count(string(text), before) != 1 {
		t.Fatal("time.Now of this version of Go looks otherwise: mend the replacement here")
	}
	// Timers call time.Now where no system call may be made, so the file is memory.
	const off = `
var clockIsOff = func() *int64 {
	name, ok := syscall.Getenv("LIMSBRIDGE_CLOCK")
	if !ok {
		return new(int64)
	}
	f, err := syscall.Open(name, syscall.O_RDONLY|syscall.O_CLOEXEC, 0)
	if err != nil {
		panic(err)
	}
	memory, err := syscall.Mmap(f, 0, 8, syscall.PROT_READ, syscall.MAP_SHARED)
	if err != nil {
		panic(err)
	}
	return (*int64)(unsafe.Pointer(&memory[0]))
}()
`
	changed := strings.Replace(string(text), before, before+"\tsec += atomic.Loadint64(clockIsOff)\n", 1)
	changed = strings.Replace(changed, "import (\n", "import (\n\t\"internal/runtime/atomic\"\n\t\"syscall\"\n\t\"unsafe\"\n", 1) + off
	dir := t.TempDir()
	replaced, overlay := filepath.Join(dir, "time.go"), filepath.Join(dir, "overlay.json")
	if err := errors.Join(
		os.WriteFile(replaced, []byte(changed), 0o600),
		os.WriteFile(overlay, fmt.Appendf(nil, `{"Replace": {%q: %q}}`, original, replaced), 0o600),
	); err != nil {
		t.Fatal(err)
	}
	return []string{"-overlay", overlay}
}

// clockFile makes that file, for a clock that is right, and returns what names it in the environment.
func clockFile(t *testing.T, dir string) string {
	if err := os.WriteFile(filepath.Join(dir, "clock"), make([]byte, 8), 0o600); err != nil {
		t.Fatal(err)
	}
	return "LIMSBRIDGE_CLOCK=" + filepath.Join(dir, "clock")
}

// setClock sets the program's clock off by d.
func setClock(d time.Duration) func(*episode) {
	return func(e *episode) {
		file := filepath.Join(filepath.Dir(e.config), "clock")
		f, err := os.OpenFile(file, os.O_WRONLY, 0)
		if err != nil {
			e.Fatal(err)
		}
		var seconds [8]byte
		binary.NativeEndian.PutUint64(seconds[:], uint64(d/time.Second))
		_, err = f.WriteAt(seconds[:], 0)
		if err := errors.Join(err, f.Close()); err != nil {
			e.Fatal(err)
		}
	}
}
