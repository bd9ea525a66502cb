package archive

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
)

const (
	monthFormat   = "2006-01"
	instantFormat = "20060102T150405.000000000Z" // sorts as text; no colons, for Windows
	suffix        = ".age"
)

// fileName is what the name of a copy says.
type fileName struct {
	at      time.Time
	request uuid.UUID
	number  int // from 1, among copies of one service request and instant
}

func (n fileName) String() string {
	number := ""
	if n.number > 1 {
		number = "_" + strconv.Itoa(n.number)
	}
	return n.at.UTC().Format(instantFormat) + "_" + n.request.String() + number + suffix
}

func parseFileName(s string) (n fileName, ok bool) {
	parts := strings.Split(strings.TrimSuffix(s, suffix), "_")
	if len(parts) < 2 || len(parts) > 3 {
		return n, false
	}
	var errs [3]error
	n.number = 1
	n.at, errs[0] = time.Parse(instantFormat, parts[0])
	n.request, errs[1] = uuid.Parse(parts[1])
	if len(parts) == 3 {
		n.number, errs[2] = strconv.Atoi(parts[2])
	}
	return n, errors.Join(errs[:]...) == nil && n.String() == s
}

// kept is one copy in an archive.
type kept struct {
	fileName
	path string
}

// list returns the copies of the reports of a service request, oldest first. An archive that does
// not exist has none; files with other names are none of ours.
func list(folder string, request uuid.UUID) ([]kept, error) {
	months, err := os.ReadDir(folder)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("the archive cannot be read: %w", err)
	}
	var out []kept
	for _, m := range months {
		if _, err := time.Parse(monthFormat, m.Name()); err != nil || !m.IsDir() {
			continue
		}
		files, err := os.ReadDir(filepath.Join(folder, m.Name()))
		if err != nil {
			return nil, fmt.Errorf("the archive cannot be read: %w", err)
		}
		for _, f := range files {
			if n, ok := parseFileName(f.Name()); ok && n.request == request {
				out = append(out, kept{n, filepath.Join(folder, m.Name(), f.Name())})
			}
		}
	}
	slices.SortFunc(out, func(a, b kept) int { return cmp.Or(a.at.Compare(b.at), a.number-b.number) })
	return out, nil
}
