package conform_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"limsbridge/lims"
)

// setClock lets the database's clock be off by d. Only some kinds can do that for one database alone.
func (d database) setClock(t *testing.T, off time.Duration) {
	t.Helper()
	if l, ok := d.lab.(playedOracle); ok {
		l.s.SetClock(off)
		return
	}
	l := d.sql(t)
	switch {
	case l.clock != nil:
		l.clock(off)
		return
	case d.kind() != lims.Postgres:
		t.Skipf("the clock of %s cannot be set for one database alone", d.kind())
	}
	l.exec(t, "CREATE SCHEMA IF NOT EXISTS off")
	l.exec(t, fmt.Sprintf("CREATE OR REPLACE FUNCTION off.clock_timestamp() RETURNS timestamptz LANGUAGE sql AS $$ SELECT pg_catalog.clock_timestamp() + interval '%d seconds' $$", int(off.Seconds())))
	l.exec(t, "ALTER DATABASE "+d.options().Database+" SET search_path = off, public, pg_catalog")
}

// A LIMS whose clock is hours ahead or behind stamps its rows by that clock: none is lost, the cursor keeps going,
// a person is told of the clock once, and of no stamps in the future; and when the clock is set right, reading goes on at once, not when the time has come again.
func TestClockThatIsOff(t *testing.T) {
	for _, off := range []time.Duration{3 * time.Hour, -5 * time.Hour, 4 * time.Minute} {
		t.Run(off.String(), func(t *testing.T) {
			databases(t, func(t *testing.T, d database) {
				off := off
				d.results(t, "id", "stamp")
				d.setClock(t, off)
				var notices []lims.Notice
				r := d.reader(t, func(o *lims.Options) {
					small(o)
					o.Notice = func(n lims.Notice) { notices = append(notices, n) }
				})
				now, err := r.Now(t.Context())
				if d := time.Until(now) - off; err != nil || d.Abs() > time.Minute {
					t.Fatalf("the server's clock is read as %v (%v), want it %s off", now, err, off)
				}
				at := func(id int, ago time.Duration) { d.put(t, id, stampAgo(ago-off)) }
				c, err := r.Start(t.Context(), lims.Results, time.Now()) // by this machine's clock
				if err != nil {
					t.Fatal(err)
				}
				follow := func(want ...string) {
					t.Helper()
					ids, cursor := poll(t, r, c, lookBack)
					c = cursor
					for _, id := range want {
						if !slices.Contains(ids, id) {
							t.Errorf("polling shows %v, want %s among them", ids, id)
						}
					}
				}
				at(1, 2*time.Second)
				follow("1")
				at(2, time.Second)
				follow("2")
				if len(notices) != 1 || notices[0].Kind != lims.ClockOff || (notices[0].Ahead-off).Abs() > time.Minute {
					t.Errorf("notices: %v, want one of the clock", notices)
				}

				off = 0
				d.setClock(t, 0)
				if d.kind() == lims.Postgres {
					r = d.reader(t, small) // the clock of a session under way cannot be set
				}
				for id := 3; id < 6; id++ {
					at(id, time.Second)
					follow(fmt.Sprint(id))
				}
			})
		})
	}
}
