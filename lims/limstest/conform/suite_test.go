package conform_test

import (
	"strings"
	"testing"
	"time"

	"limsbridge/lims"
)

// database is a lab together with how the suite's tests read it.
type database struct {
	lab
	another func(testing.TB) lab // an empty one of the same kind
}

// databases runs f against each database of labs.
func databases(t *testing.T, f func(t *testing.T, d database)) {
	for _, l := range labs {
		t.Run(l.name, func(t *testing.T) { f(t, database{l.open(t), l.open}) })
	}
}

// decimal is what a decimal column gives for a number that was put into it.
func (d database) decimal(text string) string {
	if d.kind() == lims.Oracle { // a NUMBER keeps no zeros at the end
		text = strings.TrimSuffix(strings.TrimRight(text, "0"), ".")
	}
	return text
}

// sql returns the lab as one that speaks SQL, for rules about views, functions, locks and the like. A
// lab that plays its tables leaves them out.
func (d database) sql(t testing.TB) *sqlLab {
	t.Helper()
	l, ok := d.lab.(*sqlLab)
	if !ok {
		t.Skip("this rule needs a database that runs the lab's own SQL")
	}
	return l
}

// resultColumns are the contract's columns of results with the given types of its two keys.
func resultColumns(id, stamp string) []column {
	return []column{
		{"row_id", id}, {"changed_at", stamp}, {"requisition_id", "uuid"}, {"order_code", "text"},
		{"result_code", "fixed"}, {"value", "text"}, {"unit", "text"}, {"status", "short"},
	}
}

// results makes the source of results.
func (d database) results(t testing.TB, id, stamp string) {
	t.Helper()
	d.create(t, "results", resultColumns(id, stamp)...)
}

// resultKeys are the columns of a result that most tests write.
var resultKeys = []string{"row_id", "changed_at", "order_code", "result_code", "value", "status"}

// result is one row of them.
func result(id, stamp any) []any { return []any{id, stamp, "GLU", "GLU", "5.40", "A"} }

// put inserts a result.
func (d database) put(t testing.TB, id, stamp any) {
	t.Helper()
	d.insert(t, "results", resultKeys, result(id, stamp))
}

// reader opens a reader of the two sources; change may alter the options.
func (d database) reader(t testing.TB, change func(*lims.Options)) *lims.Reader {
	t.Helper()
	o := d.options()
	o.Orders, o.Results = lims.Query{View: "orders"}, lims.Query{View: "results"}
	if change != nil {
		change(&o)
	}
	r, err := lims.Open(o)
	if err != nil {
		t.Fatalf("Open: %v", err)
	}
	t.Cleanup(func() { r.Close() })
	return r
}

// small pages end often.
func small(o *lims.Options) { o.PageSize = 2 }

// read collects the ids of a poll of the results in order, and the last cursor. After an error both tell how far it came.
func read(t testing.TB, r *lims.Reader, from lims.Cursor, back time.Duration) (ids []string, cursor lims.Cursor, err error) {
	cursor = from
	err = r.Poll(t.Context(), lims.Results, from, back, func(rows []lims.Row, c lims.Cursor) error {
		for _, row := range rows {
			ids = append(ids, row.ID)
		}
		cursor = c
		return nil
	})
	return ids, cursor, err
}

// poll is read where nothing may go wrong.
func poll(t testing.TB, r *lims.Reader, from lims.Cursor, back time.Duration) (ids []string, cursor lims.Cursor) {
	t.Helper()
	ids, cursor, err := read(t, r, from, back)
	if err != nil {
		t.Fatalf("Poll: %v", err)
	}
	return ids, cursor
}

// first returns the first row of a poll from the beginning.
func first(t testing.TB, r *lims.Reader, s lims.Source) lims.Row {
	t.Helper()
	var got []lims.Row
	err := r.Poll(t.Context(), s, lims.Cursor{}, 0, func(rows []lims.Row, _ lims.Cursor) error {
		got = append(got, rows...)
		return nil
	})
	if err != nil {
		t.Fatalf("Poll: %v", err)
	}
	if len(got) == 0 {
		t.Fatal("Poll showed no row")
	}
	return got[0]
}

// stampAgo is a stamp without zone, in UTC.
func stampAgo(d time.Duration) string {
	return time.Now().UTC().Add(-d).Format("2006-01-02 15:04:05.000000")
}
