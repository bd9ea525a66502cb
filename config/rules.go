package config

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// has reports whether something is written for a setting.
func (d *decoder) has(path string) bool {
	v, ok := d.at[path]
	return ok && (v.text != "" || v.node != nil && !empty(v.node)) || d.bad[path]
}

// need adds a problem of kind Unfilled where a setting is missing or empty.
func (d *decoder) need(path, why, instead string) {
	if d.has(path) {
		return
	}
	p := d.missing(path, why, instead)
	p.Kind = Unfilled
}

// missing points to the empty setting, else to the section that should have it, else to the file.
func (d *decoder) missing(path, what, instead string) *Problem {
	for at := path; ; {
		if v, ok := d.at[at]; ok {
			return d.addAt(v.key, path, what, instead)
		}
		i := strings.LastIndexByte(at, '.')
		if i < 0 {
			return d.addAt(nil, path, what, instead)
		}
		at = at[:i]
	}
}

// both adds a problem where two settings exclude each other. It stands at the second.
func (d *decoder) both(a, b, instead string) {
	if d.has(a) && d.has(b) {
		d.add(d.at[b], "contradicts "+a, instead)
	}
}

// warn notes something that is accepted, and told of.
func (d *decoder) warn(v value, what string) {
	place := ""
	if v.key != nil {
		place = fmt.Sprintf("%s:%d: ", d.src.name, start(v.key).line)
	}
	d.c.Warnings = append(d.c.Warnings, place+v.path+" "+what)
}

// rules checks what settings mean for each other.
func (d *decoder) rules() {
	d.need("time_zone", "the time zone of the LIMS is missing", "write for example America/Chicago: stamps without a zone are read in it")
	d.startFrom()
	d.database()
	d.need("whoop.client_id", "the partner's id is missing", "write the client id that WHOOP gave you")
	d.need("whoop.client_secret", "the partner's secret is missing", "write secret:whoop-client-secret, and type: limsbridge secret set whoop-client-secret")
	if !d.has("tests") {
		if d.c.Mode == Send {
			d.need("tests", "no tests are listed", "type: limsbridge codes --last 30d; it prints this block from what the LIMS shows")
		} else {
			d.c.Warnings = append(d.c.Warnings, "tests: none are listed yet, everything is held; limsbridge codes --last 30d prints what the LIMS shows")
		}
	}
	d.ignored()
	if d.c.Alerts.Email != nil {
		d.c.Warnings = append(d.c.Warnings, "alerts.email: this version sends no mail yet; what a person must know stands in the log and in limsbridge holds")
		d.need("alerts.email.to", "the address is missing", "write who is told when a person must decide something")
		d.need("alerts.email.from", "the sender's address is missing", "write for example limsbridge@example.org")
		d.need("alerts.email.server", "the mail server is missing", "write for example smtp.example.org:25")
	}
	d.archive()
	if v, ok := d.at["adopt_foreign_progress"]; ok && d.c.AdoptProgress {
		d.warn(v, "is on: a confirmation that somebody else set is taken for ours")
	}
}

// startFrom reads start_from in the lab's time. In send mode it must be there.
func (d *decoder) startFrom() {
	v, ok := d.at["start_from"]
	if !ok || v.text == "" {
		if d.c.Mode == Send {
			d.need("start_from", "is needed in mode: send", "write from when on results are sent, in the lab's time: "+
				"2026-12-01T06:00\nwhat changed in the LIMS before is never sent")
		}
		return
	}
	if t, err := time.Parse(time.RFC3339, v.text); err == nil {
		d.c.StartFrom = t
		return
	}
	zone := d.c.TimeZone
	if zone == nil {
		zone = time.UTC // the zone has its own problem; the form can be checked all the same
	}
	for _, layout := range []string{"2006-01-02T15:04", "2006-01-02T15:04:05", "2006-01-02 15:04", "2006-01-02 15:04:05"} {
		t, err := time.ParseInLocation(layout, v.text, zone)
		if err != nil {
			continue
		}
		again := slices.ContainsFunc([]time.Duration{-time.Hour, time.Hour, -30 * time.Minute, 30 * time.Minute},
			func(by time.Duration) bool { return t.Add(by).Format(layout) == v.text })
		switch {
		case t.Format(layout) != v.text:
			d.add(v, "the clock skips this time in "+zone.String(), "write a time that exists, for example an hour later")
		case again:
			d.add(v, "the clock shows this time twice in "+zone.String(), "write it with its offset: "+t.Format(time.RFC3339)+" is one of the two")
		default:
			d.c.StartFrom = t
		}
		return
	}
	instead := "write for example 2026-12-01T06:00 (the lab's time) or 2026-12-01T06:00:00-06:00"
	if t, err := time.Parse("2006-01-02", v.text); err == nil {
		instead = "write the time of day too: " + t.Format("2006-01-02") + "T06:00"
	}
	d.add(v, shown(v.text)+" is not a date with a time", instead)
}

// often is the shortest interval that a LIMS in use should be asked at.
const often = 10 * time.Second

// database checks the section lims:.
func (d *decoder) database() {
	db := &d.c.Database
	d.need("lims.type", "the kind of database is missing", "one of: sqlserver, postgres, mysql, oracle, sqlite")
	if db.Type == "sqlite" {
		d.need("lims.file", "the database's file is missing", "write the path of the SQLite file")
	} else if db.Type != "" {
		d.both("lims.server", "lims.host", "keep one of the two; with host, port can be given")
		if !d.has("lims.host") {
			d.need("lims.server", "the database server is missing", serverExample[db.Type])
		}
		switch {
		case db.Type != "oracle":
			d.need("lims.database", "the name of the database is missing", "ask the DBA: it is the LIMS's own database")
		case !d.has("lims.sid"):
			d.need("lims.database", "the name of the database's service is missing", "ask the DBA, or lsnrctl services: it is the LIMS's own service; or write sid")
		default:
			d.both("lims.database", "lims.sid", "keep one of the two: the service's name, or the instance's SID")
		}
		if v, ok := d.at["lims.sid"]; ok && db.Type != "oracle" {
			d.add(v, "only Oracle has one", "remove it, and write database")
		}
		if v, ok := d.at["lims.encrypt"]; ok && db.Encrypt == "native" && db.Type != "oracle" {
			d.add(v, "only Oracle knows native", "leave it out (encrypted and verified), or write unverified or off")
		}
		d.login()
	}
	for _, s := range []string{"orders", "results"} {
		d.both("lims."+s, "lims."+s+"_sql", "keep one of the two: a view, or a file with SQL where the vendor forbids views")
		if !d.has("lims." + s + "_sql") {
			d.need("lims."+s, "the source is missing", "write the view's name, as create-views.sql makes it: whoop."+s)
		}
	}
	if v, ok := d.at["lims.every"]; ok && db.Every > 0 && db.Every < often {
		d.warn(v, "is shorter than "+Span(often)+"; this is for demonstrations, not for a LIMS that people work with")
	}
	if v, ok := d.at["lims.hourly_look_back"]; ok && db.HourlyLookBack < db.LookBack {
		d.add(v, "is shorter than look_back", fmt.Sprintf("write at least %s", Span(db.LookBack)))
	}
	if v, ok := d.at["lims.tls_min"]; ok && (db.TLSMin == "1.0" || db.TLSMin == "1.1") {
		d.warn(v, "allows TLS "+db.TLSMin+", which is broken: have TLS 1.2 switched on at the server, then remove this line")
	}
	if v, ok := d.at["lims.read_only_intent"]; ok && db.ReadOnlyIntent {
		d.warn(v, "lets a secondary of the availability group answer, which lags behind: what it shows late, leaves late")
	}
	if v, ok := d.at["lims.encrypt"]; ok && (db.Encrypt == "off" || db.Encrypt == "unverified" || db.Encrypt == "native") {
		d.warn(v, "is "+db.Encrypt+": whoever is on the network can pretend to be the LIMS")
	}
}

var serverExample = map[string]string{
	"sqlserver": `write for example 'LIMSSQL01.example.org\LABWARE' (in single quotes), or host and port`,
	"postgres":  "write for example lims01.example.org",
	"mysql":     "write for example lims01.example.org",
	"oracle":    "write for example lims01.example.org, and port where it is not 2484 (TLS) or 1521",
}

// loginSettings are the settings of the section that belong to some logins only.
var loginSettings = []struct{ name, logins string }{
	{"user", "sql, kerberos, entra"}, {"password", "sql, entra"}, {"keytab", "kerberos"}, {"krb5_conf", "kerberos"},
	{"spn", "windows, kerberos"}, {"client_certificate", "entra"},
}

// login checks who logs in.
func (d *decoder) login() {
	db := &d.c.Database
	if d.bad["lims.login"] {
		return
	}
	if db.Login == "" && db.Type == "sqlserver" {
		d.need("lims.login", "how to log in is missing", "write windows (the service's own account), sql (user and password), kerberos (a keytab) or entra")
		return
	}
	if db.Login == "" {
		db.Login = "sql"
	}
	if db.Login != "sql" && db.Type != "sqlserver" {
		d.add(d.at["lims.login"], "only SQL Server knows this login", "write sql, with user and password")
		return
	}
	for _, s := range loginSettings {
		if path := "lims." + s.name; d.has(path) && !slices.Contains(strings.Split(s.logins, ", "), db.Login) {
			d.add(d.at[path], "is not used with login: "+db.Login, "remove it; it belongs to login: "+s.logins)
		}
	}
	const typeIt = "write secret:lims-password, and type: limsbridge secret set lims-password"
	switch db.Login {
	case "sql":
		d.need("lims.user", "the user is missing", "write limsbridge_ro, as create-views.sql makes it")
		d.need("lims.password", "the password is missing", typeIt)
	case "kerberos":
		d.need("lims.user", "the account's name in the directory is missing", "write for example limsbridge@EXAMPLE.ORG, in the capitals that klist -k shows")
		d.need("lims.keytab", "the file with the account's keys is missing", "write its name, for example limsbridge.keytab (made with ktpass or ktutil)")
	case "entra": // without both the machine's managed identity logs in
		if d.has("lims.password") || d.has("lims.client_certificate") {
			d.need("lims.user", "the application's id is missing", "write it with its tenant: APPLICATION-ID@TENANT-ID")
		}
	}
}

// ignored checks that nothing is both mapped and ignored.
func (d *decoder) ignored() {
	v, ok := d.at["ignore"]
	if !ok || len(d.c.Ignore) == 0 {
		return
	}
	for _, t := range d.c.Tests {
		for _, code := range d.c.Ignore {
			_, result := t.Results[code]
			if result || slices.Contains(t.LIMS, code) {
				d.add(v, fmt.Sprintf("%s is ignored here and mapped in tests.%s", shown(code), t.Code), "remove it from one of the two")
			}
		}
	}
}

// fetchSecrets looks for what the references name.
func (d *decoder) fetchSecrets() {
	for _, p := range d.secrets {
		s, err := resolve(p.kind, p.name, d.c.State, d.base())
		if p.kind == "secret" {
			r := Reference{Setting: p.v.path, Name: p.name}
			if err != nil {
				r.Missing = err.Error()
			}
			d.c.references = append(d.c.references, r)
		}
		if err != nil {
			q := d.add(p.v, err.what, err.instead)
			q.Kind = NoSecret
			continue
		}
		s.again = func() (Secret, *secretError) { return resolve(p.kind, p.name, d.c.State, d.base()) }
		*p.dst = s
	}
}
