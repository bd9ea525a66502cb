// Command limsbridge carries sample progress and results from a clinical lab's LIMS database to
// WHOOP's Healthcare Partner API. This package only wires: each command is a file that builds
// what it needs and calls it.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	_ "time/tzdata" // Windows and slim containers have no time zones of their own
)

// Exit statuses.
const (
	exitFailed = 1 // it was tried and did not succeed
	exitConfig = 2 // the configuration, or the command's own words, are wrong: nothing was tried
)

// exitError ends the program with a status; text that was already shown is not shown again.
type exitError struct {
	status int
	err    error
}

func (e *exitError) Error() string { return e.err.Error() }
func (e *exitError) Unwrap() error { return e.err }

// errShown says that everything there is to say was printed.
var errShown = errors.New("")

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	status := execute(ctx, root())
	stop()
	os.Exit(status)
}

// execute runs a command line, prints what its error has to say, and returns the exit status.
func execute(ctx context.Context, c *cobra.Command) int {
	ran, err := c.ExecuteContextC(ctx)
	if served(ctx) == nil {
		err = errors.Join(err, handBack(ran))
	}
	if err == nil {
		return 0
	}
	if text := err.Error(); text != "" {
		fmt.Fprintln(c.ErrOrStderr(), "limsbridge:", text)
	}
	if exit, ok := errors.AsType[*exitError](err); ok {
		return exit.status
	}
	return exitFailed
}

func root() *cobra.Command {
	c := &cobra.Command{
		Use:   "limsbridge",
		Short: "Carries results from a lab's LIMS database to WHOOP's Healthcare Partner API",
		Long: `limsbridge reads sample progress and results from a clinical lab's LIMS database
(read-only), maps them to WHOOP's Healthcare Partner API, and keeps a ledger so
that nothing is submitted twice.

To see it at work:       limsbridge demo
To begin at a lab:       limsbridge init, then limsbridge check`,
		SilenceUsage: true, SilenceErrors: true,
	}
	c.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return &exitError{exitConfig, err} })
	c.PersistentFlags().String("config", "", "the configuration file (default: the machine's, else beside the program)")
	c.PersistentFlags().String("name", "", "which of several services of this machine")
	c.AddCommand(initCommand(), checkCommand(), codesCommand(), previewCommand(), onceCommand(), runCommand(), reloadCommand(), statusCommand(), serviceCommand(),
		pauseCommand(), resumeCommand(), holdsCommand(), outstandingCommand(), verifyCommand(), archiveCommand(), ledgerCommand(), secretCommand(), demoCommand(), sandboxCommand(), versionCommand())
	return c
}
