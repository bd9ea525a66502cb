package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/google/uuid"
	"github.com/spf13/cobra"

	"limsbridge/bridge"
	"limsbridge/bridge/archive"
	"limsbridge/bridge/ledger"
	"limsbridge/config"
)

func archiveCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "archive", Short: "Show what was sent, from the lab's encrypted archive",
		Long: `By choice (archive: in the configuration) an encrypted copy of every report is kept, so
that original and corrected can be shown years later. This machine knows the public key
only. Make a key pair on another one, write its public key into the configuration, and
keep the file with the private key where the archive is not: without it nobody reads
the copies, this program included.

  limsbridge archive key private-key.txt`,
	}
	c.AddCommand(archiveShowCommand(), archiveKeyCommand())
	return c
}

func archiveKeyCommand() *cobra.Command {
	return &cobra.Command{
		Use: "key FILE", Short: "Make a key pair; write the private key into a new file and print the public key", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			public, err := archive.NewKey(args[0], time.Now())
			if errors.Is(err, os.ErrExist) {
				return fmt.Errorf("%s exists already: a key is never overwritten", args[0])
			}
			if err != nil {
				return err
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), `The private key is in %s. Keep it where the archive is not, twice, and
delete it from this machine: whoever has it reads every copy, and without it nobody does.

The public key, for the configuration:

archive:
  recipients: [%s]
`, args[0], public)
			return err
		},
	}
}

func archiveShowCommand() *cobra.Command {
	var identity, out, folder string
	c := &cobra.Command{
		Use: "show INTENT|SERVICE-REQUEST", Short: "Print the reports of a service request as they were sent, in order", Args: cobra.ExactArgs(1),
		Long: `Prints all reports of a service request, original and corrected, in the order in which
they were sent, with what the journal says of each. INTENT is the number of any report's
intent in the journal (limsbridge holds show, limsbridge ledger history).

It prints results: on a terminal, or into a new file with --out, nowhere else.`,
		Example: "  limsbridge archive show 4711 --identity E:\\private-key.txt",
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			state, zone, err := ledgerPlace(cmd)
			if err != nil {
				return err
			}
			if folder == "" {
				if cfg, _ := config.Load(configPath(cmd)); cfg != nil {
					folder = cfg.Archive.Folder
				}
			}
			if folder == "" {
				return &exitError{exitConfig, errors.New("where is the archive? name the configuration (--config) or the archive's folder (--folder)")}
			}
			if out == "" && !isTerminal(cmd.OutOrStdout()) {
				return &exitError{exitConfig, errors.New("this prints results: on a terminal only, or into a file with --out FILE")}
			}
			keys, err := archive.ReadKeys(identity)
			if err != nil {
				return err
			}
			if archive.Inside(folder, identity) {
				fmt.Fprintln(cmd.ErrOrStderr(), "warning: the private key lies in the archive's folder; whoever copies one has both")
			}
			s := shower{state: state, zone: zone, folder: folder, keys: keys, warn: cmd.ErrOrStderr()}
			if out == "" {
				_, err := s.show(cmd.OutOrStdout(), args[0])
				return err
			}
			f, err := os.OpenFile(out, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
			if errors.Is(err, os.ErrExist) {
				return fmt.Errorf("%s exists already: write the name of a new file", out)
			}
			if err != nil {
				return err
			}
			shown, err := s.show(f, args[0])
			if err = errors.Join(err, f.Close()); shown == 0 {
				return errors.Join(err, os.Remove(out))
			}
			fmt.Fprintf(cmd.OutOrStdout(), "written to %s; it holds results: delete it when it has been shown\n", out)
			return err
		},
	}
	c.Flags().StringVar(&identity, "identity", "", "the file with the private key")
	c.Flags().StringVar(&out, "out", "", "write into this new file instead of the terminal")
	c.Flags().StringVar(&folder, "folder", "", "the archive's folder (default: the configuration's)")
	c.Flags().String("state", "", "the ledger's folder (default: the configuration's)")
	require(c, "identity")
	return c
}

// shower shows the reports of one service request.
type shower struct {
	state, folder string
	zone          *time.Location
	keys          archive.Keys
	warn          io.Writer
}

// show shows them and returns how many it could; the error tells of the others too.
func (s shower) show(out io.Writer, which string) (shown int, err error) {
	request, err := s.request(which)
	if err != nil {
		return 0, err
	}
	reports, err := archive.Reports(s.folder, s.journal, request)
	if err != nil {
		return 0, err
	}
	if len(reports) == 0 {
		return 0, fmt.Errorf("neither the journal nor the archive knows a report of service request %s", request)
	}
	prints, err := s.prints()
	if err != nil {
		return 0, err
	}
	fmt.Fprintf(out, "service request %s: %s\n", request, counted(len(reports), "report"))
	for i, r := range reports {
		fmt.Fprintf(out, "\n%d. %s\n", i+1, headline(r, s.zone))
		if !r.Kept {
			fmt.Fprintln(out, "   no copy: the archive was off then, or its file is gone")
			continue
		}
		b, err := r.Body(s.keys)
		if err != nil {
			fmt.Fprintf(out, "   %v\n", err)
			continue
		}
		fmt.Fprintf(out, "   %s\n   %s\n", filepath.Base(r.File()), agreement(r, b, prints))
		if err := writeBody(out, b); err != nil {
			return shown, err
		}
		shown++
	}
	if failed := len(reports) - shown; failed > 0 {
		return shown, fmt.Errorf("%d of %d reports could not be shown", failed, len(reports))
	}
	return shown, nil
}

// journal reads the journal as far as it can be read.
func (s shower) journal(yield func(bridge.Event) error) error {
	err := ledger.ReadJournal(s.state, yield)
	if damage, ok := errors.AsType[*ledger.DamageError](err); ok {
		fmt.Fprintln(s.warn, "warning:", damage)
		return nil
	}
	return err
}

// request returns the service request that is meant, by its id or the number of an intent.
func (s shower) request(which string) (uuid.UUID, error) {
	if id, err := uuid.Parse(which); err == nil {
		return id, nil
	}
	intent, err := strconv.ParseUint(which, 10, 64)
	if err != nil {
		return uuid.Nil, &exitError{exitConfig, fmt.Errorf("%q is neither the number of an intent nor a service request's id", which)}
	}
	return archive.RequestOf(s.journal, intent)
}

// prints returns the fingerprints to compare with; nil while a running limsbridge has the ledger.
func (s shower) prints() (*bridge.Fingerprints, error) {
	l, err := ledger.Open(s.state, ledger.Options{ReadOnly: true})
	if errors.Is(err, ledger.ErrLocked) || errors.Is(err, ledger.ErrMissing) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return bridge.NewFingerprints(l.Key()), l.Close()
}

// headline says what the journal knows of a report.
func headline(r archive.Report, zone *time.Location) string {
	when := r.At.In(zone).Format(time.RFC3339)
	if r.Intent == 0 {
		return when + ": a copy without an intent in the journal: it never left"
	}
	became := "no outcome is known"
	if r.Outcome != "" {
		became = string(r.Outcome)
	}
	if r.Code != 0 {
		became += fmt.Sprintf(", HTTP %d", r.Code)
	}
	if r.RequestID != "" {
		became += ", request id " + r.RequestID
	}
	if r.Verdict != "" {
		became += ", decided as " + string(r.Verdict)
	}
	return fmt.Sprintf("%s: intent %d, %s report: %s", when, r.Intent, r.Status, became)
}

func agreement(r archive.Report, b archive.Body, prints *bridge.Fingerprints) string {
	switch {
	case r.Intent == 0:
		return "there is nothing in the journal to compare it with"
	case prints == nil:
		return "not compared with the journal's fingerprints: their key is in use by a running limsbridge, or not here"
	case r.Agrees(b, prints):
		return "agrees with the fingerprints in the journal"
	}
	return "WARNING: does not agree with the fingerprints in the journal"
}

// writeBody prints the report as it was sent, indented.
func writeBody(out io.Writer, b archive.Body) error {
	var text bytes.Buffer
	e := json.NewEncoder(&text)
	e.SetEscapeHTML(false)
	e.SetIndent("   ", "  ")
	if e.Encode(b.Report) != nil {
		return errors.New("a report cannot be printed") // json's error would show a value
	}
	_, err := fmt.Fprintf(out, "   %s", text.Bytes())
	return err
}
