package conform_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"limsbridge/lims"
)

// Row ids may be decimals: those with digits behind the point, and those beyond 64 bits, are read in
// pages and found again like any others.
func TestDecimalIDs(t *testing.T) {
	databases(t, func(t *testing.T, d database) {
		d.results(t, "decimal", "stamp")
		same := stampAgo(time.Hour)
		want := []string{"-2.5000", "1.0000", "9.5000", "10.2500", "12345678.0001"}
		if d.kind() == lims.SQLite { // holds texts, which are ordered as such
			slices.Sort(want)
		}
		for i, id := range want {
			d.put(t, id, same)
			want[i] = d.decimal(id)
		}
		r := d.reader(t, small)
		ids, _ := poll(t, r, lims.Cursor{}, 0)
		if !slices.Equal(ids, want) {
			t.Errorf("read %q, want %q", ids, want)
		}
		rows, err := r.Fetch(t.Context(), lims.Results, append(ids, "7.0000", "1e3", "x"))
		if err != nil || len(rows) != len(want) {
			t.Errorf("found %d of %d again (%v)", len(rows), len(want), err)
		}
	})
}

// What a database of another encoding holds is shown as it is: an old one may be in Latin letters only.
func TestDatabaseOfAnotherEncoding(t *testing.T) {
	l := openServer(t, lims.Postgres).(*sqlLab)
	name := l.o.Database + "_latin"
	l.exec(t, "CREATE DATABASE "+name+" ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0")
	t.Cleanup(func() { l.exec(t, "DROP DATABASE "+name+" WITH (FORCE)") })
	latin := &sqlLab{of: lims.Postgres, o: l.o, columns: map[string][]column{}}
	latin.o.Database = name
	latin.db = open(t, "pgx", strings.Replace(dsn(l.o, name), "?", "?client_encoding=UTF8&", 1))
	d := database{lab: latin}
	d.results(t, "short", "stamp")
	want := []string{"Grün", "Müller", "Åse"} // by their bytes
	for _, id := range want {
		d.insert(t, "results", append(resultKeys, "unit"), append(result(id, stampAgo(time.Hour)), "µg/L"))
	}
	r := d.reader(t, nil)
	if row := first(t, r, lims.Results); row.Unit != "µg/L" || row.Problem != "" {
		t.Errorf("unit %q, problem %q", row.Unit, row.Problem)
	}
	if rows, err := r.Fetch(t.Context(), lims.Results, want); err != nil || len(rows) != len(want) {
		t.Errorf("found %d of %d again (%v)", len(rows), len(want), err)
	}
}
