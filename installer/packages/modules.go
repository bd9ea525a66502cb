package main

import (
	"context"
	"debug/buildinfo"
	"fmt"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// module is something that is built into a program.
type module struct{ path, version, sum string }

// builtIn returns what the programs themselves say is in them: their modules, sorted, and the Go
// version with whose standard library they were built.
func builtIn(programs []string) (modules []module, goVersion string, err error) {
	seen := map[module]bool{}
	for _, p := range programs {
		info, err := buildinfo.ReadFile(p)
		if err != nil {
			return nil, "", fmt.Errorf("%s: %w", p, err)
		}
		if goVersion != "" && goVersion != info.GoVersion {
			return nil, "", fmt.Errorf("%s was built with %s, others with %s", p, info.GoVersion, goVersion)
		}
		goVersion = info.GoVersion
		for _, d := range info.Deps {
			if d.Replace != nil {
				d = d.Replace
			}
			seen[module{d.Path, d.Version, d.Sum}] = true
		}
	}
	for m := range seen {
		modules = append(modules, m)
	}
	slices.SortFunc(modules, func(a, b module) int {
		return strings.Compare(a.path+"@"+a.version, b.path+"@"+b.version)
	})
	return modules, goVersion, nil
}

// licences returns the files of a module that say under which terms it may be passed on.
func licences(m module) ([]string, error) {
	dir, err := goTool("list", "-m", "-f", "{{.Dir}}", m.path)
	if err != nil {
		return nil, err
	}
	return licenceFiles(dir)
}

// licenceFiles returns the licence files in a folder, and an error where there are none: nothing
// without terms is passed on.
func licenceFiles(dir string) ([]string, error) {
	var files []string
	for _, pattern := range []string{"LICENSE*", "LICENCE*", "COPYING*", "NOTICE*", "PATENTS*"} {
		found, err := filepath.Glob(filepath.Join(dir, pattern))
		if err != nil {
			return nil, err
		}
		files = append(files, found...)
	}
	if len(files) == 0 {
		return nil, fmt.Errorf("no licence in %s", dir)
	}
	return files, nil
}

func goTool(args ...string) (string, error) {
	out, err := exec.CommandContext(context.Background(), "go", args...).Output() //nolint:gosec // the words are this program's own
	if err != nil {
		return "", fmt.Errorf("go %s: %w", strings.Join(args, " "), err)
	}
	return strings.TrimSpace(string(out)), nil
}
