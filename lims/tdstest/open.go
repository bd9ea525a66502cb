package tdstest

import (
	"database/sql"
	"net"
	"net/url"
	"strconv"
	"testing"

	_ "github.com/microsoft/go-mssqldb" // the driver "sqlserver"
)

// Open returns a pool of connections of the writer to a database, through the real driver.
func (s *Server) Open(t testing.TB, database string) *sql.DB {
	t.Helper()
	db, err := sql.Open("sqlserver", s.URL(database))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

// URL is the writer's connection string.
func (s *Server) URL(database string) string {
	u := url.URL{Scheme: "sqlserver", User: url.UserPassword(s.Writer.User, s.Writer.Password), Host: net.JoinHostPort(s.Host, strconv.Itoa(s.Port)),
		RawQuery: url.Values{"database": {database}, "encrypt": {"true"}, "TrustServerCertificate": {"true"}, "app name": {"writer"}}.Encode()}
	if s.o.Encryption == EncryptNever {
		u.RawQuery = url.Values{"database": {database}, "encrypt": {"disable"}, "app name": {"writer"}}.Encode()
	}
	return u.String()
}
