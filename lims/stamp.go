package lims

import (
	"cmp"
	"strconv"
	"strings"
	"time"
)

// A stamp is the text of one changed_at value, without loss:
//
//   - of a date-time column 2026-12-01T06:00:00.1234567, with as many digits as the column has, and
//     with a zone (Z) only where the column has one; SQLite's text stays as it is written there;
//   - of an integer column its decimal text;
//   - of a rowversion 0x and sixteen capital hexadecimal digits.

// reading is a date-time stamp taken apart: a clock's reading and how it was written.
type reading struct {
	wall   time.Time // what the clock read, as if it were UTC
	sep    byte      // between date and time: ' ' or 'T'; 0: there was no time
	digits int       // of the fraction of a second
	zone   string    // "", "Z" or an offset such as +01:00 or +01
	offset int       // of zone, seconds east of UTC
}

// parseReading takes a date-time stamp apart. It is written by hand because every row read passes
// through it.
func parseReading(s string) (r reading, ok bool) {
	if len(s) < 10 || s[4] != '-' || s[7] != '-' {
		return r, false
	}
	year, ok1 := digits(s[0:4])
	month, ok2 := digits(s[5:7])
	day, ok3 := digits(s[8:10])
	if !ok1 || !ok2 || !ok3 || month < 1 || month > 12 || day < 1 || day > 31 {
		return r, false
	}
	var hour, minute, second, nano int
	if rest := s[10:]; rest != "" {
		if r.sep = rest[0]; len(rest) < 9 || (r.sep != ' ' && r.sep != 'T') || rest[3] != ':' || rest[6] != ':' {
			return r, false
		}
		hour, ok1 = digits(rest[1:3])
		minute, ok2 = digits(rest[4:6])
		second, ok3 = digits(rest[7:9])
		if !ok1 || !ok2 || !ok3 || hour > 23 || minute > 59 || second > 59 {
			return r, false
		}
		rest = rest[9:]
		if rest != "" && rest[0] == '.' {
			unit := 1_000_000_000
			for rest = rest[1:]; rest != "" && rest[0] >= '0' && rest[0] <= '9' && r.digits < 9; rest = rest[1:] {
				unit /= 10
				nano += int(rest[0]-'0') * unit
				r.digits++
			}
			if r.digits == 0 {
				return r, false
			}
		}
		if r.zone = rest; rest != "" {
			if r.offset, ok = offset(rest); !ok {
				return r, false
			}
		}
	}
	r.wall = time.Date(year, time.Month(month), day, hour, minute, second, nano, time.UTC)
	return r, r.wall.Day() == day
}

// digits returns the number that a text of nothing but digits is.
func digits(s string) (n int, ok bool) {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return 0, false
		}
		n = n*10 + int(s[i]-'0')
	}
	return n, s != ""
}

// offset returns the seconds east of UTC of Z, ±hh, ±hhmm or ±hh:mm.
func offset(s string) (seconds int, ok bool) {
	if s == "Z" {
		return 0, true
	}
	sign := 1
	switch s[0] {
	case '-':
		sign = -1
	case '+':
	default:
		return 0, false
	}
	s = strings.Replace(s[1:], ":", "", 1)
	n, ok := digits(s)
	switch {
	case ok && len(s) == 2:
		return sign * n * 3600, true
	case ok && len(s) == 4:
		return sign * (n/100*3600 + n%100*60), true
	}
	return 0, false
}

// String writes the reading as it was written. A finer time is cut, never rounded up: a cursor may
// lie too early, not too late.
func (r reading) String() string {
	if r.sep == 0 {
		return r.wall.Format("2006-01-02")
	}
	layout := "2006-01-02" + string(r.sep) + "15:04:05"
	if r.digits > 0 {
		layout += "." + strings.Repeat("0", r.digits)
	}
	return r.wall.Format(layout) + r.zone
}

// at returns the same kind of reading for another instant.
func (r reading) at(t time.Time, z *zone) reading {
	if r.zone != "" {
		r.wall = t.UTC().Add(time.Duration(r.offset) * time.Second)
	} else {
		r.wall = asUTC(t.In(z.loc))
	}
	return r
}

// minus returns the reading from which everything of the last d, and of d on the clock's face, lies
// ahead. The two differ when the clocks change; the earlier one is taken.
func (r reading) minus(d time.Duration, z *zone) reading {
	face := r
	face.wall = r.wall.Add(-d)
	if real := r.at(r.instant(z).Add(-d), z); real.wall.Before(face.wall) {
		return real
	}
	return face
}

// instant returns when the clock read so. See zone.instant for readings without zone.
func (r reading) instant(z *zone) time.Time {
	if r.zone != "" {
		return r.wall.Add(-time.Duration(r.offset) * time.Second)
	}
	return z.instant(r.wall)
}

// zone turns the readings of a local clock into instants. It remembers the last offset because
// rows arrive in the order of their stamps.
type zone struct {
	loc      *time.Location
	from, to int64 // readings (seconds, as if UTC) between which offset certainly holds
	offset   int64 // seconds east of UTC
}

// instant returns the instant (UTC) at which the clock showed this reading. A reading that occurs
// twice, in the hour repeated in autumn, is taken to be the first of the two: its rows then never
// seem to lie in the future, and the hourly look-back of over an hour re-reads what lay beside it. A
// reading skipped in spring is taken as time.Date takes it.
func (z *zone) instant(wall time.Time) time.Time {
	s := wall.Unix()
	if s < z.from || s >= z.to {
		z.learn(wall)
	}
	if s >= z.from && s < z.to {
		return wall.Add(-time.Duration(z.offset) * time.Second)
	}
	t := time.Date(wall.Year(), wall.Month(), wall.Day(), wall.Hour(), wall.Minute(), wall.Second(), wall.Nanosecond(), z.loc)
	_, before := t.Add(-12 * time.Hour).Zone()
	if first := wall.Add(-time.Duration(before) * time.Second); first.Before(t) && asUTC(first.In(z.loc)).Equal(wall) {
		return first
	}
	return t.UTC()
}

// learn remembers the offset that holds around a reading, away from the changes of the clock.
func (z *zone) learn(wall time.Time) {
	const margin = 26 * 3600 // no change of a clock is larger
	t := wall.In(z.loc)
	_, off := t.Zone()
	start, end := t.ZoneBounds()
	z.offset, z.from, z.to = int64(off), -1<<62, 1<<62
	if !start.IsZero() {
		z.from = start.Unix() + z.offset + margin
	}
	if !end.IsZero() {
		z.to = end.Unix() + z.offset - margin
	}
}

// asUTC returns the reading of t's own clock as if it were UTC.
func asUTC(t time.Time) time.Time {
	_, off := t.Zone()
	return t.UTC().Add(time.Duration(off) * time.Second)
}

// compareStamps orders two stamps of the same column.
func compareStamps(k kind, a, b string) int {
	switch k {
	case kindInteger, kindDecimal:
		x, err1 := strconv.ParseInt(a, 10, 64)
		y, err2 := strconv.ParseInt(b, 10, 64)
		if err1 == nil && err2 == nil {
			return cmp.Compare(x, y)
		}
		return cmp.Or(cmp.Compare(len(a), len(b)), cmp.Compare(a, b)) // beyond int64: unsigned
	case kindClock:
		x, ok1 := parseReading(a)
		y, ok2 := parseReading(b)
		if ok1 && ok2 {
			return x.wall.Add(-time.Duration(x.offset) * time.Second).Compare(y.wall.Add(-time.Duration(y.offset) * time.Second))
		}
	}
	return cmp.Compare(a, b)
}
