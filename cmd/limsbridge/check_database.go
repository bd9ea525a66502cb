package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"limsbridge/bridge"
	"limsbridge/config"
	"limsbridge/lims"
)

// restInCheck is what lims.pace is at most while a person waits: each read is followed by a rest as
// long as it took, once.
const restInCheck = 1

// slowRead is when going through all of a table is worth a DBA's time.
const slowRead = 2 * time.Second

// databaseCheck looks at the LIMS's end.
type databaseCheck struct {
	*checker
	ctx     context.Context
	cfg     *config.Config
	reader  *lims.Reader
	account string                        // to whom rights are granted; "" where there are no accounts
	took    map[lims.Source]time.Duration // a read
	untimed map[lims.Source]bool          // changed_at is no time
}

// database tries the LIMS, unless a setting of it is still empty. What the file's own problems
// said already is not said again.
func (k *checker) database(ctx context.Context, cfg *config.Config, problems config.Problems, last time.Duration, showSQL bool) {
	told := false
	for _, p := range problems {
		if p.Path == "lims" || strings.HasPrefix(p.Path, "lims.") {
			told = true
			switch p.Kind {
			case config.Unfilled:
				return
			case config.NoSecret: // a login without it would fail, and be counted by the server
				k.leftOut("lims", "not tried: "+p.Path+" cannot be had, see above")
				return
			}
		}
	}
	gentle := *cfg
	gentle.Database.Pace = min(gentle.Database.Pace, restInCheck)
	reader, err := openLIMS(&gentle, slog.New(slog.DiscardHandler))
	if err != nil {
		if !told {
			k.broken("lims", err)
		}
		return
	}
	defer reader.Close()
	d := &databaseCheck{checker: k, ctx: ctx, cfg: cfg, reader: reader, took: map[lims.Source]time.Duration{}, untimed: map[lims.Source]bool{}}
	if d.connection() {
		d.rights()
		readable := map[lims.Source]bool{}
		for _, s := range []lims.Source{lims.Orders, lims.Results} {
			if d.source(s) {
				d.cost(s)
				d.stamps(s)
				readable[s] = true
			}
		}
		if len(readable) == 2 {
			d.pace()
		}
		d.rows(last, readable)
	}
	if showSQL {
		fmt.Fprintln(k.out, "\nEvery statement that can ever run on the LIMS:")
		for _, s := range reader.Statements() {
			fmt.Fprintf(k.out, "%s;\n\n", s)
		}
	}
}

// unless reports whether something was told; if not it says that it is left out, or what is wrong.
func (d *databaseCheck) unless(what string, err error) bool {
	var left *lims.LeftOut
	switch {
	case err == nil:
		return true
	case errors.As(err, &left) && left.Right != "" && d.account != "":
		d.leftOut(what, fmt.Sprintf("%s; for one look the DBA runs: GRANT %s TO %s;", left.Reason, left.Right, d.account))
	case errors.As(err, &left):
		d.leftOut(what, left.Reason)
	default:
		d.broken(what, err)
	}
	return false
}

// connection tells who and where the bridge is, by whose clock, and how encrypted.
func (d *databaseCheck) connection() bool {
	ctx, cancel := context.WithTimeout(d.ctx, patience)
	defer cancel()
	if as := d.reader.LoginAs(); as != "" { // also where it fails: the directory or the DBA must know it
		d.ok("lims login", as)
	}
	who, err := d.reader.Identity(ctx)
	if err != nil {
		d.broken("lims", err)
		return false
	}
	d.ok("lims", fmt.Sprintf("connected as %s to %s (%s)", who.User, who.Database, who.Version))
	before := time.Now()
	if now, err := d.reader.Now(ctx); d.unless("lims clock", err) {
		off := now.Sub(before.Add(time.Since(before) / 2))
		text := "agrees with this machine's"
		switch {
		case off >= time.Second:
			text = fmt.Sprintf("is %s ahead of this machine's", shortly(off))
		case off <= -time.Second:
			text = fmt.Sprintf("is %s behind this machine's", shortly(-off))
		}
		if off.Abs() > time.Minute {
			d.warn("lims clock", text+": set the one that is wrong; stamps are read by the LIMS's")
		} else {
			d.ok("lims clock", text)
		}
	}
	if d.cfg.Database.Type == lims.SQLite {
		return true
	}
	d.encryption(ctx)
	return true
}

// encryption tells how the connection is encrypted: as the server sees it, or where that takes a right, as this
// end agreed on it.
func (d *databaseCheck) encryption(ctx context.Context) {
	tls, err := d.reader.Encryption(ctx)
	by := "as the server sees it"
	if _, left := errors.AsType[*lims.LeftOut](err); left && d.reader.Negotiated() != "" {
		tls, by, err = d.reader.Negotiated(), "as this end negotiated it", nil
	}
	switch {
	case !d.unless("lims TLS", err):
	case tls == "" && d.cfg.Database.Encrypt == "native":
		d.leftOut("lims TLS", "not used; whether Oracle's own encryption is in force, as lims.encrypt: native demands it, the DBA sees in V$SESSION_CONNECT_INFO")
	case tls == "" && d.cfg.Database.Encrypt == "auto":
		d.ok("lims TLS", "not encrypted, on this machine itself")
	case tls == "":
		d.warn("lims TLS", "not encrypted: write lims.encrypt: verified, once the server has a certificate")
	case strings.HasPrefix(tls, "TLSv1,"), tls == "TLSv1", strings.HasPrefix(tls, "TLSv1.1"), tls == "TLS 1.0", tls == "TLS 1.1":
		d.warn("lims TLS", "the server speaks "+tls+", which is broken: have TLS 1.2 switched on there")
	default:
		d.ok("lims TLS", tls+", "+by)
	}
}

// rights tells to whom rights are granted, and which there are too many of.
func (d *databaseCheck) rights() {
	if d.cfg.Database.Type == lims.SQLite {
		d.ok("lims rights", "the file is opened for reading only")
		return
	}
	account, err := d.reader.Account(d.ctx)
	if d.unless("lims account", err) {
		d.account = account
		d.ok("lims account", "a DBA grants rights to "+account)
	}
	could, err := d.reader.Writable(d.ctx)
	if !d.unless("lims rights", err) {
		return
	}
	if len(could) == 0 {
		d.ok("lims rights", "nothing could be written")
	}
	for _, what := range could {
		d.warn("lims rights", "could write "+what+", and never does: "+d.revoke(what))
	}
}

// revoke is what a DBA does against a right that is too much.
func (d *databaseCheck) revoke(what string) string {
	if strings.HasPrefix(what, "every") {
		return "give the bridge a login of its own, as create-views.sql makes it"
	}
	on, rights, ok := strings.Cut(strings.TrimSuffix(what, ")"), " (")
	switch {
	case ok:
	case d.cfg.Database.Type == lims.Postgres:
		on, rights = what, "INSERT, UPDATE, DELETE, TRUNCATE"
	default:
		on, rights = what, "INSERT, UPDATE, DELETE"
	}
	return fmt.Sprintf("REVOKE %s ON %s FROM %s; -- or from the role or PUBLIC that gives it", rights, on, d.account)
}

// source tells whether a source can be read and fits the view contract.
func (d *databaseCheck) source(s lims.Source) bool {
	desc, err := d.reader.Describe(d.ctx, s)
	if err != nil {
		d.broken(string(s), err)
		var misfit *lims.Misfit
		if errors.As(err, &misfit) && misfit.Right {
			missing, err := d.reader.Missing(d.ctx, s)
			for _, text := range missing {
				d.fail(string(s), "the DBA runs: "+text)
			}
			if err == nil && len(missing) == 0 {
				d.fail(string(s), "the right on the view is there: its owner may not read what it shows, or another schema lies in between")
			}
		}
		return false
	}
	d.untimed[s] = desc.Untimed
	for _, p := range desc.Problems {
		d.fail(string(s), p)
	}
	for _, w := range desc.Warnings {
		d.warn(string(s), w)
	}
	if hint, err := d.reader.Dirty(d.ctx, s); err == nil && hint != "" {
		d.warn(string(s), "the view reads with "+hint+": it may show results that are rolled back later: leave it out")
	}
	if len(desc.Problems) == 0 {
		d.ok(string(s), fmt.Sprintf("%d columns fit the view contract", roles(desc)))
	}
	return len(desc.Problems) == 0
}

func roles(d lims.Description) int {
	n := 0
	for _, c := range d.Columns {
		if c.Role != "" {
			n++
		}
	}
	return n
}

// cost tells how long a read takes, and how the database goes about it.
func (d *databaseCheck) cost(s lims.Source) {
	since := time.Now().Add(-d.cfg.Database.LookBack)
	what := string(s) + " read"
	took, n, err := d.reader.Measure(d.ctx, s, since)
	if !d.unless(what, err) {
		return
	}
	d.took[s] = took
	d.ok(what, fmt.Sprintf("%s of the last %s took %s", counted(n, "row"), config.Span(d.cfg.Database.LookBack), shortly(took)))
	what = string(s) + " plan"
	steps, err := d.reader.Plan(d.ctx, s, since)
	if !d.unless(what, err) {
		return
	}
	text, whole := planned(steps, d.cfg.Database.Type)
	if whole && took > slowRead {
		d.warn(what, text)
	} else {
		d.ok(what, text)
	}
}

// planned tells a plan in a sentence; whole says that all of a table is gone through.
func planned(steps []lims.Step, typ string) (text string, whole bool) {
	var all, through []string
	mend := ""
	for _, s := range steps {
		switch {
		case s.Whole && s.Rows != "":
			all = append(all, fmt.Sprintf("%s (%s rows)", s.Table, s.Rows))
		case s.Whole:
			all = append(all, s.Table)
		case s.Index != "":
			through = append(through, s.Table+" through "+s.Index)
		}
		if s.MakeIndex != "" {
			mend = "; where the vendor allows it, the DBA runs: " + s.MakeIndex
		}
	}
	switch {
	case len(all) == 0 && len(through) == 0:
		return "the database tells nothing of its way", false
	case len(all) == 0:
		return "reads " + strings.Join(through, ", "), false
	case mend == "" && typ != lims.SQLite:
		mend = "; changed_at is made of several columns, which no one index serves"
	}
	return "each read goes through all of " + strings.Join(all, ", ") + mend, true
}

// stamps counts the rows that only the nightly sweep sees.
func (d *databaseCheck) stamps(s lims.Source) {
	n, err := d.reader.CountUnstamped(d.ctx, s)
	what := string(s) + " stamps"
	switch {
	case !d.unless(what, err):
	case n == "0" || n == "":
		d.ok(what, "every row has a changed_at")
	default:
		if n != "1" {
			n += " rows have"
		} else {
			n += " row has"
		}
		d.warn(what, n+" no changed_at: only the nightly sweep sees them; have the view take the next best stamp (COALESCE)")
	}
}

// pace tells how often passes come, since after a read the bridge rests.
func (d *databaseCheck) pace() {
	db := d.cfg.Database
	pass := (d.took[lims.Orders] + d.took[lims.Results]) * time.Duration(1+db.Pace)
	text := fmt.Sprintf("a pass with little new takes %s with its rests (lims.pace: %d)", shortly(pass), db.Pace)
	if pass > db.Every {
		d.warn("lims pace", fmt.Sprintf("%s: passes come every %s and not every %s; mend the plan above, or write a longer lims.every", text, shortly(pass), config.Span(db.Every)))
		return
	}
	d.ok("lims pace", fmt.Sprintf("%s: every %s, as written", text, config.Span(db.Every)))
}

// rows counts what the rows of the last days say against the mapping. That a source is not
// readable was said before; one whose rows fail all the same is.
func (d *databaseCheck) rows(last time.Duration, readable map[lims.Source]bool) {
	mapping, err := d.cfg.Mapping()
	if err != nil {
		d.fail("tests", err.Error())
		return
	}
	for _, s := range []lims.Source{lims.Orders, lims.Results} {
		what := string(s) + " rows"
		census, newest := mapping.Census(), time.Time{}
		more, err := since(d.ctx, d.reader, s, last, func(rows []lims.Row) {
			census.Add(rows)
			for _, r := range rows {
				if r.Changed.After(newest) {
					newest = r.Changed
				}
			}
		})
		if err != nil {
			_, misfit := errors.AsType[*lims.Misfit](err)
			switch {
			case !misfit:
				d.leftOut(what, err.Error())
			case readable[s]:
				d.broken(what, err)
			}
			continue
		}
		n := fmt.Sprintf("%s of the last %s", counted(census.Rows(s), "row"), config.Span(last))
		none := "none changed in the last " + config.Span(last)
		if d.untimed[s] {
			n, none = counted(census.Rows(s), "row")+" of the whole source, whose changed_at is no time,", "there is none"
		}
		if !more {
			d.newest(s, newest)
		}
		unknown := census.Unknown(s)
		switch {
		case census.Rows(s) == 0:
			d.warn(what, none+": is it the right view?")
			continue
		case more: // what the newest say is not known
			d.warn(what, onlyOldest(last, d.untimed[s]))
		case len(unknown) == 0:
			d.ok(what, strings.TrimSuffix(n, ",")+": every word, code, unit and value is known")
		default:
			d.ok(what, n+" were looked at")
		}
		d.unknown(what, s, unknown, len(d.cfg.Tests) > 0)
	}
}

// newest tells how old the newest change is: a wrong time_zone shows in it.
func (d *databaseCheck) newest(s lims.Source, changed time.Time) {
	now, err := d.reader.Now(d.ctx)
	if err != nil || changed.IsZero() {
		return
	}
	what, age := string(s)+" newest", now.Sub(changed)
	if age < -time.Minute {
		d.warn(what, fmt.Sprintf("a changed_at lies %s in the future by the LIMS's clock: is time_zone (%s) the one that it is written in?", shortly(-age), d.cfg.TimeZone))
		return
	}
	d.ok(what, fmt.Sprintf("changed %s ago; if it was an hour or more later, see time_zone (%s)", shortly(max(age, 0)), d.cfg.TimeZone))
}

// mostWords are how many unknown words of one kind are listed. A column with more of them is most
// likely another one, and what it holds is not printed.
const mostWords = 25

// unknown lists what would be held, a kind at a time.
func (d *databaseCheck) unknown(what string, s lims.Source, unknown []bridge.Counted, tests bool) {
	of := map[bridge.HoldKind]int{}
	for _, u := range unknown {
		of[u.Kind]++
	}
	told := map[bridge.HoldKind]bool{}
	for _, u := range unknown {
		if u.Kind == bridge.UnknownOrderCode && !tests {
			if !told[u.Kind] {
				d.warn(what, "tests: is empty: limsbridge codes prints it, to fill in")
			}
			told[u.Kind] = true
			continue
		}
		if of[u.Kind] > mostWords {
			if !told[u.Kind] {
				d.warn(what, fmt.Sprintf("%s: %d different ones, which are not listed: is it the right column?", u.Kind, of[u.Kind]))
			}
			told[u.Kind] = true
			continue
		}
		d.warn(what, unknownText(s, u))
	}
}

// unknownText says what is not known, of how many rows, and what to do.
func unknownText(s lims.Source, u bridge.Counted) string {
	n := counted(u.Rows, "row")
	switch u.Kind {
	case bridge.UnknownStatus:
		return fmt.Sprintf("the status %q of %s is not under status.%s: add it with the bridge word that it means", u.Word, n, s)
	case bridge.UnknownOrderCode:
		return fmt.Sprintf("the order code %q of %s is under no test: add it to lims: of one, or to ignore:", u.Word, n)
	case bridge.UnknownResultCode:
		return fmt.Sprintf("the result %q of %s is not under results: of the test of %s: add it there, or to ignore:", u.Word, n, u.Test)
	case bridge.UnknownUnit:
		if u.Word == "" {
			return fmt.Sprintf("%s %s: %s without a unit, and its convert: has a from:", u.Test, u.Code, n)
		}
		return fmt.Sprintf("the unit %q of %s of %s %s is not the one configured: ask the lab which is right", u.Word, n, u.Test, u.Code)
	case bridge.InvalidValue:
		return fmt.Sprintf("%s %s: %s with a value that is no number and no known word: add its words to words:, or mend it in the LIMS", u.Test, u.Code, n)
	case bridge.BadID:
		return fmt.Sprintf("%s of %s is no UUID: is it the right field?", u.Word, n)
	}
	return fmt.Sprintf("%s: %s", n, u.Word)
}

// shortly is a duration for people.
func shortly(d time.Duration) string {
	switch {
	case d < time.Millisecond:
		return d.Round(10 * time.Microsecond).String()
	case d < time.Second:
		return d.Round(time.Millisecond).String()
	case d < time.Minute:
		return d.Round(100 * time.Millisecond).String()
	}
	return d.Round(time.Second).String()
}
