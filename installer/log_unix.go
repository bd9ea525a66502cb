//go:build !windows

package installer

import (
	"fmt"
	"log/slog"
	"os"
	"strings"
)

// SystemLog returns what writes a line into the system's log, which under systemd is the journal:
// it reads the priority from the beginning of a line (sd-daemon(3)).
func SystemLog(Service) func(level slog.Level, text string) {
	return func(level slog.Level, text string) {
		priority := 6 // info
		switch {
		case level >= slog.LevelError:
			priority = 3
		case level >= slog.LevelWarn:
			priority = 4
		}
		fmt.Fprintf(os.Stderr, "<%d>%s\n", priority, strings.ReplaceAll(text, "\n", " "))
	}
}
