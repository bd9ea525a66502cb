package main

import (
	"errors"
	"fmt"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/spf13/cobra"

	"limsbridge/config"
	"limsbridge/installer"
)

func serviceCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "service", Short: "Install, start and stop limsbridge as a service of this machine",
		Long: `Makes limsbridge a service of Windows or of systemd, which starts with the machine and is
started again if it ends. It depends on nothing that may be late: database, network and
WHOOP may come when they come.

Several services on one machine are told apart by --name; each has a configuration, a
ledger, logs and a socket of its own.`,
	}
	c.AddCommand(serviceInstallCommand(), serviceDo("uninstall", "Remove the service; configuration, ledger, secrets and logs stay", installer.Service.Uninstall),
		orForPackage(serviceDo("start", "Start the service", installer.Service.Start), "if-it-ran", "start what stop --to-resume found running", installer.Service.Resume),
		orForPackage(serviceDo("stop", "Stop the service; a call that is under way is finished", installer.Service.Stop), "to-resume", "note whether it ran, for start --if-it-ran", installer.Service.StopToResume),
		serviceDo("restart", "Stop the service and start it again", func(s installer.Service) error {
			return errors.Join(s.Stop(), s.Start())
		}),
		serviceStatusCommand(), serviceUnitCommand())
	return c
}

// serviceOf is the service that the flags name.
func serviceOf(cmd *cobra.Command) (installer.Service, error) {
	name, _ := cmd.Flags().GetString("name")
	if !installer.ValidInstance(name) {
		return installer.Service{}, &exitError{exitConfig, errors.New("--name has letters, digits, dashes and underscores, at most 32; archive, journal, log, secrets and state are taken")}
	}
	s := installer.Service{Instance: name, Arguments: []string{"run"}}
	if name != "" {
		s.Arguments = append(s.Arguments, "--name", name)
	}
	return s, nil
}

func serviceInstallCommand() *cobra.Command {
	var account string
	var again bool
	c := &cobra.Command{
		Use: "install", Short: "Install the service, to be started with the machine", Args: cobra.NoArgs,
		Long: `Installs the service and gives its account the rights on its folders. It is not started yet.

Without --account it is, on Windows, an account that Windows keeps for this service alone
(NT SERVICE\limsbridge; it reaches SQL Server as DOMAIN\HOST$), on Linux the system user
limsbridge. A domain account's password is asked for, or read from standard input; a group
managed service account (DOMAIN\name$) has none.`,
		Example: "  limsbridge service install\n  limsbridge service install --account 'CLINIC\\limsbridge$'\n  limsbridge service install --name west",
		RunE: func(cmd *cobra.Command, _ []string) error {
			s, err := serviceOf(cmd)
			if err != nil {
				return err
			}
			if named := cmd.Flags().Lookup("config"); again && !named.Changed {
				kept, err := s.Configuration()
				if err != nil {
					return err
				}
				if err := named.Value.Set(kept); err != nil {
					return err
				}
			}
			cfg, _ := loadOrBlank(configPath(cmd))
			if explicit, _ := cmd.Flags().GetString("config"); explicit != "" {
				s.Arguments = append(s.Arguments, "--config", cfg.Path) // absolute: a service starts elsewhere
			}
			s.Account = account
			s.Reads = []string{filepath.Dir(cfg.Path)}
			s.Writes = []string{cfg.State, cfg.Log.Folder}
			if cfg.Archive.On() {
				s.Writes = append(s.Writes, cfg.Archive.Folder)
			}
			if needsPassword(account) {
				if s.Password, err = readSecret(cmd, account); err != nil {
					return err
				}
			}
			warnings, err := s.Install(again)
			for _, w := range warnings {
				fmt.Fprintln(cmd.ErrOrStderr(), "warning:", w)
			}
			if err != nil {
				return err
			}
			// Under Windows Installer there is nobody to tell it to, which is no failure.
			fmt.Fprintf(cmd.OutOrStdout(), `installed the service %s
  configuration  %s
  ledger         %s
  log            %s
Next: limsbridge service start, then limsbridge status
`, s.Name(), cfg.Path, cfg.State, cfg.Log.Folder)
			return nil
		},
	}
	c.Flags().BoolVar(&again, "again", false, "bring a service that is installed already up to date, and keep its account and its configuration unless --account or --config is written")
	c.Flags().StringVar(&account, "account", "", `the account that runs it, e.g. DOMAIN\user or DOMAIN\user$ (default: one of its own)`)
	return c
}

// needsPassword reports whether an account of Windows has a password that somebody knows: not those
// that Windows keeps itself, nor a group managed service account.
func needsPassword(account string) bool {
	upper := strings.ToUpper(account)
	return runtime.GOOS == "windows" && account != "" && !strings.HasSuffix(account, "$") &&
		!strings.HasPrefix(upper, `NT SERVICE\`) && !strings.HasPrefix(upper, `NT AUTHORITY\`)
}

func serviceDo(name, short string, do func(installer.Service) error) *cobra.Command {
	return &cobra.Command{
		Use: name, Short: short, Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			s, err := serviceOf(cmd)
			if err != nil {
				return err
			}
			if err := do(s); err != nil {
				return err
			}
			fmt.Fprintf(cmd.OutOrStdout(), "%s: done (%s)\n", name, s.Name())
			return nil
		},
	}
}

// orForPackage lets a flag that Windows' package alone writes make the command do something else: an upgrade that
// fails starts what it stopped, and nothing that a person stopped before it.
func orForPackage(c *cobra.Command, flag, what string, do func(installer.Service) error) *cobra.Command {
	plain, other := c.RunE, serviceDo(c.Use, c.Short, do).RunE
	c.RunE = func(cmd *cobra.Command, args []string) error {
		if asked, _ := cmd.Flags().GetBool(flag); asked {
			return other(cmd, args)
		}
		return plain(cmd, args)
	}
	c.Flags().Bool(flag, false, what)
	_ = c.Flags().MarkHidden(flag) // it was made in the line above
	return c
}

func serviceStatusCommand() *cobra.Command {
	c := statusCommand()
	c.Short = "Show how the service manager and the bridge say that it stands"
	bridge := c.RunE
	c.RunE = func(cmd *cobra.Command, args []string) error {
		s, err := serviceOf(cmd)
		if err != nil {
			return err
		}
		state, err := s.Status()
		if err != nil {
			state = installer.State(err.Error())
		}
		out := cmd.OutOrStdout()
		if asJSON, _ := cmd.Flags().GetBool("json"); asJSON {
			out = cmd.ErrOrStderr()
		}
		fmt.Fprintf(out, "%-10s %s is %s\n", "service", s.Name(), state)
		return bridge(cmd, args)
	}
	return c
}

func serviceUnitCommand() *cobra.Command {
	return &cobra.Command{
		Use: "unit", Short: "Print the systemd unit", Args: cobra.NoArgs, Hidden: true,
		RunE: func(cmd *cobra.Command, _ []string) error {
			s, err := serviceOf(cmd)
			if err != nil {
				return err
			}
			text, err := s.Unit()
			if err != nil {
				return err
			}
			_, err = fmt.Fprint(cmd.OutOrStdout(), text)
			return err
		},
	}
}

// instancePath is the configuration's file of an instance.
func instancePath(name string) string {
	first := config.Places()[0]
	return filepath.Join(filepath.Dir(first), name, config.FileName)
}
