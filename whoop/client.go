package whoop

import "time"

// Permit is the right to make one call: its quota is taken and its token is valid.
type Permit struct {
	token string //nolint:unused // used by the calls
}

// QuotaError says that the quota has no room before a time.
type QuotaError struct{ Until time.Time }

// Error tells when the quota has room again.
func (e *QuotaError) Error() string {
	return "the quota has no room before " + e.Until.Format(time.RFC3339)
}
