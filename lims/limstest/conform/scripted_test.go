package conform_test

import (
	"testing"

	"limsbridge/lims"
	"limsbridge/lims/tdstest"
)

// openScripted starts a SQL Server that was written for the tests. What the reader sends goes through the real
// driver, encrypted and verified, and a statement that is none of the reader's own fails the test.
func openScripted(t testing.TB) lab {
	t.Helper()
	s := tdstest.Start(t, tdstest.Options{})
	server := &sqlLab{of: lims.SQLServer, db: s.Open(t, "master")}
	server.exec(t, "CREATE DATABASE lims")
	o := lims.Options{Type: lims.SQLServer, Server: s.Host, Port: s.Port, Database: "lims", Encrypt: lims.EncryptVerified, CAFile: s.CAFile,
		User: s.Reader.User, Password: func() (string, error) { return s.Reader.Password, nil }}
	return &sqlLab{of: lims.SQLServer, o: o, db: s.Open(t, "lims"), columns: map[string][]column{}, clock: s.SetClock}
}
