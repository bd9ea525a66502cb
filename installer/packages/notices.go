package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// notices writes the licences of everything that is built into the programs, as they ask for.
func notices(w io.Writer, programs []string) error {
	modules, goVersion, err := builtIn(programs)
	if err != nil {
		return err
	}
	fmt.Fprintf(w, "limsbridge is under the Apache License 2.0 (LICENSE). Built into it are:\n")
	root, err := goTool("env", "GOROOT")
	if err != nil {
		return err
	}
	files, err := licenceFiles(root)
	if err != nil {
		return err
	}
	if err := notice(w, "the standard library of Go, "+goVersion, files); err != nil {
		return err
	}
	for _, m := range modules {
		files, err := licences(m)
		if err != nil {
			return err
		}
		if err := notice(w, m.path+" "+m.version, files); err != nil {
			return err
		}
	}
	return nil
}

func notice(w io.Writer, what string, files []string) error {
	fmt.Fprintf(w, "\n%s\n%s\n", strings.Repeat("=", 80), what)
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil {
			return err
		}
		fmt.Fprintf(w, "\n--- %s\n\n%s\n", filepath.Base(f), strings.TrimSpace(string(text)))
	}
	return nil
}
