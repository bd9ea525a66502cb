package limstest_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"limsbridge/lims/limstest"
)

// A lab with two requisitions, each with a value that is corrected later, moved along by a clock of
// the caller's.
func Example() {
	dir, err := os.MkdirTemp("", "limstest")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = os.RemoveAll(dir) }()
	now := time.Date(2026, 11, 22, 13, 5, 7, 0, time.UTC)
	lab, err := limstest.New(filepath.Join(dir, "lims.db"), limstest.Options{
		Orders: 2, Kinds: []limstest.Kind{limstest.Corrected}, Now: func() time.Time { return now },
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer lab.Close()
	for !lab.Done() {
		if err := lab.Advance(context.Background()); err != nil {
			fmt.Println(err)
			return
		}
		now = now.Add(100 * time.Millisecond)
	}
	c := lab.Truth().Counts()
	fmt.Println(c.Requisitions, "requisitions,", c.Corrections, "corrections,", c.Holds, "holds")
	// Output: 2 requisitions, 2 corrections, 0 holds
}
