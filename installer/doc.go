// Package installer is the way between limsbridge and the service manager of its machine: Windows'
// service control manager, or systemd. It installs, starts, stops and removes the service, runs
// what the service does, and tells the manager how it goes.
//
// It promises that a service is told to be running before anything is loaded (Windows gives it 30
// seconds, error 1053), that it depends on nothing which may be late, and that a stop is reported
// before it is waited for. It knows nothing of ledgers, databases and configurations, and it never
// decides whether there is something to do: that is the caller's.
package installer
