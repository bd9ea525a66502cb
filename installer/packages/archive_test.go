package main

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// TestArchiveIsTheSame: neither the folder, nor the order of the arguments, nor the files' own
// times and modes beyond "executable" change a byte.
func TestArchiveIsTheSame(t *testing.T) {
	at := time.Unix(1_795_000_000, 0).UTC()
	for _, kind := range []string{".tar.gz", ".zip"} {
		var made [2][]byte
		for i := range made {
			dir := t.TempDir()
			program, paper := filepath.Join(dir, "program"), filepath.Join(dir, "PAPER")
			if err := os.WriteFile(program, []byte("runs"), []os.FileMode{0o755, 0o700}[i]); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(paper, []byte("reads"), []os.FileMode{0o644, 0o600}[i]); err != nil {
				t.Fatal(err)
			}
			own := at.Add(time.Duration(i+1) * time.Hour)
			if err := os.Chtimes(program, own, own); err != nil {
				t.Fatal(err)
			}
			files := [][]string{{program, paper}, {paper, program}}[i]
			out := filepath.Join(dir, "out"+kind)
			if err := archive(out, "folder", files, at); err != nil {
				t.Fatal(err)
			}
			b, err := os.ReadFile(out)
			if err != nil {
				t.Fatal(err)
			}
			made[i] = b
		}
		if !bytes.Equal(made[0], made[1]) {
			t.Errorf("two %s of the same files differ", kind)
		}
	}
}
