package main

import (
	"errors"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"runtime/debug"

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

// Files in the log folder into which Go writes what it has to say when the program crashes: a service
// has no terminal, and on Windows no journal. What a run before left is kept, and nothing older.
const (
	crashName = "crash.txt"
	crashKept = "crash-last.txt"
)

// keepCrash lets a crash leave its trace in the log folder, and warns of the one before: what stands in
// the file is for whoever mends the program, and not for the log.
func keepCrash(folder string, log *slog.Logger) {
	path, kept := filepath.Join(folder, crashName), filepath.Join(folder, crashKept)
	if info, err := os.Stat(path); err == nil && info.Size() > 0 {
		if err := os.Rename(path, kept); err != nil {
			log.Warn("the last run crashed, and what it left cannot be kept", "file", path, "reason", err.Error())
		} else {
			log.Warn("the last run crashed; the file is for who mends limsbridge", "file", kept, "at", info.ModTime())
		}
	}
	if err := crashInto(path); err != nil {
		log.Warn("a crash would leave no trace", "file", path, "reason", err.Error())
	}
}

func crashInto(path string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	return errors.Join(debug.SetCrashOutput(f, debug.CrashOptions{}), f.Close()) // it keeps a handle of its own
}
