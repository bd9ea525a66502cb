// Command packages makes the parts of a release that no packager makes: archives, checksums, the
// bill of materials, the notices of what is built in. installer/build.sh calls it.
//
// The same input gives the same bytes, on every machine: names are sorted, and times come from
// SOURCE_DATE_EPOCH (https://reproducible-builds.org/specs/source-date-epoch/).
package main

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"time"

	"github.com/google/uuid"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "packages:", err)
		os.Exit(1)
	}
}

const usage = `usage: packages archive FILE.tar.gz|FILE.zip FOLDER/ PATH...
       packages sums FOLDER
       packages sbom VERSION PROGRAM...
       packages notices PROGRAM...
       packages uuid NAMESPACE NAME
       packages msi FILE PACKAGECODE
archive and msi write files, the others to standard output`

func run(args []string) error {
	if len(args) < 2 {
		return errors.New(usage)
	}
	at, err := buildTime()
	if err != nil {
		return err
	}
	command, args := args[0], args[1:]
	switch {
	case command == "archive" && len(args) > 2:
		return archive(args[0], args[1], args[2:], at)
	case command == "sums" && len(args) == 1:
		return sums(os.Stdout, args[0])
	case command == "sbom" && len(args) > 1:
		return sbom(os.Stdout, args[0], args[1:], at)
	case command == "notices":
		return notices(os.Stdout, args)
	case command == "msi" && len(args) == 2:
		code, err := uuid.Parse(args[1])
		if err != nil {
			return err
		}
		return settle(args[0], code, at)
	case command == "uuid" && len(args) == 2:
		space, err := uuid.Parse(args[0])
		if err != nil {
			return err
		}
		_, err = fmt.Fprintln(os.Stdout, uuid.NewSHA1(space, []byte(args[1]))) // RFC 9562, version 5
		return err
	}
	return errors.New(usage)
}

// buildTime is the one time that appears in what is made: that of the commit.
func buildTime() (time.Time, error) {
	seconds, err := strconv.ParseInt(os.Getenv("SOURCE_DATE_EPOCH"), 10, 64)
	if err != nil {
		return time.Time{}, errors.New("SOURCE_DATE_EPOCH is not set: git log -1 --format=%ct")
	}
	return time.Unix(seconds, 0).UTC(), nil
}
