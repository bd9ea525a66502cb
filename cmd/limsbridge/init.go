package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"limsbridge/bridge/ledger"
	"limsbridge/config"
	"limsbridge/config/recipes"
)

const viewsName = "create-views.sql"

func initCommand() *cobra.Command {
	var choice recipes.Choice
	var dir string
	c := &cobra.Command{
		Use: "init", Short: "Write limsbridge.yaml, create-views.sql and an empty ledger", Args: cobra.NoArgs,
		Long: `Writes a complete, commented limsbridge.yaml in mode observe, create-views.sql for
the DBA, and creates the ledger, which run and once never do. Files that exist are
never overwritten; a ledger that exists is kept.`,
		Example: `  limsbridge init --lims labware
  limsbridge init --lims generic --db postgres --dir /etc/limsbridge`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if dir == "" {
				dir = filepath.Dir(configPath(cmd))
			}
			yaml, sql, err := recipes.Render(choice)
			if err != nil {
				return &exitError{exitConfig, err}
			}
			_, missing := os.Stat(dir)
			if err := os.MkdirAll(dir, 0o750); err != nil {
				return err
			}
			if missing != nil {
				if err := letGroupRead(dir); err != nil {
					return err
				}
			}
			out := cmd.OutOrStdout()
			path := filepath.Join(dir, config.FileName)
			for _, f := range []struct {
				path string
				text []byte
			}{{path, yaml}, {filepath.Join(dir, viewsName), sql}} {
				written, err := writeNew(f.path, f.text)
				if err != nil {
					return err
				}
				if written {
					fmt.Fprintf(out, "wrote   %s\n", f.path)
				} else {
					fmt.Fprintf(out, "kept    %s, which was there already\n", f.path)
				}
			}
			state, err := createLedger(path)
			if err != nil {
				return err
			}
			fmt.Fprintf(out, "%s\n\n%s", state, nextSteps(path))
			return nil
		},
	}
	c.Flags().StringVar(&choice.LIMS, "lims", "", "which LIMS: "+strings.Join(recipes.LIMS(), ", "))
	c.Flags().StringVar(&choice.DB, "db", "", "its database, where there is a choice: sqlserver, postgres, mysql, oracle, sqlite")
	c.Flags().StringVar(&dir, "dir", "", "the folder (default: where the configuration is looked for)")
	return c
}

// writeNew writes a file that must not exist yet. It may hold a secret one day, so that others
// cannot read it.
func writeNew(path string, text []byte) (bool, error) {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o640) //nolint:gosec // the service reads it through its group
	if errors.Is(err, fs.ErrExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	_, err = f.Write(text)
	return true, errors.Join(err, f.Close(), letGroupRead(path))
}

// createLedger creates the ledger of the configuration, where there is none yet.
func createLedger(path string) (string, error) {
	cfg, _ := config.Load(path) // a file that is not filled in yet has problems, and a state folder
	state := filepath.Join(filepath.Dir(path), "state")
	if cfg != nil && cfg.State != "" {
		state = cfg.State
	}
	if _, err := os.Stat(filepath.Join(state, "journal")); err == nil {
		return "kept    " + state + ", which holds a ledger already", nil
	}
	if err := ledger.Create(state, time.Now(), "limsbridge init", osUser()); err != nil {
		return "", err
	}
	return "created " + state + ", an empty ledger", nil
}

func nextSteps(path string) string {
	return fmt.Sprintf(`Next:
  1. give %s to the DBA; it holds everything that is asked of the database
  2. fill in %s: server, database, credentials, tests
  3. limsbridge check --config %[2]s
  4. limsbridge codes --last 30d     prints the tests: block to fill in
  5. limsbridge preview --since 7d   shows what would be sent
  6. mode: send
`, viewsName, path)
}
