//go:build !windows

package main

import (
	"os"

	"golang.org/x/term"
)

// redraws reports whether f is a terminal that understands ECMA-48's control sequences.
func redraws(f *os.File) bool { return term.IsTerminal(int(f.Fd())) }
