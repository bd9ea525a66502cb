package main

import (
	"os"

	"golang.org/x/sys/windows"
)

// redraws reports whether f is a console that understands ECMA-48's control sequences. Older
// ones must be asked to.
func redraws(f *os.File) bool {
	h := windows.Handle(f.Fd())
	var mode uint32
	return windows.GetConsoleMode(h, &mode) == nil &&
		windows.SetConsoleMode(h, mode|windows.ENABLE_VIRTUAL_TERMINAL_PROCESSING) == nil
}
