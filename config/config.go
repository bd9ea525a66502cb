package config

import (
	"slices"
	"time"

	"limsbridge/bridge"
)

// Mode says whether anything may leave.
type Mode string

// The modes.
const (
	Observe Mode = "observe" // everything but sending
	Send    Mode = "send"
)

// Config is the file, completed with the defaults. Paths are absolute, durations are durations;
// what a setting means is told in the commented file that limsbridge init writes.
type Config struct {
	Path  string // of the file
	State string // the folder of ledger, journal and secrets

	Mode Mode
	// StartFrom: what changed in the LIMS before is never sent. Zero only in observe mode.
	StartFrom time.Time
	TimeZone  *time.Location // of LIMS stamps that carry none

	Database Database // lims:
	Partner  Partner  // whoop:

	Words  bridge.Words  // status:
	Tests  []bridge.Test // tests:, in the file's order
	Ignore []string

	PatientCheck    bool // patient_check: birth_date
	DecimalComma    bool
	NoValue         []string // the lab's own words for "cannot be measured"
	Settle          time.Duration
	IssueSettle     time.Duration
	OnNotMeasurable string // hold or issue
	Corrections     string // send or hold
	WithdrawnValue  string
	AdoptProgress   bool // adopt_foreign_progress
	DoubtAfter      time.Duration
	Overdue         time.Duration // an open order older than this is told of
	Parallel        int           // requisitions that are worked on at the same time

	Brake Brake

	Alerts  Alerts
	Archive Archive
	Log     Log

	// Warnings are accepted, and told of: each is one sentence that names the setting.
	Warnings []string

	hash       string
	references []Reference
}

// Reference is a setting that refers to a secret of this machine (secret:NAME).
type Reference struct {
	Setting, Name string
	// Missing says why the secret cannot be had, and what to do; "": it can.
	Missing string
}

// References lists the settings that refer to secrets by name, in the file's order.
func (c *Config) References() []Reference { return slices.Clone(c.references) }

// Database is the section lims:.
type Database struct {
	Type     string // sqlserver, postgres, mysql, oracle, sqlite
	Server   string // SQL Server's way: HOST\INSTANCE
	Host     string
	Port     int // 0: the type's own
	File     string
	Database string // Oracle: the service's name
	SID      string // Oracle: instead of Database

	Login      string // windows, sql, kerberos, entra
	User       string // kerberos: the principal; entra: the application's id, with its tenant
	Password   Secret // entra: the application's secret
	Keytab     string // kerberos: file of the account's keys
	Krb5Conf   string // kerberos: "" is the machine's own
	SPN        string // windows, kerberos: SQL Server's name in the directory, where it is not the usual one
	ClientCert string // entra: file of the application's certificate with its key

	Encrypt     string // auto, verified, unverified, native, off
	ServerName  string // in the server's certificate; "" is the server's own
	CAFile      string
	Certificate string // file of the one server certificate that is accepted
	TLSMin      string // 1.0, 1.1, 1.2, 1.3; "" is the driver's own

	ReadOnlyIntent bool // SQL Server: a secondary, which lags, may answer

	Orders  string // a view or table; "" where OrdersSQL is set
	Results string
	// OrdersSQL and ResultsSQL are the text of the files that orders_sql and results_sql name.
	OrdersSQL   string
	ResultsSQL  string
	FloatDigits int // 0: float and real columns are refused

	Every          time.Duration
	LookBack       time.Duration
	HourlyLookBack time.Duration
	Sweep          time.Duration
	PageSize       int
	Pace           int // after a read that took t, wait pace times t
	LockTimeout    time.Duration
	QueryTimeout   time.Duration
}

// Partner is the section whoop:.
type Partner struct {
	URL            string
	ClientID       string
	ClientSecret   Secret
	Proxy          Secret // a URL; secret since it may hold a password
	CAFile         string
	RequestTimeout time.Duration
	PerMinute      int // calls; 0: no limit of our own
	PerDay         int
}

// Brake says how much at once is implausible.
type Brake struct {
	Corrections int
	Percent     float64
	FirstPass   int
}

// Alerts says who is told when a person must decide something.
type Alerts struct {
	Email *Email // nil: nobody
}

// Email is the mail that carries an alert. No value and no name is ever in it.
type Email struct {
	To       []string
	From     string
	Server   string // host:port
	User     string
	Password Secret
}

// Log says where the service writes what happens.
type Log struct {
	Folder    string
	Megabytes int           // of all files together
	Keep      time.Duration // older files are removed
}

// Hash is the SHA-256 of the file's bytes in hex: the name of this configuration in the journal.
func (c *Config) Hash() string { return c.hash }
