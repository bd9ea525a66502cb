package bridge_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"runtime/debug"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
	_ "time/tzdata" // the lab's zone, also on machines without the database of zones

	"github.com/google/uuid"

	"limsbridge/bridge"
	"limsbridge/bridge/ledger"
	"limsbridge/lims"
	"limsbridge/whoop"
	"limsbridge/whoop/sandbox"
)

// A month in virtual time: the whole bridge with its loop, the reader on a SQLite file, the ledger
// on disk, the client, and the simulated API behind connections in memory. A seeded lab lives
// through it, seeded weather makes API and LIMS fail, and the process is killed now and then. What
// the API accepted is compared with what the lab ever showed.
//
// `go test ./bridge` lives through three months (-short: through a week of the hostile kind), LIMSBRIDGE_MONTHS=100
// through a hundred; the kinds of month take turns. LIMSBRIDGE_SEED=7 begins with the seed 7. Without it the months are always the
// same, so that a change is judged by what it changed; `make months` lives through new ones.
func TestVirtualMonths(t *testing.T) {
	months, seed := 3, uint64(1)
	if testing.Short() {
		months = 1
	}
	if text := os.Getenv("LIMSBRIDGE_MONTHS"); text != "" {
		var err error
		if months, err = strconv.Atoi(text); err != nil {
			t.Fatal("LIMSBRIDGE_MONTHS is no number")
		}
	}
	if text := os.Getenv("LIMSBRIDGE_SEED"); text != "" {
		var err error
		if seed, err = strconv.ParseUint(text, 10, 64); err != nil {
			t.Fatal("LIMSBRIDGE_SEED is no number")
		}
	}
	percent := debug.SetGCPercent(400) // a fifth of the time otherwise
	t.Cleanup(func() { debug.SetGCPercent(percent) })
	for i := range uint64(months) {
		kind := monthKinds[(seed+i)%uint64(len(monthKinds))]
		t.Run(fmt.Sprintf("%s, seed %d", kind.name, seed+i), func(t *testing.T) {
			t.Parallel()
			t.Cleanup(func() {
				if t.Failed() {
					t.Logf("once more: LIMSBRIDGE_MONTHS=1 LIMSBRIDGE_SEED=%d go test -run '^TestVirtualMonths$' ./bridge", seed+i)
				}
			})
			synctest.Test(t, func(t *testing.T) { newVirtual(t, seed+i, kind).month() })
		})
	}
}

// monthKind is what a month has in store.
type monthKind struct {
	name       string
	faults     bool // calls fail, API and LIMS are out of order for hours
	kills      bool // the process is killed and restarted
	rolledBack bool // the machine is put back to a snapshot, once
	two        bool // a second installation runs on the same credentials
}

var monthKinds = []monthKind{
	{name: "calm"},
	{name: "hostile", faults: true},
	{name: "killed", faults: true, kills: true},
	{name: "rolled back", rolledBack: true},
	{name: "two bridges", two: true},
}

// virtual is everything outside the bridge's process.
type virtual struct {
	t        *testing.T
	kind     monthKind
	seed     uint64
	zone     *time.Location
	scratch  string
	net      *memoryNet
	api      *sandbox.Server
	weather  *weather
	lab      *lab
	agenda   agenda
	mapping  *bridge.Mapping
	settings bridge.Settings
	lims     lims.Options
	client   whoop.Options
	limit    int  // calls a minute
	headers  bool // the API tells of its quota
	begin    time.Time
	calm     time.Time // from then on nothing happens in the lab, and soon nothing fails any more

	complaints *complaints
	limsDown   atomic.Bool

	mu       sync.Mutex
	chance   *dice // for what happens at a kill
	names    int
	kills    int
	back     *rollback
	maybe    map[uuid.UUID]int // reports that a kill may have left without outcome, by service request
	troubled []span            // when the API, the LIMS or the process was out of order
}

type span struct{ from, to time.Time }

const virtualDay = 24 * time.Hour

func newVirtual(t *testing.T, seed uint64, kind monthKind) *virtual {
	t.Helper()
	d := newDice(seed, 1)
	w := &virtual{
		t: t, kind: kind, seed: seed, scratch: memoryFolder(t), net: newMemoryNet(), chance: newDice(seed, 2),
		mapping: virtualMapping(t), settings: settings(), complaints: &complaints{said: map[string]int{}},
		maybe: map[uuid.UUID]int{},
	}
	// A bubble's clock begins at 2000-01-01 UTC; a month with a change of the clocks, or none.
	var err error
	if w.zone, err = time.LoadLocation([]string{"America/New_York", "America/New_York", "UTC"}[d.IntN(3)]); err != nil {
		t.Fatal(err)
	}
	w.begin = time.Date(2000, []time.Month{3, 10, 10, 5}[d.IntN(4)], 15, 8, 0, 0, 0, w.zone)
	<-time.After(time.Until(w.begin))

	w.limit = []int{20, 40, 100}[d.IntN(3)]
	o := sandbox.Options{Seed: seed, PerMinute: w.limit, PerDay: 3000, TokenLife: time.Hour, Lenient: d.chance(50), CompleteOnFull: d.chance(30)}
	if w.headers = !kind.two || d.chance(50); !w.headers {
		o.PerMinute, o.PerDay = 0, 0
	}
	w.api = sandbox.New(o)
	w.weather = &weather{api: w.api, seed: seed, calls: map[string]uint64{}, unclear: map[uuid.UUID]int{}, refused: map[uuid.UUID]int{}}
	w.client = whoop.Options{
		BaseURL: "http://127.0.0.1/developer", ClientID: sandbox.DefaultClientID, ClientSecret: sandbox.DefaultClientSecret,
		PerMinute: w.limit, PerDay: 3000,
	}
	w.settings.StartFrom = w.begin.Add(-time.Minute)
	w.settings.Every = 5 * time.Minute
	busy, long := 12*virtualDay, 23*virtualDay // then the lab rests, and soon nothing fails any more
	if d.chance(15) {
		w.settings.Every = time.Minute
		busy, long = 4*virtualDay, 8*virtualDay // as many passes as otherwise in a month
	}
	orders := 60
	if testing.Short() { // with the race detector time is dear
		orders, busy, long = orders/4, busy/4, long/4
	}
	w.settings.Parallel = []int{1, 1, 4}[d.IntN(3)]
	file := filepath.Join(w.scratch, "lab.db")
	w.lims = lims.Options{Type: lims.SQLite, Database: file, Orders: lims.Query{View: "orders"}, Results: lims.Query{View: "results"}, Location: w.zone}
	db, err := sql.Open("sqlite", "file:"+file+"?_pragma=journal_mode(wal)&_pragma=synchronous(off)")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := db.ExecContext(t.Context(), labSchema); err != nil {
		t.Fatal(err)
	}
	w.lab = &lab{t: t, db: db, zone: w.zone, dice: d, agenda: &w.agenda}
	w.lab.requisitions(w.api, orders, w.begin.Add(time.Hour), w.begin.Add(busy))
	w.calm = w.begin.Add(long)
	w.lab.nightShift(w.api, w.begin.Add(virtualDay), w.calm)
	w.agenda.end(w.calm)
	w.plan(d)

	server := &http.Server{Handler: w.weather, ErrorLog: slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)}
	go func() { _ = server.Serve(w.net) }()
	t.Cleanup(func() {
		if err := errors.Join(server.Close(), w.api.Close(), db.Close()); err != nil {
			t.Error(err)
		}
	})
	return w
}

// plan puts the weather of the month, and its kills, into the agenda. The last days are calm.
func (w *virtual) plan(d *dice) {
	if !w.kind.faults {
		return
	}
	w.weather.set(hostile, nil)
	at := func() time.Time { return w.begin.Add(d.between(0, w.calm.Sub(w.begin))) }
	during := func(from time.Time, long time.Duration, begin, end func()) {
		w.agenda.add(from, begin)
		w.agenda.add(from.Add(long), end)
		w.troubled = append(w.troubled, span{from, from.Add(long)})
	}
	for range 8 {
		storm := storms[d.IntN(len(storms))]
		during(at(), d.between(10*time.Minute, 2*time.Hour), func() { w.weather.set(hostile, storm) }, func() { w.weather.set(hostile, nil) })
	}
	for range 4 {
		during(at(), d.between(10*time.Minute, 6*time.Hour), func() { w.net.set(true) }, func() { w.net.set(false) })
		during(at(), d.between(10*time.Minute, 6*time.Hour), func() { w.limsDown.Store(true) }, func() { w.limsDown.Store(false) })
	}
	for range 10 {
		w.agenda.add(at(), w.api.ExpireTokens)
	}
	w.agenda.add(w.calm.Add(6*time.Hour), func() { w.weather.set(nil, nil) })
}

// month lives through the month and judges it.
func (w *virtual) month() {
	d := newDice(w.seed, 3)
	sometime := func() time.Time { return w.begin.Add(d.between(0, w.calm.Sub(w.begin))) }
	i := w.install("a")
	var other *installation
	if w.kind.two {
		// Both at the same instant, or the second one later.
		later := d.between(0, []time.Duration{1, 2 * time.Hour, 10 * virtualDay}[d.IntN(3)])
		w.agenda.add(w.begin.Add(later), func() { other = w.install("b") })
	}
	if w.kind.kills {
		for range 25 {
			fuse, busy := 1+d.IntN(30), d.chance(80)
			w.agenda.add(sometime(), func() { i.with(func(p *process) { p.arm(fuse, busy) }) })
		}
		for range 5 {
			w.agenda.add(sometime(), i.restart)
		}
	}
	if w.kind.rolledBack {
		at := sometime()
		w.agenda.add(at, i.snapshot)
		w.agenda.add(at.Add(d.between(time.Minute, 2*virtualDay)), i.rollBack)
	}
	if !w.kind.two {
		for at := w.begin.Add(8 * time.Hour); at.Before(w.calm.Add(3 * virtualDay)); at = at.Add(8 * time.Hour) {
			w.agenda.add(at, func() { i.with(w.visit) })
		}
		w.agenda.add(w.calm.Add(12*time.Hour), func() { i.with(w.mend) })
	}
	w.agenda.add(w.calm.Add(4*virtualDay), func() {})
	w.agenda.run()
	i.stop()
	if other != nil {
		other.stop()
		w.judgeTwo(i, other)
		return
	}
	w.judge(i)
}

// visit is a person's, who lets sending go on where it stopped.
func (w *virtual) visit(p *process) {
	stops := 0
	p.ledger.View(func(s *bridge.State) { stops = len(s.Stops) })
	if stops > 0 {
		w.mend(p)
	}
}

// mend lets sending go on and everything be tried once more.
func (w *virtual) mend(p *process) {
	for _, e := range []bridge.Event{{Act: bridge.ResumeAct}, {Act: bridge.ReleaseAct, Detail: bridge.CorrectionsBrake, Count: 100}} {
		e.At, e.By, e.Why = time.Now(), "A. Lab", "a test"
		if err := p.bridge.Act(context.Background(), e); err != nil && !errors.Is(err, errKilled) {
			w.t.Error(err)
		}
	}
}

// installation is one place where the bridge's program runs, again and again.
type installation struct {
	*virtual
	mu  sync.Mutex
	p   *process // nil: it does not run
	dir string
	// saved is the snapshot that the machine will be put back to.
	saved string

	over chan struct{}
	done chan struct{}
}

// install makes a ledger and runs the program on it, and again after each kill.
func (w *virtual) install(name string) *installation {
	i := &installation{virtual: w, dir: filepath.Join(w.scratch, name), over: make(chan struct{}), done: make(chan struct{})}
	if err := ledger.Create(i.dir, time.Now(), "test", "test"); err != nil {
		w.t.Fatal(err)
	}
	i.p = w.start(i.dir)
	go i.watch()
	return i
}

// watch starts the program again a while after it was killed.
func (i *installation) watch() {
	defer close(i.done)
	for {
		i.mu.Lock()
		p := i.p
		i.mu.Unlock()
		select {
		case <-i.over:
			return
		case <-p.ended:
		}
		i.mu.Lock()
		if i.p == p && !p.dead() {
			i.mu.Unlock()
			i.t.Error("the loop ended by itself")
			return
		}
		if i.p == p {
			died := time.Now()
			i.dir, i.p = p.end(), nil
			i.mu.Unlock()
			<-time.After(i.pause())
			i.mu.Lock()
			i.trouble(died.Add(-time.Minute), time.Now())
			i.p = i.start(i.dir)
		}
		i.mu.Unlock()
	}
}

// with does something with the running process, if there is one.
func (i *installation) with(do func(*process)) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.p != nil && !i.p.dead() {
		do(i.p)
	}
}

// restart ends the process as the system's service control does, and starts it again.
func (i *installation) restart() {
	i.with(func(p *process) {
		i.dir = p.end()
		i.p = i.start(i.dir)
	})
}

func (i *installation) stop() {
	close(i.over)
	<-i.done
	i.dir = i.p.end()
}

// snapshot keeps the ledger's folder as it is now, as a snapshot of the machine does.
func (i *installation) snapshot() {
	i.with(func(p *process) {
		i.saved = p.copyState()
		p.mu.Lock()
		defer p.mu.Unlock()
		p.unfinished()
	})
	i.back = &rollback{from: time.Now(), before: i.atWHOOP()}
}

// rollBack puts the machine back to the snapshot: ledger and journal together.
func (i *installation) rollBack() {
	i.with(func(p *process) {
		p.end()
		i.dir = i.saved
		i.back.to, i.back.after = time.Now(), i.atWHOOP()
		i.p = i.start(i.dir)
	})
}

// rollback is what a rollback made the bridge forget.
type rollback struct {
	from, to      time.Time
	before, after map[uuid.UUID]string // what WHOOP showed then, by service request
}

// hidden reports whether WHOOP shows nothing of what was forgotten of a service request.
func (b *rollback) hidden(id uuid.UUID) bool { return b.before[id] == b.after[id] }

// atWHOOP is the business status of every service request.
func (w *virtual) atWHOOP() map[uuid.UUID]string {
	all := map[uuid.UUID]string{}
	for _, a := range w.api.Accepted() {
		all[a.ID] = a.BusinessStatus
	}
	return all
}

// pause is how long nobody notices that the process is gone.
func (w *virtual) pause() time.Duration {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.chance.between(time.Second, []time.Duration{time.Minute, 3 * time.Hour}[w.chance.IntN(2)])
}

func (w *virtual) trouble(from, to time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.kills++
	w.troubled = append(w.troubled, span{from, to})
}

func (w *virtual) torn() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.chance.chance(30)
}

func (w *virtual) nextName() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.names++
	return "copy" + strconv.Itoa(w.names)
}

// interrupted notes that a kill may have left a report of this service request without outcome.
func (w *virtual) interrupted(id uuid.UUID) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.maybe[id]++
}
