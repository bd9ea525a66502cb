package config

import (
	"limsbridge/bridge"
	"limsbridge/lims"
	"limsbridge/whoop"
)

// LIMS returns what opening the reader needs; AppName and Notice are the caller's.
func (c *Config) LIMS() lims.Options {
	db := c.Database
	o := lims.Options{
		Type: db.Type, Server: db.Server, Port: db.Port, Database: db.Database, SID: db.SID,
		Login: db.Login, User: db.User, Keytab: db.Keytab, Krb5Conf: db.Krb5Conf, SPN: db.SPN, ClientCert: db.ClientCert,
		Encrypt: db.Encrypt, CAFile: db.CAFile, CertFile: db.Certificate, ServerName: db.ServerName, TLSMin: db.TLSMin,
		ReadOnlyIntent: db.ReadOnlyIntent,
		Orders:         lims.Query{View: db.Orders, File: db.OrdersSQL},
		Results:        lims.Query{View: db.Results, File: db.ResultsSQL},
		Location:       c.TimeZone,
		LockTimeout:    db.LockTimeout, QueryTimeout: db.QueryTimeout,
		PageSize: db.PageSize, Pace: float64(db.Pace), FloatDigits: db.FloatDigits,
	}
	if db.Host != "" {
		o.Server = db.Host
	}
	if db.Type == lims.SQLite {
		o.Database = db.File
	}
	if db.Encrypt == "auto" {
		o.Encrypt = lims.EncryptDefault
	}
	if db.Password.Set() {
		o.Password = db.Password.Now
	}
	return o
}

// WHOOP returns what the client needs; Version and Log are the caller's.
func (c *Config) WHOOP() whoop.Options {
	p := c.Partner
	return whoop.Options{
		BaseURL: p.URL, ClientID: p.ClientID, ClientSecret: whoop.Secret(p.ClientSecret.Reveal()),
		Proxy: p.Proxy.Reveal(), CAFile: p.CAFile,
		Parallel: c.Parallel, RequestTimeout: p.RequestTimeout,
		PerMinute: p.PerMinute, PerDay: p.PerDay,
	}
}

// Mapping returns what the LIMS's words and codes mean.
func (c *Config) Mapping() (*bridge.Mapping, error) {
	return bridge.NewMapping(c.Tests, c.Words, c.Ignore, bridge.ValueRules{DecimalComma: c.DecimalComma, NoValue: c.NoValue})
}

// Bridge returns the settings of the core.
func (c *Config) Bridge() bridge.Settings {
	s := bridge.Fixed()
	s.Send = c.Mode == Send
	s.StartFrom = c.StartFrom
	s.Every = c.Database.Every
	s.LookBack = c.Database.LookBack
	s.HourlyLookBack = c.Database.HourlyLookBack
	s.Sweep = c.Database.Sweep
	s.Settle = c.Settle
	s.IssueSettle = c.IssueSettle
	s.ReportUnmeasurable = c.OnNotMeasurable == "issue"
	s.HoldCorrections = c.Corrections == "hold"
	s.WithdrawnValue = c.WithdrawnValue
	s.AdoptProgress = c.AdoptProgress
	s.PatientCheck = c.PatientCheck
	s.DoubtAfter = c.DoubtAfter
	s.Brake = bridge.Brake(c.Brake)
	s.Parallel = c.Parallel
	return s
}
