package ledger

import (
	"bytes"
	"os"
	"path/filepath"
	"reflect"
	"testing"

	"limsbridge/bridge"
)

// Whatever stands in a journal file, cut into it, behind it or in its place: reading it yields no
// event that was not written, none twice and none out of order, and every one before the first
// change; and without an error these are all.
func FuzzJournal(f *testing.F) {
	dir := crashed(f)
	name := filepath.Base(newest(f, dir))
	whole, err := os.ReadFile(newest(f, dir))
	if err != nil {
		f.Fatal(err)
	}
	written := journalOf(f, dir)
	size := uint16(len(whole))
	lines := bytes.SplitAfter(whole, []byte("\n"))
	f.Add(size, uint16(0), []byte(nil))                               // as it was written
	f.Add(uint16(0), size, []byte(nil))                               // nothing
	f.Add(size-1, uint16(1), []byte(nil))                             // the last newline is missing
	f.Add(size-1, uint16(1), []byte("\x00"))                          // and is something else
	f.Add(size-40, uint16(40), []byte(nil))                           // torn
	f.Add(size-40, uint16(40), []byte("\n"))                          // torn, and gone on from there
	f.Add(size, uint16(0), make([]byte, 512))                         // a disk's zeros
	f.Add(size, uint16(0), lines[len(lines)-2])                       // the last event twice
	f.Add(size, uint16(0), whole)                                     // everything twice
	f.Add(uint16(len(lines[0])), uint16(len(lines[1])), []byte(nil))  // an event is missing
	f.Add(uint16(len(lines[0])), uint16(0), lines[2])                 // an event before its time
	f.Add(uint16(0), uint16(len(lines[0])), []byte(nil))              // no header
	f.Add(uint16(0), uint16(0), []byte(`{"journal":2,"after":0}`))    // a header before the header
	f.Add(uint16(11), uint16(1), []byte("2"))                         // a newer version
	f.Add(uint16(len(lines[0])+9), uint16(1), []byte("\t\t\r\n\xff")) // within a line
	f.Fuzz(func(t *testing.T, at, without uint16, b []byte) {
		from := min(int(at), len(whole))
		to := min(from+int(without), len(whole))
		changed := bytes.Join([][]byte{whole[:from], b, whole[to:]}, nil)
		same := 0
		for same < min(len(whole), len(changed)) && whole[same] == changed[same] {
			same++
		}
		before := max(bytes.Count(whole[:same], []byte("\n"))-1, 0) // without the header

		dir := t.TempDir()
		if err := os.Mkdir(journalFolder(dir), 0o700); err != nil {
			t.Fatal(err)
		}
		write(t, filepath.Join(journalFolder(dir), name), string(changed))
		var last uint64
		n := 0
		err := ReadJournal(dir, func(e bridge.Event) error {
			n++
			switch {
			case e.Seq <= last || e.Seq > uint64(len(written)):
				t.Errorf("event %d follows event %d", e.Seq, last)
			case n <= before && e.Seq != uint64(n):
				t.Errorf("event %d instead of %d, which is as it was written", e.Seq, n)
			case !reflect.DeepEqual(e, written[e.Seq-1]):
				t.Errorf("got %+v, written was %+v", e, written[e.Seq-1])
			}
			last = e.Seq
			return nil
		})
		if n < before || err == nil && n > before {
			t.Errorf("%d events with error %v, %d are as they were written", n, err, before)
		}
		_, _ = Archived(dir)
	})
}
