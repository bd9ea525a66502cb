package lims

import (
	"cmp"
	"fmt"
	"net"
	"os"
	"os/user"
	"strconv"
	"strings"

	mssql "github.com/microsoft/go-mssqldb"
	"github.com/microsoft/go-mssqldb/msdsn"
)

// login fills in who logs in and how. What is left empty here the driver cannot fall back to: an account
// of Windows that cannot be had is an error, and not a SQL login without a name.
func (sqlServer) login(c *msdsn.Config, o Options, password string) {
	c.ServerSPN = o.SPN
	switch o.Login {
	case LoginSQL:
		c.User, c.Password = o.User, password
	case LoginWindows:
		c.Parameters = map[string]string{"authenticator": "winsspi"}
	case LoginKerberos:
		name, realm := o.principal()
		c.User = name
		c.Parameters = map[string]string{"authenticator": "krb5", "krb5-keytabfile": o.Keytab, "krb5-configfile": o.krb5Conf(), "krb5-realm": realm}
	}
}

// connector returns what opens connections.
func (sqlServer) connector(c msdsn.Config, o Options, password string) (*mssql.Connector, error) {
	if o.Login != LoginEntra {
		return mssql.NewConnectorConfig(c), nil
	}
	e := entra{o: o, secret: password}
	return mssql.NewActiveDirectoryTokenConnector(c, e.workflow(), e.token)
}

// spn is the name under which SQL Server is looked for in the directory, as the driver makes it.
func (o Options) spn() string {
	if o.SPN != "" {
		return o.SPN
	}
	host, instance, _ := strings.Cut(o.Server, `\`)
	if ip := net.ParseIP(host); host == "." || ip != nil && ip.IsLoopback() {
		host, _ = os.Hostname()
	}
	return "MSSQLSvc/" + host + ":" + cmp.Or(instance, strconv.Itoa(cmp.Or(o.Port, 1433)))
}

// LoginAs tells a person as whom, and how, the reader asks to be let in: what the directory or the DBA
// must know. It asks nobody but this machine.
func (r *Reader) LoginAs() string {
	o := r.o
	switch o.Login {
	case LoginWindows:
		name := "the account of this process"
		if u, err := user.Current(); err == nil {
			name += ", " + u.Username
		}
		return fmt.Sprintf("windows: %s, which asks for the service %s", name, o.spn())
	case LoginKerberos:
		name, realm := o.principal()
		return fmt.Sprintf("kerberos: %s@%s from %s, which asks for the service %s", name, realm, o.Keytab, o.spn())
	case LoginEntra:
		id, tenant, _ := strings.Cut(o.User, "@")
		if o.managed() {
			return "entra: the managed identity " + cmp.Or(id, "of this machine")
		}
		by := "a secret"
		if o.ClientCert != "" {
			by = "the certificate " + o.ClientCert
		}
		return fmt.Sprintf("entra: the application %s of the tenant %s, by %s", id, cmp.Or(tenant, "that the server names"), by)
	}
	if o.User == "" {
		return ""
	}
	return "sql: " + o.User
}

// failedUser takes the user out of "Login failed for user 'x'.", which shows what SQL Server believes the
// account to be. In other languages the text names it otherwise, and it is not told.
func failedUser(message string) (user string, told bool) {
	_, rest, _ := strings.Cut(message, " for user '")
	user, _, told = strings.Cut(rest, "'")
	return user, told
}

// explainLogin tells what SQL Server's "login failed" means. Whom it took the login for is the question
// where nobody wrote a user.
func explainLogin(number int32, message string) error {
	user, told := failedUser(message)
	failed := fmt.Sprintf("login failed (SQL Server error %d)", number)
	if told {
		failed = fmt.Sprintf("login failed for user %q (SQL Server error %d)", user, number)
	}
	next := "check login, user, password and that the account is not locked"
	switch {
	case number == 18452:
		next = "SQL Server does not trust the account's domain, or the service's name in the directory belongs to another account: check with setspn -L, and write spn where its name is another"
	case number == 18486:
		next = "the login is locked: ask the DBA for ALTER LOGIN … WITH PASSWORD = … UNLOCK"
	case number == 18487, number == 18488:
		next = "the password has expired or must be changed: ask the DBA for a login with CHECK_EXPIRATION = OFF"
	case number == 18470:
		next = "the login is disabled: ask the DBA for ALTER LOGIN … ENABLE"
	case told && user == "", strings.EqualFold(user, `NT AUTHORITY\ANONYMOUS LOGON`):
		next = "SQL Server got no identity: the account that this process runs as has none in the domain, " +
			"or the service's name (limsbridge check prints it) is not registered for SQL Server's own account: ask for setspn -S, or write login: sql"
	case strings.HasSuffix(user, "$"):
		next = "this is the machine's account, as which a service without an account of its own reaches another machine: " +
			"ask the DBA for CREATE LOGIN [" + user + "] FROM WINDOWS and the user of create-views.sql, or run the service under a domain account or gMSA"
	case strings.Contains(user, "token-identified principal"):
		next = "SQL Server knows no user for this identity of Entra: ask the DBA for CREATE USER [its display name] FROM EXTERNAL PROVIDER in this database"
	}
	return misfit("", "%s: %s", failed, next)
}
