package main

import (
	"io"
	"log/slog"

	"limsbridge/bridge/logs"
	"limsbridge/config"
	"limsbridge/installer"
)

// newLog writes text for people at a terminal, one line per event.
func newLog(w io.Writer, level slog.Level) *slog.Logger {
	return slog.New(slog.NewTextHandler(w, &slog.HandlerOptions{Level: level}))
}

// serviceLog is the log of a service: everything as JSON into dated files, warnings and worse also
// into the system's own log. A folder that is changed in the configuration counts from the next
// start.
func serviceLog(cfg *config.Config, s installer.Service) (*slog.Logger, *logs.File) {
	file := logs.Open(cfg.Log.Folder, int64(cfg.Log.Megabytes)<<20, cfg.Log.Keep)
	handlers := []slog.Handler{slog.NewJSONHandler(file, nil)}
	if write := installer.SystemLog(s); write != nil {
		handlers = append(handlers, logs.Plain(slog.LevelWarn, write))
	}
	return slog.New(slog.NewMultiHandler(handlers...)), file
}
