package config

import "sync"

// Default is what holds where the file says nothing, and why.
type Default struct {
	Name   string // the setting's path
	Value  string // as it would be written in the file
	Reason string
}

// Defaults is the one table of defaults. The values are read by the same code as the file's.
func Defaults() []Default {
	return []Default{
		{"mode", "observe", "nothing leaves before a person has seen what would"},
		{"state", "state", "ledger, journal and secrets stay beside the file (of /etc/limsbridge: in /var/lib/limsbridge)"},
		{"patient_check", "birth_date", "a result of another patient is the worst that can happen"},
		{"settle", "10m", "whoever releases a panel often mends it within minutes"},
		{"issue_settle", "30m", "an issue status is terminal, and a click on the wrong sample is taken back"},
		{"on_not_measurable", "hold", "giving up a result is the lab's decision"},
		{"corrections", "send", "corrected results go out promptly (42 CFR 493.1291(k))"},
		{"doubt_after", "5m", "a delayed call may still land"},
		{"overdue", "7 days", "an order without results for a week is usually forgotten"},
		{"brake.corrections", "20", "more corrections in a day, and"},
		{"brake.percent", "5", "more of the day's reports in per cent, are a mapping edit or a restored LIMS"},
		{"brake.first_pass", "500", "more LIMS tests (rows of orders) at once are a wrong start_from"},
		{"archive.folder", "archive", "beside the file (or in the state folder of /etc/limsbridge); nothing is kept without archive.recipients"},
		{"log.folder", "log", "beside the file (of /etc/limsbridge: /var/log/limsbridge); written by the service, not at a terminal"},
		{"log.megabytes", "100", "of all files together: years of a quiet service, and no full disk in a bad night"},
		{"log.keep", "90 days", "whoever asks why comes within weeks; the journal keeps for ever what was sent"},
		{"lims.encrypt", "auto", "encrypted, and the certificate verified; plain only on this machine itself (loopback)"},
		{"lims.every", "5m", "results are wanted soon, and the LIMS is left in peace"},
		{"lims.look_back", "10m", "transactions that commit late carry older stamps"},
		{"lims.hourly_look_back", "75m", "local time repeats an hour in autumn"},
		{"lims.sweep", "30 days", "every night: finds what a change column missed"},
		{"lims.page_size", "5000", "the change column is seldom indexed, so that each page costs a scan; memory stays small"},
		{"lims.pace", "20", "after a read that took t the next waits 20 t: at most 5 % of one connection"},
		{"lims.lock_timeout", "5s", "the bridge gives way to the lab, not the lab to it"},
		{"lims.query_timeout", "60s", "a query without an index is stopped before it hurts"},
		{"whoop.url", "https://api.prod.whoop.com/developer", "WHOOP's production"},
		{"whoop.parallel", "4", "enough for the quota, little enough for a doubtful hour"},
		{"whoop.request_timeout", "30s", "an answer that takes longer does not come"},
		{"whoop.quota.per_minute", "100", "WHOOP's own limit (0: none of our own)"},
		{"whoop.quota.per_day", "10000", "WHOOP's own limit (0: none of our own)"},
	}
}

var defaultValues = sync.OnceValue(func() map[string]string {
	m := map[string]string{}
	for _, d := range Defaults() {
		m[d.Name] = d.Value
	}
	return m
})

func defaultOf(path string) (string, bool) {
	v, ok := defaultValues()[path]
	return v, ok
}

// fill puts the defaults into the configuration.
func (d *decoder) fill() {
	places := folders(d.c.Path)
	each(d.top, "", func(p string, s setting) {
		text, ok := defaultOf(p)
		if folder := places[p]; folder != "" {
			text = folder
		}
		if ok {
			s.read(d, value{path: p, text: text})
		}
	})
}
