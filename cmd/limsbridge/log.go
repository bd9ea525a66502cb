package main

import (
	"log/slog"
	"os"

	"limsbridge/config"
)

// serviceLog is the log of a service.
func serviceLog(_ string, _ func() (*config.Config, config.Problems)) (log *slog.Logger, closeLog func()) {
	return newLog(os.Stderr, slog.LevelInfo), func() {}
}
