package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"limsbridge/config"
)

func secretCommand() *cobra.Command {
	c := &cobra.Command{Use: "secret", Short: "Keep the secrets that the configuration refers to"}
	c.AddCommand(&cobra.Command{
		Use: "set NAME", Short: "Store a secret for secret:NAME; asks for it, or reads one line from standard input", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			cfg, problems := config.Load(configPath(cmd))
			if cfg == nil || cfg.State == "" {
				return showProblems(cmd.ErrOrStderr(), problems)
			}
			text, err := readSecret(cmd, args[0])
			if err != nil {
				return err
			}
			if err := config.StoreSecret(cfg.State, args[0], text); err != nil {
				return err
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "stored; the configuration refers to it as secret:%s\n", args[0])
			return err
		},
	})
	return c
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
