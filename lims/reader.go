package lims

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"
)

// Reader reads the two sources of one LIMS database. Its methods may be called from several
// goroutines and from within a page function; they take turns at the one connection.
//
// All methods return a *Busy, *Unavailable or *Misfit where the database is the reason, the
// context's error where the caller ended the call, and the page function's own error unchanged.
type Reader struct {
	o    Options
	d    dialect
	ss   *session
	from map[Source]wrapped

	mu      sync.Mutex
	learned map[Source]*source
	stalls  map[Source]stall
	ahead   time.Duration // of the server's clock, as it was last told
}

// wrapped is a source's derived table, before anything is known of its columns.
type wrapped struct {
	from     string
	warnings []string
}

// Open checks the options and the two queries without touching the network. Its error is a
// *Misfit with all problems found.
func Open(o Options) (*Reader, error) {
	o, err := o.withDefaults()
	if err != nil {
		return nil, err
	}
	r := &Reader{o: o, d: newDialect(o.Type), from: map[Source]wrapped{}, learned: map[Source]*source{}, stalls: map[Source]stall{}}
	var problems []string
	note := func(err error) {
		if err != nil {
			problems = append(problems, err.Error())
		}
	}
	if o.Type != SQLite {
		_, err := o.tlsConfig()
		note(err)
	}
	for _, s := range []Source{Orders, Results} {
		q, _ := o.query(s)
		text, view, err := q.text(s)
		note(err)
		if err == nil {
			var w wrapped
			w.from, w.warnings, err = wrap(s, r.d.syntax(), text, view)
			note(err)
			r.from[s] = w
		}
	}
	if len(problems) > 0 {
		return nil, &Misfit{Problems: problems}
	}
	r.ss = newSession(o, r.d)
	return r, nil
}

// Close gives the connection back. Calls under way end with an error.
func (r *Reader) Close() error { return r.ss.close() }

// Poll reads the source from the cursor, less the look-back, to its head, in pages ordered by
// (change column, row id). After each page it calls page with the rows and the cursor that
// stands for everything up to them. back is how far before the cursor it begins: on the clock, or
// for integer and rowversion columns along the cursor's trail, which reaches an hour and a half back.
//
// Rows whose stamp lies in the future by the server's clock are handed out, last and in every poll,
// and do not move the cursor. A source that went back (see WentBack) is read from its new head
// less the look-back, and the cursor goes back with it. The rows of a page belong to the caller.
func (r *Reader) Poll(ctx context.Context, s Source, from Cursor, back time.Duration, page func([]Row, Cursor) error) error {
	src, err := r.fresh(ctx, s)
	if err != nil {
		return err
	}
	if src.clock.at, err = r.Now(ctx); err != nil {
		return err
	}
	src.clock.read = time.Now()
	r.compareClocks(src.clock)
	cursor := from
	if src.changed.kind != kindClock && len(cursor.Trail) == 0 {
		cursor.mark(src.now(), cursor.Stamp)
	}
	wentBack := false
	if src.changed.kind == kindVersion {
		if wentBack, err = r.version(ctx, src, from); err != nil {
			return err
		}
	}
	far := 0
	start := src.lookBack(cursor, back)
	settled, err := r.pages(ctx, src, start, func(rows []Row) (bool, error) {
		future, f := src.advance(&cursor, rows, src.now())
		far += f
		return future < len(rows), page(rows, cursor)
	})
	if err != nil {
		return err
	}
	if far > 0 {
		r.notice(Notice{Kind: FutureStamps, Source: s, Rows: far})
	}
	if from.Seen && from.Stamp != "" && (wentBack || (!settled && src.changed.kind != kindVersion)) {
		return r.reread(ctx, src, from, start, back, page)
	}
	return nil
}

// reread begins again at the head of a source that went back.
func (r *Reader) reread(ctx context.Context, src *source, from Cursor, start string, back time.Duration, page func([]Row, Cursor) error) error {
	head, err := r.head(ctx, src, start)
	if err != nil {
		return err
	}
	r.notice(Notice{Kind: WentBack, Source: src.name, Cursor: from.Stamp, Head: head})
	cursor := Cursor{Stamp: head, Origin: from.Origin}
	// Numbers that are given out again are new rows'. Where nothing is left this is not done: a table that
	// is filled anew each night comes back with the rows of before.
	if o := &cursor.Origin; o.Counts && head != "" && compareStamps(src.changed.kind, o.Stamp, head) > 0 {
		o.Stamp = head
	}
	for _, m := range from.Trail {
		if m.Stamp == "" || (head != "" && compareStamps(src.changed.kind, m.Stamp, head) <= 0) {
			cursor.Trail = append(cursor.Trail, m)
		}
	}
	if head == "" { // nothing is left to be read; what comes is newer, and told of only once
		cursor.Stamp = from.Stamp
		if src.changed.kind != kindClock {
			cursor.Stamp, cursor.Trail = "", nil
		}
		return page(nil, cursor)
	}
	_, err = r.pages(ctx, src, src.lookBack(cursor, back), func(rows []Row) (bool, error) {
		src.advance(&cursor, rows, src.now())
		return true, page(rows, cursor)
	})
	return err
}

// pages reads from a stamp on until the source has no more, handing each page to each. settled
// tells whether each said so of any page.
func (r *Reader) pages(ctx context.Context, src *source, start string, each func([]Row) (bool, error)) (settled bool, err error) {
	err = r.walk(ctx, src, func(after *position) (statement, error) {
		return src.stampedPage(start, after, r.o.PageSize)
	}, func(rows []Row) error {
		yes, err := each(rows)
		settled = settled || yes
		return err
	})
	return settled, err
}

// walk reads page after page.
func (r *Reader) walk(ctx context.Context, src *source, next func(after *position) (statement, error), each func([]Row) error) error {
	var after *position
	for {
		st, err := next(after)
		if err != nil {
			return misfit(src.name, "the cursor does not fit the column changed_at, or row_id holds what is not of its type (%s): was the view changed? Then read again from start_from", src.changed.typ)
		}
		room := fewRows
		if after != nil { // where one page was full, the next one mostly is
			room = r.o.PageSize
		}
		p, err := r.read(ctx, src, st, room)
		if err != nil {
			return err
		}
		if len(p.rows) > 0 {
			if after != nil && p.last == *after { // or this page would be read for ever
				return misfit(src.name, "reading does not get past the row %s: the database compares its changed_at or row_id otherwise than it shows them; convert both in the view, each to one type for all rows", after.id)
			}
			if err := each(p.rows); err != nil {
				return err
			}
		}
		if len(p.rows) < r.o.PageSize {
			return nil
		}
		after = &p.last
	}
}

// fewRows is how many rows are made room for where mostly few come.
const fewRows = 64

// read runs one statement for rows. After an error the source is learned anew: its view may have changed.
func (r *Reader) read(ctx context.Context, src *source, st statement, room int) (page, error) {
	p, err := run(ctx, r.ss, src.name, st, func(rows *sql.Rows) (page, error) { return src.read(rows, room) })
	if err != nil {
		r.forget(src.name)
	}
	return p, err
}

// Fetch reads the rows with these ids as they are now, in no particular order; ids that the
// source does not show any more are missing from the answer.
func (r *Reader) Fetch(ctx context.Context, s Source, ids []string) ([]Row, error) {
	src, err := r.source(ctx, s)
	if err != nil {
		return nil, err
	}
	wanted := make(map[string]bool, len(ids))
	var bound []any
	for _, id := range ids {
		if wanted[id] || id == "" {
			continue
		}
		wanted[id] = true
		if v, err := r.d.bind(src.id, id); err == nil { // what cannot be in the column is not there
			bound = append(bound, v)
		}
	}
	sizes := r.d.sizes()
	var out []Row
	at := map[string]int{}
	for chunk := range slices.Chunk(bound, sizes[len(sizes)-1]) {
		p, err := r.read(ctx, src, src.fetch(slices.Clone(chunk)), len(chunk))
		if err != nil {
			return nil, err
		}
		for _, row := range p.rows {
			if !wanted[row.ID] {
				continue // the database's collation took another text for the same
			}
			if i, twice := at[row.ID]; twice {
				if !strings.Contains(out[i].Problem, notUnique) {
					out[i].fault(notUnique)
				}
				continue
			}
			at[row.ID] = len(out)
			out = append(out, row)
		}
	}
	return out, nil
}

// Since reads all rows whose change stamp lies at or after the instant, in pages. A source whose
// change column is no date-time cannot tell, and is read from its beginning.
func (r *Reader) Since(ctx context.Context, s Source, since time.Time, page func([]Row) error) error {
	src, err := r.fresh(ctx, s)
	if err != nil {
		return err
	}
	start := ""
	if src.changed.kind == kindClock {
		if start, err = r.stamp(ctx, src, since); err != nil {
			return err
		}
	}
	_, err = r.pages(ctx, src, start, func(rows []Row) (bool, error) { return true, page(rows) })
	return err
}

// Unstamped reads all rows whose changed_at is NULL, in pages, and up to a page of those whose row_id is
// NULL, which nothing else shows and whose Problem says so.
func (r *Reader) Unstamped(ctx context.Context, s Source, page func([]Row) error) error {
	src, err := r.fresh(ctx, s)
	if err != nil {
		return err
	}
	st, err := src.keyless(r.o.PageSize)
	if err != nil {
		return err
	}
	p, err := r.read(ctx, src, st, fewRows)
	if err != nil {
		return err
	}
	if len(p.rows) > 0 {
		if err := page(p.rows); err != nil {
			return err
		}
	}
	return r.walk(ctx, src, func(after *position) (statement, error) {
		return src.unstampedPage(after, r.o.PageSize)
	}, page)
}

// Start returns the cursor from which a poll reads what changed at or after the instant. For
// integer and rowversion columns, which know no time, it stands for the present head.
func (r *Reader) Start(ctx context.Context, s Source, at time.Time) (Cursor, error) {
	src, err := r.source(ctx, s)
	if err != nil {
		return Cursor{}, err
	}
	if src.changed.kind == kindClock {
		stamp, err := r.stamp(ctx, src, at)
		return Cursor{Stamp: stamp, Origin: Origin{At: at}}, err
	}
	now, err := r.Now(ctx)
	if err != nil {
		return Cursor{}, err
	}
	head, err := r.head(ctx, src, "")
	if err != nil {
		return Cursor{}, err
	}
	return Cursor{
		Stamp: head, Seen: head != "", Trail: []TrailMark{{At: now, Stamp: head}}, Origin: Origin{At: at, Stamp: head, Counts: true},
	}, nil
}

// stamp returns the stamp of an instant in the form of the source's change column, cut to the second.
func (r *Reader) stamp(ctx context.Context, src *source, at time.Time) (string, error) {
	form := reading{sep: 'T'}
	if src.changed.zoned {
		form.zone = "Z"
	}
	if r.o.Type == SQLite { // texts compare as texts: the form must be the column's own
		form.sep = ' '
		head, err := r.head(ctx, src, "")
		if err != nil {
			return "", err
		}
		if own, ok := parseReading(head); ok {
			form = own
		}
	}
	return form.at(at.Truncate(time.Second), &src.zone).String(), nil
}

// head returns the newest stamp of the source, or the newest before one; "" if there is none.
func (r *Reader) head(ctx context.Context, src *source, before string) (string, error) {
	st, err := src.head(before)
	if err != nil {
		return "", misfit(src.name, "the cursor does not fit the column changed_at (%s): was the view changed? Then read again from start_from", src.changed.typ)
	}
	return run(ctx, r.ss, src.name, st, func(rows *sql.Rows) (stamp string, err error) {
		var v any
		for rows.Next() {
			if err := rows.Scan(&v); err != nil {
				return "", err
			}
			stamp, _ = src.text(&src.changed, v)
		}
		return stamp, rows.Err()
	})
}

// Now returns the database server's clock (UTC).
func (r *Reader) Now(ctx context.Context) (time.Time, error) {
	texts, err := r.texts(ctx, "", r.d.now(), column{kind: kindClock, zoned: true})
	if err != nil {
		return time.Time{}, err
	}
	now, ok := parseReading(texts[0])
	if !ok {
		return time.Time{}, &Unavailable{Reason: "the database server's clock cannot be read"}
	}
	return now.instant(&zone{loc: time.UTC}), nil
}

// Identity is who and where the reader is, as the database sees it.
type Identity struct {
	User     string // the login's name: the one that needs the rights
	Database string
	Version  string // of the server, one line
}

// Identity asks the database who this is.
func (r *Reader) Identity(ctx context.Context) (Identity, error) {
	t, err := r.texts(ctx, "", r.d.identity(), column{}, column{}, column{})
	if err != nil {
		return Identity{}, err
	}
	return Identity{User: t[0], Database: t[1], Version: strings.Join(strings.Fields(t[2]), " ")}, nil
}

// texts runs a statement for one row of texts.
func (r *Reader) texts(ctx context.Context, s Source, text string, columns ...column) ([]string, error) {
	out, err := run(ctx, r.ss, s, statement{text: text}, func(rows *sql.Rows) ([]string, error) {
		values, into := make([]any, len(columns)), make([]any, len(columns))
		for i := range values {
			into[i] = &values[i]
		}
		var out []string
		for rows.Next() {
			if err := rows.Scan(into...); err != nil {
				return nil, err
			}
			out = make([]string, len(columns))
			src := &source{d: r.d}
			for i := range columns {
				out[i], _ = src.text(&columns[i], values[i])
			}
		}
		return out, rows.Err()
	})
	if err == nil && out == nil {
		out = make([]string, len(columns))
	}
	return out, err
}

// notice tells what a person should know.
func (r *Reader) notice(n Notice) {
	if r.o.Notice != nil {
		r.o.Notice(n)
	}
}

// Statements returns every statement that the reader can ever run, ready to be printed. Of a source
// that was not yet read (see Describe) it assumes the columns of the contract.
func (r *Reader) Statements() []string {
	texts := slices.Clone(r.d.setup(r.o))
	texts = append(texts, r.d.now(), r.d.identity())
	if r.o.Type == SQLServer {
		texts = append(texts, versionState)
	}
	for _, s := range []Source{Orders, Results} {
		from := r.from[s].from
		texts = append(texts, learning(from))
		if d, ok := r.d.(sqliteDialect); ok {
			texts = append(texts, d.probe(from, contract[changedAt].name), d.probe(from, contract[rowID].name))
		}
		texts = append(texts, r.known(s).statements(r.o.PageSize)...)
	}
	texts = append(texts, r.inspections()...)
	return slices.Compact(slices.DeleteFunc(texts, func(t string) bool { return t == "" }))
}

// known is a source as it was learned, or else with every column of the contract.
func (r *Reader) known(s Source) *source {
	r.mu.Lock()
	defer r.mu.Unlock()
	if src := r.learned[s]; src != nil {
		return src
	}
	return r.assumed(s)
}

// assumed is a source with every column of the contract, before it was read.
func (r *Reader) assumed(s Source) *source {
	var found []columnType
	for c := range roles {
		if k := contract[c]; k.of == "" || k.of == s {
			name := k.name
			if r.o.Type == Oracle { // which stores in capitals what is written without quotation marks
				name = strings.ToUpper(name)
			}
			found = append(found, columnType{name: name, typ: map[role]string{changedAt: "DATETIME"}[c]})
		}
	}
	columns, _, _ := describe(s, r.d, found, 0)
	for i := range columns {
		columns[i].kind = map[role]kind{changedAt: kindClock}[columns[i].role]
		if columns[i].role == changedAt && (r.o.Type == Postgres || r.o.Type == Oracle) {
			columns[i].typ = "TIMESTAMP"
		}
	}
	return newSource(s, r, columns)
}

// clock is the database server's clock, read once per poll.
type clock struct {
	at   time.Time // what it showed
	read time.Time // when it was asked, by this machine's clock
}

// now returns the server's clock as it must be by now.
func (src *source) now() time.Time { return src.clock.at.Add(time.Since(src.clock.read)) }

const notUnique = "row_id is not unique"

func (r *Reader) String() string { return fmt.Sprintf("reader of a %s database", r.o.Type) }
