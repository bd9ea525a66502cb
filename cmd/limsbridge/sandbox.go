package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"limsbridge/whoop/sandbox"
)

func sandboxCommand() *cobra.Command {
	var addr string
	var o sandbox.Options
	c := &cobra.Command{
		Use: "sandbox", Short: "Serve the simulated API on a loopback address", Args: cobra.NoArgs,
		Long: `Serves a simulation of WHOOP's Healthcare Partner API, for rehearsals with a
real LIMS and no real patient. It keeps everything in memory, and listens on
loopback addresses only. What it accepted is at /_sandbox/.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			s := sandbox.New(o)
			url, err := s.Start(addr)
			if err != nil {
				return err
			}
			id, secret := o.ClientID, o.ClientSecret
			if id == "" {
				id = sandbox.DefaultClientID
			}
			if secret == "" {
				secret = sandbox.DefaultClientSecret
			}
			fmt.Fprintf(cmd.OutOrStdout(), "whoop:\n  url: %s\n  client_id: %s\n  client_secret: %s\n", url, id, secret)
			<-cmd.Context().Done()
			return s.Close()
		},
	}
	c.Flags().StringVar(&addr, "listen", "127.0.0.1:8088", "the address")
	c.Flags().StringVar(&o.ClientID, "client-id", "", "the credentials that are accepted")
	c.Flags().StringVar(&o.ClientSecret, "client-secret", "", "the credentials that are accepted")
	c.Flags().IntVar(&o.PerMinute, "per-minute", 0, "quota a minute; 0 is none")
	c.Flags().IntVar(&o.PerDay, "per-day", 0, "quota a day; 0 is none")
	c.Flags().Uint64Var(&o.Seed, "seed", 1, "makes ids and faults repeatable")
	c.Flags().BoolVar(&o.DropReports, "drop-reports", false, "keep of reports only what finding duplicates needs")
	return c
}
