package main

import (
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"limsbridge/bridge/ledger"
	"limsbridge/config"
)

func ledgerCompactCommand() *cobra.Command {
	detail := "365d"
	c := &cobra.Command{
		Use: "compact", Short: "Write the ledger's file anew, without its free space", Args: cobra.NoArgs,
		Long: `Writes the database file into a new one, compares both entry by entry, and swaps them in
one step; the old file is removed once the new one was opened. It needs limsbridge
stopped, and as much free space as the ledger has records. The journal is not touched.

Of finished service requests that nobody touched for --detail, ids, statuses and
fingerprints are kept for ever, as corrections need them; what only serves to
recognise rows that are read again is dropped.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			span, err := config.ParseSpan(detail)
			if err != nil {
				return &exitError{exitConfig, fmt.Errorf("--detail: %w", err)}
			}
			if span < ledger.ShortestDetail {
				return &exitError{exitConfig, fmt.Errorf("--detail: write at least %dd, well above what the nightly sweep reads again", ledger.ShortestDetail/(24*time.Hour))}
			}
			state, _, err := ledgerPlace(cmd)
			if err != nil {
				return err
			}
			c, err := ledger.Compact(state, time.Now().Add(-span))
			if err != nil {
				return err
			}
			fmt.Fprintf(cmd.OutOrStdout(), "%s: %s before, %s now; detail dropped from %d\n",
				counted(c.Records, "record"), bytesText(c.Before), bytesText(c.After), c.Tombstones)
			return nil
		},
	}
	c.Flags().StringVar(&detail, "detail", detail, "how long detail of finished service requests is kept")
	return c
}
