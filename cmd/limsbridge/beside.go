package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"runtime"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"limsbridge/bridge"
	"limsbridge/bridge/control"
	"limsbridge/config"
	"limsbridge/lims"
)

// Some commands say something only with the service's own rights: an administrator's say nothing
// about what the service's account may do at the database. Where the service runs, they run
// inside it, through its socket, by the very same code.

// inside wraps a command that runs inside the service where one runs.
func inside(c *cobra.Command) *cobra.Command {
	here := c.RunE
	c.RunE = func(cmd *cobra.Command, args []string) error {
		if served(cmd.Context()) != nil {
			return here(cmd, args)
		}
		cfg, _ := config.Load(configPath(cmd))
		if cfg == nil {
			cfg = config.Blank(configPath(cmd))
		}
		status, err := control.Run(cmd.Context(), cfg.State, control.Call{
			Args: commandLine(cmd, args), Config: cfg.Path, Version: version, User: osUser(), Terminal: isTerminal(cmd.OutOrStdout()),
		}, cmd.OutOrStdout(), cmd.ErrOrStderr())
		switch {
		case errors.Is(err, control.ErrNotRunning):
			return here(cmd, args)
		case err != nil:
			return err
		case status != 0:
			return &exitError{status, errShown}
		}
		return nil
	}
	c.Annotations = map[string]string{insideKey: "yes"}
	return c
}

// insideKey marks the commands that the service runs for its callers, and no others.
const insideKey = "inside"

// commandLine is the command as it was written, without what names the configuration, which a call
// names for itself.
func commandLine(cmd *cobra.Command, args []string) []string {
	line := strings.Fields(cmd.CommandPath())[1:]
	cmd.Flags().Visit(func(f *pflag.Flag) {
		if f.Name == "config" || f.Name == "name" {
			return
		}
		if list, ok := f.Value.(pflag.SliceValue); ok {
			for _, v := range list.GetSlice() {
				line = append(line, "--"+f.Name+"="+v)
			}
			return
		}
		line = append(line, "--"+f.Name+"="+f.Value.String())
	})
	return append(append(line, "--"), args...)
}

// service is what a command finds that runs inside the daemon.
type service struct {
	daemon *daemon
	call   control.Call
}

type servedKey struct{}

// served returns the service that the command runs inside; nil: none.
func served(ctx context.Context) *service {
	s, _ := ctx.Value(servedKey{}).(*service)
	return s
}

// command runs a caller's command line. Only commands that are marked for it run.
func (d *daemon) command(ctx context.Context, call control.Call, out, errs io.Writer) int {
	c := root()
	found, _, err := c.Find(call.Args)
	if err != nil || found.Annotations[insideKey] == "" {
		fmt.Fprintln(errs, "limsbridge: the service does not run this command for others")
		return exitConfig
	}
	d.log.Info("a command runs inside the service", "command", found.CommandPath(), "user", call.User)
	fmt.Fprintln(errs, heading(version, call.Version, osUser()))
	// Who has another file checked before it takes the place of the service's own means that one.
	path := cmp.Or(call.Config, d.path())
	if !sameFile(path, d.path()) {
		if found.Name() == "once" || found.Name() == "verify" {
			fmt.Fprintf(errs, "limsbridge: the service works by %s, and not by %s\n", d.path(), path)
			return exitConfig
		}
		fmt.Fprintf(errs, "(by %s; the service itself has %s)\n", path, d.path())
	}
	c.SetArgs(append([]string{"--config", path}, call.Args...))
	c.SetOut(out)
	c.SetErr(errs)
	c.SetIn(strings.NewReader(""))
	changed := d.changed.next()
	status := execute(context.WithValue(ctx, servedKey{}, &service{d, call}), c)
	select {
	case <-changed:
		if status != 0 {
			fmt.Fprintln(errs, meanwhile)
		}
	default:
	}
	return status
}

// headed says whose rights were used, where the service answered a command that has a question of its
// own to ask of it, and returns the answer's error.
func headed(cmd *cobra.Command, state string, answered error) error {
	if answered != nil {
		return answered
	}
	if s, err := control.ReadStatus(cmd.Context(), state); err == nil {
		fmt.Fprintln(cmd.ErrOrStderr(), heading(s.Version, version, s.User))
	}
	return nil
}

// heading says whose rights a command uses that the service answers: of which version it and the
// caller are, and which user of the operating system it is.
func heading(service, caller, user string) string {
	of := ""
	if service != caller {
		of = ", which is of version " + service
	}
	if runtime.GOOS != "windows" {
		user = "user " + user
	}
	return fmt.Sprintf("(inside the service%s, as %s)", of, user)
}

// meanwhile explains whatever else a command says whose service was taken from below it.
const meanwhile = "the service was reloaded or stopped meanwhile: see `limsbridge status`, and try it again"

// sameFile reports whether two paths lead to one file; where one leads nowhere, whether they are the same.
func sameFile(a, b string) bool {
	if a == b {
		return true
	}
	x, err := os.Stat(a)
	if err != nil {
		return false
	}
	y, err := os.Stat(b)
	return err == nil && os.SameFile(x, y)
}

func (d *daemon) path() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.cfg != nil {
		return d.cfg.Path
	}
	return d.file
}

// toTerminal reports whether what the command prints is seen by a person, and lands in no file.
func toTerminal(cmd *cobra.Command) bool {
	if s := served(cmd.Context()); s != nil {
		return s.call.Terminal
	}
	return isTerminal(cmd.OutOrStdout())
}

// readerFor returns the reader of the configuration's database and what closes it: the service's own,
// whose connection stays the only one, where the command runs inside it and the file is the one
// in force.
func readerFor(ctx context.Context, cfg *config.Config) (*lims.Reader, func() error, error) {
	if s := served(ctx); s != nil {
		if a, inForce, err := s.daemon.running(); err == nil && inForce.Hash() == cfg.Hash() {
			return a.reader, func() error { return nil }, nil
		}
	}
	r, err := openLIMS(cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		return nil, nil, err
	}
	return r, r.Close, nil
}

// rehearse gives a preview the service's own ledger and, with credentials, its client, whose calls
// are counted; false: there is none, as the service is not ready.
func (s *service) rehearse(r *bridge.Rehearsal, whoop bool) bool {
	a, _, err := s.daemon.running()
	if err != nil {
		return false
	}
	r.Ledger = a.ledger
	if whoop {
		r.API = a.client
	}
	return true
}
