package installer

import (
	"log/slog"

	"golang.org/x/sys/windows/svc/eventlog"
)

// The numbers of the events, as Event Viewer shows them: 1 to 1000 have a text of Windows's own,
// which is what was written (EventCreate.exe).
const (
	infoEvent    = 1
	warningEvent = 2
	errorEvent   = 3
)

// SystemLog returns what writes into Windows's event log, under the source that was registered when
// the service was installed; nil: there is none.
func SystemLog(s Service) func(level slog.Level, text string) {
	log, err := eventlog.Open(s.Name())
	if err != nil {
		return nil
	}
	return func(level slog.Level, text string) {
		// A log that is full or closed stops nobody: the lines stand in the file as well.
		switch {
		case level >= slog.LevelError:
			_ = log.Error(errorEvent, text)
		case level >= slog.LevelWarn:
			_ = log.Warning(warningEvent, text)
		default:
			_ = log.Info(infoEvent, text)
		}
	}
}
