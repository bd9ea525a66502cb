//go:build !wine

package installer

import "github.com/kardianos/service"

// Managed reports whether the service control manager started this process.
func Managed() bool { return !service.Interactive() }
