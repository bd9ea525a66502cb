package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"limsbridge/bridge/control"
	"limsbridge/config"
	"limsbridge/installer"
)

func secretCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "secret", Short: "Keep the secrets that the configuration refers to",
		Long: `Secrets stay out of the configuration, which refers to them as secret:NAME. On Windows they
are encrypted for this machine (DPAPI), elsewhere they are files that the service's user
alone can read; a credential of systemd of the same name wins over them.`,
	}
	c.AddCommand(&cobra.Command{
		Use: "set NAME", Short: "Store a secret for secret:NAME; asks for it, or reads one line from standard input", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			state, err := statePlace(cmd)
			if err != nil {
				return err
			}
			text, err := readSecret(cmd, args[0])
			if err != nil {
				return err
			}
			if err := config.StoreSecret(state, args[0], text); err != nil {
				return err
			}
			instance, _ := cmd.Flags().GetString("name")
			for _, path := range credentials(credentialStores, instance, args[0]) {
				fmt.Fprintf(cmd.ErrOrStderr(), "warning: the service takes %s instead, where its unit loads that: change or remove that one, too\n", path)
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "stored; the configuration refers to it as secret:%s, and limsbridge reload has a running service take it up at once\n", args[0])
			return err
		},
	}, &cobra.Command{
		Use: "list", Short: "List the secrets that are stored or needed, without their texts", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, problems := loadOrBlank(configPath(cmd))
			if cfg.State == "" {
				return showProblems(cmd.ErrOrStderr(), problems)
			}
			stored, err := config.StoredSecrets(cfg.State)
			if err != nil {
				return err
			}
			// A credential of the service manager is in the service's hands only.
			s, err := control.ReadStatus(cmd.Context(), cfg.State)
			has := err == nil && s.Ready && s.ConfigHash == cfg.Hash()
			if listSecrets(cmd.OutOrStdout(), stored, cfg.References(), has, cfg.TimeZone) > 0 {
				return errShown
			}
			return nil
		},
	}, &cobra.Command{
		Use: "remove NAME", Short: "Remove a stored secret", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			state, err := statePlace(cmd)
			if err != nil {
				return err
			}
			if err := config.RemoveSecret(state, args[0]); err != nil {
				return err
			}
			fmt.Fprintln(cmd.OutOrStdout(), "removed")
			cfg, _ := loadOrBlank(configPath(cmd))
			for _, r := range cfg.References() {
				if r.Name == args[0] && r.Missing != "" {
					fmt.Fprintf(cmd.ErrOrStderr(), "%s still refers to it: without it nothing starts or reloads; limsbridge secret set %s stores another one\n", r.Setting, r.Name)
				}
			}
			return nil
		},
	})
	return c
}

// credentialStores are the folders from which units take credentials, by our own unit and by the
// README's example.
var credentialStores = []string{"/etc/credstore", "/etc/credstore.encrypted"}

// credentials are the files that a unit may load as that secret, and that then win over a stored one.
func credentials(stores []string, instance, name string) (found []string) {
	file := name
	if instance != "" {
		file = (installer.Service{Instance: instance}).Name() + "." + name
	}
	for _, store := range stores {
		path := filepath.Join(store, file)
		if _, err := os.Stat(path); err == nil {
			found = append(found, path)
		}
	}
	return found
}

// statePlace is the state folder, also of a configuration that is not filled in yet.
func statePlace(cmd *cobra.Command) (string, error) {
	cfg, problems := config.Load(configPath(cmd))
	if cfg == nil || cfg.State == "" {
		return "", showProblems(cmd.ErrOrStderr(), problems)
	}
	return cfg.State, nil
}

// listSecrets prints what is stored and what is referred to, and returns how many are needed and
// cannot be had. has: a service works by these references, so that it has them all.
func listSecrets(out io.Writer, stored []config.StoredSecret, references []config.Reference, has bool, zone *time.Location) (missing int) {
	if zone == nil {
		zone = time.Local
	}
	if len(stored)+len(references) == 0 {
		fmt.Fprintln(out, "No secret is stored, and the configuration refers to none.")
		return 0
	}
	w := tabwriter.NewWriter(out, 0, 4, 2, ' ', 0)
	fmt.Fprintln(w, "SECRET\tSETTING\tSTANDS")
	kept := map[string]time.Time{}
	for _, s := range stored {
		kept[s.Name] = s.Stored
	}
	used := map[string]bool{}
	for _, r := range references {
		used[r.Name] = true
		at, here := kept[r.Name]
		stands := "in place: a credential of the service manager"
		switch {
		case r.Missing != "" && has:
			stands = "not seen by this account; the service has it"
		case r.Missing != "":
			missing++
			stands = "MISSING: " + r.Missing
		case here:
			stands = "stored " + at.In(zone).Format("2006-01-02 15:04")
		}
		fmt.Fprintf(w, "%s\t%s\t%s\n", r.Name, r.Setting, stands)
	}
	for _, s := range stored {
		if !used[s.Name] {
			fmt.Fprintf(w, "%s\t-\tstored %s; no setting refers to it\n", s.Name, s.Stored.In(zone).Format("2006-01-02 15:04"))
		}
	}
	_ = w.Flush() // a terminal that is gone is nobody to tell
	return missing
}

// readSecret asks at a terminal without showing what is typed.
func readSecret(cmd *cobra.Command, name string) (string, error) {
	if fd := int(os.Stdin.Fd()); cmd.InOrStdin() == os.Stdin && term.IsTerminal(fd) {
		fmt.Fprintf(cmd.ErrOrStderr(), "%s: ", name)
		b, err := term.ReadPassword(fd)
		fmt.Fprintln(cmd.ErrOrStderr())
		return string(b), err
	}
	line, err := bufio.NewReader(io.LimitReader(cmd.InOrStdin(), 1<<16)).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return "", err
	}
	return strings.TrimRight(line, "\r\n"), nil
}
