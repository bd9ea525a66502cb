package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"limsbridge/lims"
)

// Each login has its settings, and no other's.
func TestLogins(t *testing.T) {
	key := filepath.ToSlash(filepath.Join(t.TempDir(), "file"))
	if err := os.WriteFile(key, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	_, after, _ := strings.Cut(base, "results: r}")
	for settings, says := range map[string]string{
		"login: windows": "",
		"login: windows, spn: 'MSSQLSvc/lims:1433'":                       "",
		"login: sql, user: u, password: p":                                "",
		"login: kerberos, user: u@EXAMPLE.ORG, keytab: FILE":              "",
		"login: kerberos, user: u, keytab: FILE, krb5_conf: FILE, spn: x": "",
		"login: entra":                                      "",
		"login: entra, user: id":                            "",
		"login: entra, user: a@t, password: p":              "",
		"login: entra, user: a@t, client_certificate: FILE": "",
		"every: 5m":                                           "how to log in is missing",
		"login: windows, user: u":                             "lims.user: is not used with login: windows",
		"login: windows, keytab: FILE":                        "lims.keytab: is not used with login: windows",
		"login: sql, user: u, password: p, spn: x":            "lims.spn: is not used with login: sql",
		"login: kerberos, keytab: FILE":                       "name in the directory is missing",
		"login: kerberos, user: u":                            "account's keys is missing",
		"login: kerberos, user: u, keytab: FILE, password: p": "lims.password: is not used with login: kerberos",
		"login: entra, password: p":                           "application's id is missing",
		"login: entra, keytab: FILE":                          "lims.keytab: is not used with login: entra",
		"login: entra, client_certificate: nothing.pem":       "there is no file",
	} {
		c, problems := load(t, "time_zone: UTC\nlims: {type: sqlserver, server: db, database: d, orders: o, results: r, "+strings.ReplaceAll(settings, "FILE", "'"+key+"'")+"}"+after)
		if says != "" {
			if !strings.Contains(problems.Error(), says) {
				t.Errorf("%s: got %v", settings, problems)
			}
			continue
		}
		if len(problems) > 0 {
			t.Errorf("%s: got %v", settings, problems)
			continue
		}
		o, has := c.LIMS(), func(name string) bool { return strings.Contains(settings, name+": ") }
		if has("keytab") != (o.Keytab != "") || has("krb5_conf") != (o.Krb5Conf != "") || has("spn") != (o.SPN != "") || has("client_certificate") != (o.ClientCert != "") ||
			has("user") != (o.User != "") || has("password") != (o.Password != nil) || !strings.HasPrefix(settings, "login: "+o.Login) || o.Type != lims.SQLServer {
			t.Errorf("%s: %+v", settings, o)
		}
	}
	for _, login := range []string{"windows", "kerberos", "entra"} {
		if _, problems := load(t, "time_zone: UTC\nlims: {type: postgres, server: db, database: d, orders: o, results: r, login: "+login+"}"+after); !strings.Contains(problems.Error(), "only SQL Server knows this login") {
			t.Errorf("%s: %v", login, problems)
		}
	}
}
