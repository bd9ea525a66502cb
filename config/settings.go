package config

import (
	"regexp"
	"sync"
	"time"
)

// plainName is what a setting's name may look like; what does not is not repeated in messages.
var plainName = regexp.MustCompile(`^[\pL\pN_.-]{1,40}$`)

// synonyms are names that other products use, by their plain form, for better advice.
var synonyms = map[string]string{
	"interval": "every", "schedule": "every", "poll": "every", "cron": "every",
	"username": "user", "uid": "user", "pwd": "password", "pass": "password",
	"tz": "time_zone", "dbname": "database", "db": "database", "catalog": "database",
	"hostname": "host", "address": "server", "instance": "server",
	"ca": "ca_file", "cert": "certificate", "ssl": "encrypt", "tls": "encrypt", "authentication": "login", "auth": "login",
	"driver": "type", "engine": "type", "id": "client_id", "secret": "client_secret", "key": "client_secret",
	"baseurl": "url", "endpoint": "url", "timeout": "query_timeout", "batchsize": "page_size",
	"since": "start_from", "from": "start_from", "start": "start_from", "name": "code", "units": "unit", "observations": "results",
	"required": "optional", "values": "words",
	"factor": "multiply", "times": "multiply", "offset": "add", "digits": "decimals", "places": "decimals", "conversion": "convert",
}

const (
	day  = 24 * time.Hour
	week = 7 * day
)

// LongestRequest is the longest whoop.request_timeout. A stop of the service waits 60 s for a call that is under
// way (installer.StopLimit), on both systems; the rest of them closes the ledger on a slow disk. A call that is cut
// off would be in doubt, and a person would have to ask WHOOP what became of it.
const LongestRequest = 45 * time.Second

// settings is everything that the file may have, tied to the configuration that it fills.
func settings(c *Config) []setting {
	db, api := &c.Database, &c.Partner
	return []setting{
		{name: "mode", read: word(&c.Mode, string(Observe), string(Send))},
		{name: "start_from", read: line(new(string))}, // read by the rules, once the time zone is known
		{name: "time_zone", read: zone(&c.TimeZone)},
		{name: "state", read: path(&c.State)},
		{name: "lims", sub: []setting{
			{name: "type", read: word(&db.Type, "sqlserver", "postgres", "mysql", "oracle", "sqlite")},
			{name: "server", read: serverName(&db.Server)},
			{name: "host", read: serverName(&db.Host)},
			{name: "port", read: count(&db.Port, 1, 65535)},
			{name: "file", read: path(&db.File)},
			{name: "database", read: serverName(&db.Database)},
			{name: "sid", read: serverName(&db.SID)},
			{name: "login", read: word(&db.Login, "windows", "sql", "kerberos", "entra")},
			{name: "user", read: line(&db.User)},
			{name: "password", read: secret(&db.Password), secret: true},
			{name: "keytab", read: file(&db.Keytab)},
			{name: "krb5_conf", read: file(&db.Krb5Conf)},
			{name: "spn", read: line(&db.SPN)},
			{name: "client_certificate", read: file(&db.ClientCert)},
			{name: "encrypt", read: word(&db.Encrypt, "auto", "verified", "unverified", "native", "off")},
			{name: "server_name", read: serverName(&db.ServerName)},
			{name: "ca_file", read: file(&db.CAFile)},
			{name: "certificate", read: file(&db.Certificate)},
			{name: "tls_min", read: word(&db.TLSMin, "1.0", "1.1", "1.2", "1.3")},
			{name: "read_only_intent", read: boolean(&db.ReadOnlyIntent)},
			{name: "orders", read: sourceName(&db.Orders)},
			{name: "orders_sql", read: query(&db.OrdersSQL)},
			{name: "results", read: sourceName(&db.Results)},
			{name: "results_sql", read: query(&db.ResultsSQL)},
			{name: "float_digits", read: count(&db.FloatDigits, 1, 17)},
			{name: "every", read: duration(&db.Every, 100*time.Millisecond, day)},
			{name: "look_back", read: duration(&db.LookBack, 0, day)},
			{name: "hourly_look_back", read: duration(&db.HourlyLookBack, 0, 2*day)},
			{name: "sweep", read: duration(&db.Sweep, day, 366*day)},
			{name: "page_size", read: count(&db.PageSize, 10, 50000)},
			{name: "pace", read: count(&db.Pace, 0, 1000)},
			{name: "lock_timeout", read: duration(&db.LockTimeout, 100*time.Millisecond, time.Minute)},
			{name: "query_timeout", read: duration(&db.QueryTimeout, time.Second, time.Hour)},
		}},
		{name: "whoop", sub: []setting{
			{name: "url", read: url(&api.URL)},
			{name: "client_id", read: line(&api.ClientID)},
			{name: "client_secret", read: secret(&api.ClientSecret), secret: true},
			{name: "proxy", read: proxy(&api.Proxy), secret: true},
			{name: "ca_file", read: file(&api.CAFile)},
			{name: "parallel", read: count(&c.Parallel, 1, 64)},
			{name: "request_timeout", read: requestTimeout(&api.RequestTimeout)},
			{name: "quota", sub: []setting{
				{name: "per_minute", read: count(&api.PerMinute, 0, 1000000)},
				{name: "per_day", read: count(&api.PerDay, 0, 1000000000)},
			}},
		}},
		{name: "status", sub: []setting{
			{name: "orders", tree: true, read: orderWords},
			{name: "results", tree: true, read: resultWords},
		}},
		{name: "tests", tree: true, read: tests},
		{name: "ignore", tree: true, read: list(&c.Ignore)},
		{name: "patient_check", read: patientCheck},
		{name: "decimal_comma", read: boolean(&c.DecimalComma)},
		{name: "no_value", tree: true, read: list(&c.NoValue)},
		{name: "settle", read: duration(&c.Settle, 0, week)},
		{name: "issue_settle", read: duration(&c.IssueSettle, 0, week)},
		{name: "on_not_measurable", read: word(&c.OnNotMeasurable, "hold", "issue")},
		{name: "corrections", read: word(&c.Corrections, "send", "hold")},
		{name: "withdrawn_value", read: line(&c.WithdrawnValue)},
		{name: "adopt_foreign_progress", read: boolean(&c.AdoptProgress)},
		{name: "doubt_after", read: duration(&c.DoubtAfter, 5*time.Minute, day)},
		{name: "overdue", read: duration(&c.Overdue, time.Hour, 366*day)},
		{name: "brake", sub: []setting{
			{name: "corrections", read: count(&c.Brake.Corrections, 0, 1000000)},
			{name: "percent", read: percent(&c.Brake.Percent)},
			{name: "first_pass", read: count(&c.Brake.FirstPass, 0, 10000000)},
		}},
		{name: "archive", sub: []setting{
			{name: "recipients", tree: true, read: recipients, secret: true},
			{name: "folder", read: path(&c.Archive.Folder)},
		}},
		{name: "log", sub: []setting{
			{name: "folder", read: path(&c.Log.Folder)},
			{name: "megabytes", read: count(&c.Log.Megabytes, 1, 100000)},
			{name: "keep", read: duration(&c.Log.Keep, day, 10*366*day)},
		}},
		{name: "alerts", sub: []setting{
			{name: "email", sub: []setting{
				{name: "to", tree: true, read: email(func(e *Email) read { return list(&e.To) })},
				{name: "from", read: email(func(e *Email) read { return line(&e.From) })},
				{name: "server", read: email(func(e *Email) read { return hostPort(&e.Server) })},
				{name: "user", read: email(func(e *Email) read { return line(&e.User) })},
				{name: "password", read: email(func(e *Email) read { return secret(&e.Password) }), secret: true},
			}},
		}},
	}
}

// email reads into the alerts' mail, which exists as soon as one of its settings does.
func email(in func(*Email) read) read {
	return func(d *decoder, v value) {
		if d.c.Alerts.Email == nil {
			d.c.Alerts.Email = &Email{}
		}
		in(d.c.Alerts.Email)(d, v)
	}
}

// openKeys are the names after which a value may be shown, secretKeys those after which only a
// reference may.
var (
	openKeys   = sync.OnceValue(func() map[string]bool { return keys(false) })
	secretKeys = sync.OnceValue(func() map[string]bool { return keys(true) })
)

func keys(secret bool) map[string]bool {
	m := map[string]bool{}
	if !secret {
		m = map[string]bool{"code": true, "unit": true, "optional": true, "words": true, "convert": true} // of tests
		for _, s := range (&conversion{}).settings() {
			m[s.name] = true
		}
	}
	each(settings(&Config{}), "", func(_ string, s setting) {
		if s.secret == secret {
			m[s.name] = true
		}
	})
	return m
}
