//go:build !windows

package installer

// StopToResume stops the service. Whether it is started again, the packages' own scripts know.
func (s Service) StopToResume() error { return s.Stop() }

// Resume does nothing, see StopToResume.
func (s Service) Resume() error { return s.installed() }
