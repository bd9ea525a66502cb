package lims

import (
	"testing"
	"testing/synctest"
	"time"
)

func TestReadingsKeepTheirForm(t *testing.T) {
	for _, s := range []string{
		"2026-12-01T06:00:00", "2026-12-01 06:00:00", "2026-12-01 06:00:00.5", "2026-12-01T06:00:00.1234567", "2026-12-01T06:00:00.123456789Z",
		"2026-12-01 06:00:00+00", "2026-12-01 06:00:00.120-06:30", "2026-12-01 06:00:00+0530", "2026-12-01",
	} {
		r, ok := parseReading(s)
		if !ok || r.String() != s {
			t.Errorf("%s: %v, written as %s", s, ok, r)
		}
	}
	for _, s := range []string{
		"", "2026", "2026-13-01", "2026-02-30", "2026-12-01T", "2026-12-01T24:00:00", "2026-12-01T06:00", "2026-12-01T06:00:00.", "2026-12-01T06:00:00.1234567890",
		"2026-12-01T06:00:00 Z", "01.12.2026 06:00:00", "infinity", "2026-12-01T06:00:00+1", "12026-12-01 06:00:00", "2026-12-01X06:00:00", "2026-1-01 06:00:000",
	} {
		if r, ok := parseReading(s); ok {
			t.Errorf("%q was taken for %s", s, r)
		}
	}
}

func TestLocalReadingsAsInstants(t *testing.T) {
	for _, test := range []struct{ loc, wall, want, why string }{
		{"America/Chicago", "2026-07-01 07:00:00", "2026-07-01T12:00:00Z", "summer"},
		{"America/Chicago", "2026-12-01 06:00:00", "2026-12-01T12:00:00Z", "winter"},
		{"America/Chicago", "2026-11-01 01:30:00", "2026-11-01T06:30:00Z", "the repeated hour: the first of the two"},
		{"America/Chicago", "2026-11-01 02:00:00", "2026-11-01T08:00:00Z", "after it"},
		{"America/Chicago", "2026-11-01 00:59:59", "2026-11-01T05:59:59Z", "before it"},
		{"America/Chicago", "2026-03-08 01:59:59", "2026-03-08T07:59:59Z", "before the skipped hour"},
		{"America/Chicago", "2026-03-08 03:00:00", "2026-03-08T08:00:00Z", "after the skipped hour"},
		{"Europe/Berlin", "2026-10-25 02:30:00", "2026-10-25T00:30:00Z", "the repeated hour, east of UTC"},
		{"Australia/Lord_Howe", "2026-04-05 01:45:00", "2026-04-04T14:45:00Z", "a repeated half hour"},
		{"UTC", "2026-10-25 02:30:00", "2026-10-25T02:30:00Z", "no changes at all"},
		{"Asia/Kolkata", "2026-10-25 02:30:00", "2026-10-24T21:00:00Z", "no changes any more"},
	} {
		loc, err := time.LoadLocation(test.loc)
		if err != nil {
			t.Fatal(err)
		}
		for _, before := range []string{"", "2026-01-15 00:00:00", "2026-07-15 00:00:00"} { // whatever was asked before
			z := zone{loc: loc}
			if r, ok := parseReading(before); ok {
				r.instant(&z)
			}
			r, _ := parseReading(test.wall)
			if got := r.instant(&z).Format(time.RFC3339); got != test.want {
				t.Errorf("%s, %s (%s): got %s, want %s", test.loc, test.wall, test.why, got, test.want)
			}
		}
	}
}

// Looking back covers the time on the clock's face and the time that passed, when the clock changes.
func TestLookingBackOverAChangeOfTheClock(t *testing.T) {
	loc, err := time.LoadLocation("America/Chicago")
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		stamp string
		back  time.Duration
		want  string
	}{
		{"2026-07-01 07:00:00.123", 10 * time.Minute, "2026-07-01 06:50:00.123"},
		{"2026-11-01 02:05:00", 75 * time.Minute, "2026-11-01 00:50:00"}, // real: 01:50 of the first 1 o'clock
		{"2026-11-01 01:59:00", 75 * time.Minute, "2026-11-01 00:44:00"},
		{"2026-03-08 03:05:00", 10 * time.Minute, "2026-03-08 01:55:00"}, // face: 02:55, which never was
		{"2026-07-01T12:00:00Z", time.Hour, "2026-07-01T11:00:00Z"},
		{"2026-07-01 12:00:00+02", time.Hour, "2026-07-01 11:00:00+02"},
	} {
		r, _ := parseReading(test.stamp)
		if got := r.minus(test.back, &zone{loc: loc}).String(); got != test.want {
			t.Errorf("%s less %s: got %s, want %s", test.stamp, test.back, got, test.want)
		}
	}
}

// A cursor beyond the server's clock (set back since, or the repeated hour of autumn) looks back from that clock.
func TestLookingBackFollowsTheServersClock(t *testing.T) {
	loc, err := time.LoadLocation("America/Chicago")
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct{ stamp, server, want, why string }{
		{"2026-07-01 07:00:00", "2026-07-01T12:30:00Z", "2026-07-01 06:50:00", "the clock is ahead of the cursor"},
		{"2026-07-01 07:00:00.123", "2026-07-01T09:00:00.5Z", "2026-07-01 03:50:00.500", "the clock was set back by three hours"},
		{"2026-07-01T12:00:00Z", "2026-07-01T09:00:00Z", "2026-07-01T08:50:00Z", "so was that of a column with zone"},
		{"2026-07-01 12:00:00+02", "2026-07-01T09:00:00Z", "2026-07-01 10:50:00+02", "not as far as it seems: 11:00 +02"},
		{"2026-11-01 01:59:00", "2026-11-01T07:10:00Z", "2026-11-01 01:00:00", "the second ten past one, in autumn"},
		{"no date-time", "2026-07-01T12:00:00Z", "no date-time", "it cannot tell"},
	} {
		server, err := time.Parse(time.RFC3339, test.server)
		if err != nil {
			t.Fatal(err)
		}
		synctest.Test(t, func(t *testing.T) { // no time passes
			src := &source{changed: column{kind: kindClock}, zone: zone{loc: loc}, clock: clock{at: server, read: time.Now()}}
			if got := src.lookBack(Cursor{Stamp: test.stamp}, 10*time.Minute); got != test.want {
				t.Errorf("%s with the clock at %s (%s): begins at %s, want %s", test.stamp, test.server, test.why, got, test.want)
			}
		})
	}
}

func TestCompareStamps(t *testing.T) {
	for _, test := range []struct {
		k    kind
		a, b string
	}{ // a before b
		{kindInteger, "9", "10"},
		{kindInteger, "-10", "9"},
		{kindInteger, "9223372036854775807", "18446744073709551615"},
		{kindVersion, "0x00000000000000FF", "0x0000000000000100"},
		{kindClock, "2026-12-01 06:00:00", "2026-12-01 06:00:00.5"},
		{kindClock, "2026-12-01 06:00:00.05", "2026-12-01 06:00:00.1"},
		{kindClock, "2026-12-01 06:00:00+02", "2026-12-01 05:00:00+00"},
	} {
		if compareStamps(test.k, test.a, test.b) >= 0 || compareStamps(test.k, test.b, test.a) <= 0 || compareStamps(test.k, test.a, test.a) != 0 {
			t.Errorf("%s does not come before %s", test.a, test.b)
		}
	}
}

func TestTrail(t *testing.T) {
	begin := time.Date(2026, 12, 1, 6, 0, 0, 0, time.UTC)
	at := begin.Add
	var c Cursor
	c.mark(begin, "")
	for i := 1; i <= 300; i++ { // one poll in twenty seconds, for 100 minutes; the stamp says when
		c.mark(at(time.Duration(i)*20*time.Second), at(time.Duration(i)*20*time.Second).Format("15:04:05"))
	}
	now := at(300 * 20 * time.Second)
	if len(c.Trail) > trailLength {
		t.Errorf("%d marks", len(c.Trail))
	}
	for _, test := range []struct {
		back, within time.Duration
	}{{0, 0}, {10 * time.Minute, trailSpacing + 20*time.Second}, {75 * time.Minute, trailSpacing + 20*time.Second}} {
		stamp, err := time.Parse("15:04:05", c.lookBackOnTrail(test.back, now))
		if err != nil {
			t.Fatal(err)
		}
		found := time.Duration(stamp.Hour()-6)*time.Hour + time.Duration(stamp.Minute())*time.Minute + time.Duration(stamp.Second())*time.Second
		want := now.Sub(begin) - test.back
		if found > want || found < want-test.within {
			t.Errorf("back %s: begins %s after the start, want at most %s and at least %s", test.back, found, want, want-test.within)
		}
	}
	young := Cursor{Stamp: "200", Trail: []TrailMark{{At: begin, Stamp: ""}, {At: at(time.Minute), Stamp: "200"}}}
	if got := young.lookBackOnTrail(10*time.Minute, at(2*time.Minute)); got != "" {
		t.Errorf("a trail younger than the look-back begins at %q, want its beginning", got)
	}
	if got := (Cursor{Stamp: "200"}).lookBackOnTrail(10*time.Minute, now); got != "200" {
		t.Errorf("without a trail: %q", got)
	}
}

func TestMarkLeavesOlderCursorsAlone(t *testing.T) {
	begin := time.Date(2026, 12, 1, 6, 0, 0, 0, time.UTC)
	older := Cursor{Trail: make([]TrailMark, 0, 8)}
	older.mark(begin, "1")
	older.mark(begin.Add(time.Second), "2")
	newer := older
	newer.mark(begin.Add(2*time.Second), "3")
	if older.Trail[1].Stamp != "2" || newer.Trail[1].Stamp != "3" {
		t.Errorf("older %v, newer %v", older.Trail, newer.Trail)
	}
}

func TestStall(t *testing.T) {
	begin := time.Date(2026, 12, 1, 6, 0, 0, 0, time.UTC)
	var s stall
	for i, test := range []struct {
		minute         int
		lowest, newest string
		tell           bool
	}{
		{0, "0x05", "0x07", false},
		{10, "0x05", "0x08", false},
		{15, "0x05", "0x09", true},
		{20, "0x05", "0x09", false}, // told
		{25, "0x0A", "0x09", false}, // no transaction is open
		{60, "0x0A", "0x09", false},
		{76, "0x0A", "0x0B", false}, // one is, since 60 or later
		{90, "0x0A", "0x0B", false},
		{91, "0x0A", "0x0B", true}, // for 15 minutes at least
	} {
		var tell bool
		if s, tell = s.next(test.lowest, test.newest, begin.Add(time.Duration(test.minute)*time.Minute)); tell != test.tell {
			t.Errorf("step %d: told %v", i, tell)
		}
	}
}
