package main

import "github.com/spf13/cobra"

// handBack has nothing to do: rights are inherited from the folder, whoever makes a file in it.
func handBack(*cobra.Command) error { return nil }

// letGroupRead has nothing to do either.
func letGroupRead(string) error { return nil }
