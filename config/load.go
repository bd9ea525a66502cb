package config

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	_ "time/tzdata" // Windows has no time zone data base
)

// largest is far more than any lab's tests need.
const largest = 4 << 20

// Load reads the file and everything that it refers to. It returns the configuration as far as it
// could be read, and all problems; with problems (see Problems.Without) it must not be used to
// send anything. The configuration is nil only where the file itself cannot be read.
func Load(path string) (*Config, Problems) {
	abs, err := filepath.Abs(path)
	if err != nil {
		abs = path
	}
	raw, problem := slurp(path)
	if problem != nil {
		return nil, Problems{*problem}
	}
	return parse(path, abs, raw)
}

// Blank returns the configuration of an empty file in that place: the defaults, and where its
// folders would be. It is for those who must say something about a file that cannot be read.
func Blank(path string) *Config {
	abs, err := filepath.Abs(path)
	if err != nil {
		abs = path
	}
	c, _ := parse(path, abs, nil)
	return c
}

func slurp(path string) ([]byte, *Problem) {
	raw, err := os.ReadFile(path)
	p := &Problem{File: path}
	switch {
	case errors.Is(err, fs.ErrNotExist):
		p.What, p.Instead = "there is no such file", "limsbridge init writes one, complete and commented"
	case errors.Is(err, fs.ErrPermission):
		p.What, p.Instead = "this account may not read the file", "give the account that runs this the right to read it"
		if runtime.GOOS == "linux" {
			p.Instead = fmt.Sprintf("the service reads it through its group: chgrp limsbridge %[1]s && chmod 640 %[1]s\na person reads it as root (sudo)", path)
		}
	case err != nil:
		p.What = "the file cannot be read"
	case len(raw) > largest:
		p.What, p.Instead = "the file is larger than 4 MiB", "is it the right file?"
	default:
		return raw, nil
	}
	return nil, p
}

// parse is Load without the disk, but for the files that the settings name.
func parse(name, abs string, raw []byte) (*Config, Problems) {
	sum := sha256.Sum256(raw)
	c := &Config{Path: abs, hash: hex.EncodeToString(sum[:])}
	d := &decoder{c: c, at: map[string]value{}, bad: map[string]bool{}, top: settings(c)}
	d.fill()

	src, problems := prepare(name, raw)
	if src == nil {
		return c, problems
	}
	d.src = src
	if tabs := src.tabs(); tabs != nil {
		src.unread = true
		d.salvage(raw)
		return c, d.finish(append(problems, tabs...))
	}
	root, mended, more := src.parse()
	problems = append(problems, more...)
	if src.unread {
		d.salvage(raw)
		return c, d.finish(problems)
	}
	d.mended = mended
	switch _, ok := pairs(root); {
	case root == nil:
		return c, d.finish(append(problems, Problem{File: name, What: "the file is empty", Instead: "limsbridge init writes one, complete and commented"}))
	case !ok:
		d.section(root, "", d.top)
		return c, d.finish(problems)
	}
	d.section(root, "", d.top)
	for at, r := range d.mended { // in places that no setting reads
		if r == '%' {
			continue
		}
		problems = append(problems, Problem{File: name, Line: at.line, Column: at.column, width: 1,
			What: fmt.Sprintf("a text that begins with %c means something else in YAML", r), Instead: "write it in single quotes: '…'"})
	}
	d.rules()
	d.fetchSecrets()
	return c, d.finish(problems)
}

// salvage takes the state folder from a text that cannot be parsed: there the service answers, whose
// configuration in force this was before somebody changed it.
func (d *decoder) salvage(raw []byte) {
	for line := range strings.SplitSeq(string(raw), "\n") {
		if strings.HasPrefix(line, "state:") && len(line) < len(raw) {
			alone, _ := parse(d.src.name, d.c.Path, []byte(line))
			d.c.State = alone.State
		}
	}
}

// finish sorts the problems and shows their lines, now that all that must not be shown is known.
func (d *decoder) finish(more Problems) Problems {
	all := slices.Concat(more, d.problems)
	for i := range all {
		all[i].show(d.src)
	}
	all.sort()
	return all
}

// base is the folder at which relative paths begin.
func (d *decoder) base() string { return filepath.Dir(d.c.Path) }
