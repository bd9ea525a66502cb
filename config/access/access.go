// Package access says who can read a file by its access list of Windows, and shuts others out.
//
// The judgement is a function of the list alone, the same on every system; only reading and writing lists
// is Windows'. It promises to name whoever an entry lets read the file, or change the list so that he
// may. It knows of nobody who needs no entry: administrators take ownership, backups read everything.
package access

import (
	"fmt"
	"slices"
	"strings"
)

// Kind is what an entry does.
type Kind int

// The kinds of entry.
const (
	Allows Kind = iota
	Denies
)

// Entry is one entry of an access list ([MS-DTYP] 2.4.4).
type Entry struct {
	Who    string // security identifier, S-1-…
	Kind   Kind
	Rights uint32 // access mask ([MS-DTYP] 2.4.3)
	// InheritOnly is for what will be made in a folder, and gives nothing on the folder itself.
	InheritOnly bool
	// Inherited came from the folder above.
	Inherited bool
}

// List is the owner and the access list of a file.
type List struct {
	Owner string
	// Open: there is no list at all (a NULL DACL), which lets everybody do everything.
	Open bool
	// Alone: it inherits nothing from the folder above (SE_DACL_PROTECTED).
	Alone   bool
	Entries []Entry
}

// Security identifiers that are the same on every Windows ([MS-DTYP] 2.4.2.4).
const (
	Administrators = "S-1-5-32-544"
	System         = "S-1-5-18"

	everyone    = "S-1-1-0"
	ownerRights = "S-1-3-4"
)

// nobody are identifiers that no account has: they stand for others in lists to come, or only narrow
// what an account may that has rights by another entry.
var nobody = []string{
	"S-1-3-0", "S-1-3-1", // creator owner and group: replaced when a file inherits
	"S-1-5-10", "S-1-5-12", // self, and restricted code
}

// packages begins the identifiers of packaged apps, which may only what their user may as well.
const packages = "S-1-15-"

// The rights that let somebody read a file, or take the right to: FILE_READ_DATA, WRITE_DAC and
// WRITE_OWNER, and what contains them, GENERIC_ALL and GENERIC_READ.
const (
	readData    = 0x1
	changeList  = 0x00040000
	changeOwner = 0x00080000
	reading     = readData | changeList | changeOwner
	genericAll  = 0x10000000
	genericRead = 0x80000000
)

// specific are the rights to read among these, generic ones replaced by what they mean for a file.
func specific(rights uint32) uint32 {
	if rights&genericAll != 0 {
		rights |= reading
	}
	if rights&genericRead != 0 {
		rights |= readData
	}
	return rights & reading
}

// Others returns who can read the file, in the order of the list, and is not one of these. An owner may
// always change the list of what is his, unless an entry for owners says otherwise.
func (l List) Others(known ...string) []string {
	if l.Open {
		return []string{everyone}
	}
	var others []string
	owner := uint32(changeList)
	limited := false
	denied := map[string]uint32{}
	for _, e := range l.Entries {
		rights := specific(e.Rights)
		switch {
		case e.InheritOnly:
			continue
		case e.Kind == Denies:
			denied[e.Who] |= rights
			continue
		}
		rights &^= denied[e.Who] // of the same account only: another's may not reach everybody
		switch {
		case e.Who == ownerRights:
			if !limited {
				limited, owner = true, 0
			}
			owner |= rights
		case rights != 0 && !slices.Contains(nobody, e.Who) && !strings.HasPrefix(e.Who, packages):
			others = append(others, e.Who)
		}
	}
	if owner != 0 {
		others = append(others, l.Owner)
	}
	return slices.DeleteFunc(distinct(others), func(who string) bool { return slices.Contains(known, who) })
}

// Lets reports whether an entry lets this account, and not only a group that it is in, read the file.
func (l List) Lets(who string) bool {
	l.Owner = ""
	return slices.Contains(l.Others(), who)
}

func distinct(all []string) []string {
	var out []string
	for _, s := range all {
		if !slices.Contains(out, s) {
			out = append(out, s)
		}
	}
	return out
}

// Right is what a grant allows.
type Right struct {
	mask    uint32
	letters string // of icacls
}

// The rights that are given.
var (
	Full   = Right{0x1f01ff, "F"}
	Change = Right{0x1301bf, "M"}  // read, write, create and delete
	Read   = Right{0x1200a9, "RX"} // and execute, which for a folder is passing through
)

// Grant is one account's right on a file.
type Grant struct {
	Who   string
	Right Right
}

// Cure returns the commands that leave these grants on the file, those of administrators and the system, and
// nothing for the others, who can read it now. Each is a line of its own, as PowerShell and cmd join
// commands differently.
func (l List) Cure(path string, grants []Grant, others []string) string {
	var lines []string
	command := func(what string) { lines = append(lines, `icacls "`+path+`" `+what) }
	if slices.Contains(others, l.Owner) {
		command(`/setowner "*` + Administrators + `"`)
	}
	own := func(e Entry) bool { return !e.Inherited && slices.Contains(others, e.Who) }
	if l.Open || slices.ContainsFunc(l.Entries, own) {
		command("/reset") // what was given on the file itself stays otherwise
	}
	given := []string{"/inheritance:r /grant:r"}
	for _, g := range withRulers(grants) {
		given = append(given, fmt.Sprintf(`"*%s:%s"`, g.Who, g.Right.letters))
	}
	command(strings.Join(given, " "))
	if len(lines) == 1 {
		return "type: " + lines[0]
	}
	return "type one after the other:\n" + strings.Join(lines, "\n")
}

// withRulers puts administrators and the system before the grants: without them nobody could mend a file.
func withRulers(grants []Grant) []Grant {
	all := []Grant{{Administrators, Full}, {System, Full}}
	for _, g := range grants {
		if !slices.ContainsFunc(all, func(h Grant) bool { return h.Who == g.Who }) {
			all = append(all, g)
		}
	}
	return all
}
