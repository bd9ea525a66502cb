package main

import (
	"archive/tar"
	"archive/zip"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// writer is what both kinds of archive have in common.
type writer interface {
	// add begins a file of that mode and size; what is written next is its content.
	add(name string, mode os.FileMode, size int64) (io.Writer, error)
	Close() error
}

// archive packs files into folder/ of a new archive, each under its own last name.
func archive(path, folder string, files []string, at time.Time) (err error) {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	var w writer
	switch {
	case strings.HasSuffix(path, ".tar.gz"):
		w = newTar(f, at)
	case strings.HasSuffix(path, ".zip"):
		w = zipArchive{zip.NewWriter(f), at}
	default:
		return fmt.Errorf("%s is neither .tar.gz nor .zip", path)
	}
	files = slices.Clone(files)
	slices.SortFunc(files, func(a, b string) int { return strings.Compare(filepath.Base(a), filepath.Base(b)) })
	for _, name := range files {
		if err := pack(w, strings.TrimSuffix(folder, "/")+"/"+filepath.Base(name), name); err != nil {
			return err
		}
	}
	return w.Close()
}

func pack(w writer, as, path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	mode := os.FileMode(0o644) // not what the builder's umask says
	if info.Mode()&0o100 != 0 {
		mode = 0o755
	}
	content, err := w.add(as, mode, info.Size())
	if err != nil {
		return err
	}
	_, err = io.Copy(content, f)
	return err
}

type tarArchive struct {
	*tar.Writer
	packed *gzip.Writer
	at     time.Time
}

func newTar(w io.Writer, at time.Time) *tarArchive {
	packed := gzip.NewWriter(w)
	return &tarArchive{tar.NewWriter(packed), packed, at}
}

func (t *tarArchive) add(name string, mode os.FileMode, size int64) (io.Writer, error) {
	return t.Writer, t.WriteHeader(&tar.Header{Name: name, Mode: int64(mode), Size: size, ModTime: t.at, Format: tar.FormatUSTAR})
}

func (t *tarArchive) Close() error { return errors.Join(t.Writer.Close(), t.packed.Close()) }

type zipArchive struct {
	*zip.Writer
	at time.Time
}

func (z zipArchive) add(name string, mode os.FileMode, _ int64) (io.Writer, error) {
	h := &zip.FileHeader{Name: name, Method: zip.Deflate, Modified: z.at}
	h.SetMode(mode)
	return z.CreateHeader(h)
}
