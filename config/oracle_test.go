package config

import (
	"strings"
	"testing"
)

// An Oracle database is named by its service or its SID, and only it knows native encryption.
func TestOracle(t *testing.T) {
	section := func(more string) string {
		_, after, _ := strings.Cut(base, "results: r}")
		return "time_zone: UTC\nlims: {type: oracle, host: db, user: u, password: 'plain', orders: o, results: r, " + more + "}" + after
	}
	for _, x := range []struct{ settings, says string }{
		{"database: LIMS.example.org", ""},
		{"sid: LIMS, port: 1521, encrypt: native", ""},
		{"database: LIMS, server_name: lims01.example.org", ""},
		{"database: LIMS, sid: LIMS", "contradicts lims.database"},
		{"every: 5m", "service is missing"},
	} {
		c, problems := load(t, section(x.settings))
		if x.says != "" {
			if !strings.Contains(problems.Error(), x.says) {
				t.Errorf("%s: %v", x.settings, problems)
			}
			continue
		}
		if len(problems) > 0 {
			t.Fatalf("%s: %v", x.settings, problems)
		}
		o := c.LIMS()
		if strings.Contains(x.settings, "sid") != (o.SID == "LIMS") || strings.Contains(x.settings, "native") != (o.Encrypt == "native") ||
			strings.Contains(x.settings, "server_name") != (o.ServerName == "lims01.example.org") || o.User != "u" {
			t.Errorf("%s: %+v", x.settings, o)
		}
	}
	for settings, says := range map[string]string{"database: d, sid: X": "only Oracle has one", "database: d, encrypt: native": "only Oracle knows native"} {
		if _, problems := load(t, strings.Replace(section(settings), "type: oracle", "type: postgres", 1)); !strings.Contains(problems.Error(), says) {
			t.Errorf("%s: %v", settings, problems)
		}
	}
}
