// Package whoop is a client of WHOOP's Healthcare Partner API for a caller that must never
// report the same result twice.
//
// It promises that a call is made at most once: no call that changes anything is ever repeated
// inside this package or inside net/http. Every call ends in an Answer whose Outcome says what is
// certain: Sent, Released (certainly not processed), Rejected, or InDoubt for everything else.
// It keeps the partner's quota, takes a token before the call that needs it, and puts no result
// value, patient field, secret or foreign text into an error, an Answer or a log line.
//
// It does not decide when something is tried again, does not remember anything across restarts
// (see Client.Spent for the quota) and does not check that a report makes sense.
package whoop
