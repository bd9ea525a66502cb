package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"limsbridge/bridge/control"
	"limsbridge/config"
)

func reloadCommand() *cobra.Command {
	return &cobra.Command{
		Use: "reload", Short: "Put the changed configuration in force in the running service", Args: cobra.NoArgs,
		Long: `The running service reads its file again. If that has problems, they are printed and the
configuration in force stays. What is held for a mapping is planned again.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, _ := config.Load(configPath(cmd))
			if cfg == nil {
				cfg = config.Blank(configPath(cmd))
			}
			err := control.Reload(cmd.Context(), cfg.State)
			switch {
			case errors.Is(err, control.ErrNotRunning):
				return fmt.Errorf("%w: the file is read when it starts", err)
			case err != nil:
				return &exitError{exitConfig, err}
			}
			_, err = fmt.Fprintln(cmd.OutOrStdout(), "the configuration is in force")
			return err
		},
	}
}
