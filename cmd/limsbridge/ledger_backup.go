package main

import (
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"limsbridge/bridge/ledger"
)

func ledgerBackupCommand() *cobra.Command {
	var withoutKey bool
	c := &cobra.Command{
		Use: "backup DIR", Short: "Copy the ledger, its journal and its key into a new folder", Args: cobra.ExactArgs(1),
		Long: `Writes a consistent copy with the SHA-256 of every file. It needs limsbridge stopped,
as the ledger's file has one user at a time. The fingerprint key is copied too; whoever
has it and the fingerprints can try out values, so keep the copy as you keep the ledger,
or keep the key (fingerprint.key, which never changes) elsewhere and write --without-key.
Secrets (limsbridge secret set) are not copied.

Where the journal folder is saved daily, an older copy of the rest is enough:
restore brings it up to date from the journal.`,
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			state, _, err := ledgerPlace(cmd)
			if err != nil {
				return err
			}
			l, err := ledger.Open(state, ledger.Options{ReadOnly: true})
			if errors.Is(err, ledger.ErrLocked) {
				return fmt.Errorf("%w\nTo back up while it runs, save the folder journal, and the rest when it is stopped", err)
			}
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, l.Close()) }()
			m, err := l.Backup(args[0], withoutKey, time.Now())
			if err != nil {
				return err
			}
			var size int64
			for _, f := range m.Files {
				size += f.Size
			}
			fmt.Fprintf(cmd.OutOrStdout(), "copied %s, %s, up to event %d, into %s\n", counted(len(m.Files), "file"), bytesText(size), m.Event, args[0])
			if !m.Key() {
				fmt.Fprintln(cmd.OutOrStdout(), "It is of no use without fingerprint.key, which was left out: see that you have it elsewhere.")
			}
			return nil
		},
	}
	c.Flags().BoolVar(&withoutKey, "without-key", false, "leave the fingerprint key out")
	return c
}

func ledgerRestoreCommand() *cobra.Command {
	var by, why string
	c := &cobra.Command{
		Use: "restore DIR", Short: "Put a backup into the ledger's folder, where there is no ledger", Args: cobra.ExactArgs(1),
		Long: `Checks every file of the backup and puts it in place. Nothing is ever overwritten: move
a damaged ledger.db away first, and leave the journal and fingerprint.key where they are.

If the journal in place is newer than the backup and intact, it brings the backup up to
date, and nothing is lost. Otherwise what was sent since the backup is unknown: everything
starts held until ` + "`limsbridge resume`" + `, so that somebody compares first.
A journal that is older than the backup's, or of another ledger, is refused.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			state, zone, err := ledgerPlace(cmd)
			if err != nil {
				return err
			}
			r, err := ledger.Restore(state, args[0], by, osUser(), why, time.Now())
			if err != nil {
				return err
			}
			out := cmd.OutOrStdout()
			fmt.Fprintf(out, "restored the backup of %s into %s\n", day(r.Manifest.At, zone), state)
			if r.Own {
				fmt.Fprintf(out, "The journal that was in place is kept; %s of it brought the backup up to date.\n", counted(r.Replayed, "event"))
			}
			if r.InDoubt > 0 {
				fmt.Fprintf(out, "%s may or may not have reached WHOOP: see `limsbridge holds`.\n", counted(r.InDoubt, "call"))
			}
			if r.Damage != nil {
				fmt.Fprintf(out, "But: %v\n", r.Damage)
			}
			if r.Held {
				fmt.Fprint(out, `Everything starts held: what was sent since the backup is unknown.
  1. limsbridge preview --since 30d      shows what would be sent now
  2. compare that with WHOOP: what WHOOP has already must not go out again
  3. limsbridge resume --by NAME --why TEXT
`)
				return nil
			}
			if r.Before {
				fmt.Fprintln(out, "Sending was stopped before, as ledger and journal did not agree or a backup was restored, and still is: limsbridge resume, after comparing.")
			}
			fmt.Fprintln(out, "The journal is intact and newer than the backup: nothing is lost, and nothing starts held for that.")
			return nil
		},
	}
	decider(c, &by, &why)
	return c
}
