package access

import (
	"slices"
	"testing"
)

const (
	users     = "S-1-5-32-545"
	jim       = "S-1-5-21-1-2-3-1001"
	ann       = "S-1-5-21-1-2-3-1002"
	limsb     = "S-1-5-80-1-2-3-4-5"
	creator   = "S-1-3-0"
	generic   = uint32(genericRead)
	readRight = uint32(0x120089) // FILE_GENERIC_READ
	full      = uint32(0x1f01ff)
)

func allow(who string, rights uint32) Entry { return Entry{Who: who, Rights: rights} }
func deny(who string, rights uint32) Entry  { return Entry{Who: who, Rights: rights, Kind: Denies} }

// TestOthers: the service's account reads, as limsb; who else can?
func TestOthers(t *testing.T) {
	later := allow(users, full)
	later.InheritOnly = true
	system, administrators, service := allow(System, full), allow(Administrators, full), allow(limsb, 0x1301bf)
	for _, x := range []struct {
		name    string
		owner   string
		entries []Entry
		want    []string
	}{
		{"as service install leaves it", Administrators, []Entry{system, administrators, service}, nil},
		{"of the system", System, []Entry{system, administrators, service}, nil},
		{"of the reading account", limsb, []Entry{system, administrators}, nil},
		{"an empty list lets nobody in", Administrators, nil, nil},
		{"everybody", Administrators, []Entry{allow(everyone, readRight), service}, []string{everyone}},
		{"users, as in a folder of a drive", Administrators, []Entry{system, administrators, allow(users, 0x1200a9)}, []string{users}},
		{"one more account", Administrators, []Entry{service, allow(jim, readRight)}, []string{jim}},
		{"two more, named once each", Administrators, []Entry{allow(jim, 1), allow(ann, 1), allow(jim, full)}, []string{jim, ann}},
		{"another service", Administrators, []Entry{allow("S-1-5-80-9-9-9-9-9", 1)}, []string{"S-1-5-80-9-9-9-9-9"}},
		{"nothing but the data", Administrators, []Entry{allow(users, readData)}, []string{users}},
		{"read, generic", Administrators, []Entry{allow(users, generic)}, []string{users}},
		{"all, generic", Administrators, []Entry{allow(users, genericAll)}, []string{users}},
		{"may change the list", Administrators, []Entry{allow(users, changeList)}, []string{users}},
		{"may take the file", Administrators, []Entry{allow(users, changeOwner)}, []string{users}},
		{"may write, execute, and see attributes and list", Administrators, []Entry{allow(users, 0x00120080|0x2|0x4|0x20), allow(users, 0x40000000|0x20000000)}, nil},
		{"for what is made in the folder only", Administrators, []Entry{service, later}, nil},
		{"a denial gives nothing", Administrators, []Entry{deny(users, full), service}, nil},
		{"denied before it is given", Administrators, []Entry{deny(users, genericAll), allow(users, full)}, nil},
		{"denied in part", Administrators, []Entry{deny(users, readData), allow(users, full)}, []string{users}},
		{"denied too late", Administrators, []Entry{allow(users, readRight), deny(users, full)}, []string{users}},
		{"denied to others", Administrators, []Entry{deny(users, full), allow(everyone, readRight)}, []string{everyone}},
		{"whoever makes a file", Administrators, []Entry{allow(creator, full), allow("S-1-3-1", full)}, nil},
		{"apps of whom may read anyway", Administrators, []Entry{service, allow("S-1-15-2-1", 0x1200a9), allow("S-1-15-2-2", 0x1200a9)}, nil},
		{"somebody else's file", jim, []Entry{system, administrators, service}, []string{jim}},
		{"somebody else's, whom an entry for owners limits", jim, []Entry{service, allow(ownerRights, 0x20000)}, nil},
		{"somebody else's, whom an entry for owners lets read", jim, []Entry{service, allow(ownerRights, 0x20000), allow(ownerRights, readRight)}, []string{jim}},
		{"owners may read, and the owner is an administrator", Administrators, []Entry{service, allow(ownerRights, full)}, nil},
	} {
		got := List{Owner: x.owner, Entries: x.entries}.Others(System, Administrators, limsb)
		if !slices.Equal(got, x.want) {
			t.Errorf("%s: %v, want %v", x.name, got, x.want)
		}
	}
	if got := (List{Owner: System, Open: true}).Others(System); !slices.Equal(got, []string{everyone}) {
		t.Errorf("without a list: %v", got)
	}
}

func TestLets(t *testing.T) {
	l := List{Owner: jim, Entries: []Entry{allow(users, full), allow(limsb, 1), deny(ann, full)}}
	for who, want := range map[string]bool{users: true, limsb: true, jim: false, ann: false} {
		if l.Lets(who) != want {
			t.Errorf("%s: %v", who, !want)
		}
	}
}

// TestCure: what is typed to leave the rights with whom they belong to.
func TestCure(t *testing.T) {
	const path = `D:\our lab\lims password`
	rulers := `"*S-1-5-32-544:F" "*S-1-5-18:F"`
	inherited := Entry{Who: users, Rights: full, Inherited: true}
	for _, x := range []struct {
		name   string
		list   List
		grants []Grant
		want   string
	}{
		{"inherited", List{Owner: Administrators, Entries: []Entry{inherited}}, nil,
			`type: icacls "D:\our lab\lims password" /inheritance:r /grant:r ` + rulers},
		{"and the service keeps its right", List{Owner: Administrators, Entries: []Entry{inherited}}, []Grant{{System, Full}, {limsb, Read}, {jim, Full}},
			`type: icacls "D:\our lab\lims password" /inheritance:r /grant:r ` + rulers + ` "*` + limsb + `:RX" "*` + jim + `:F"`},
		{"given on the file itself", List{Owner: Administrators, Entries: []Entry{inherited, allow(everyone, full)}}, nil,
			"type one after the other:\n" + `icacls "D:\our lab\lims password" /reset` + "\n" + `icacls "D:\our lab\lims password" /inheritance:r /grant:r ` + rulers},
		{"no list", List{Owner: Administrators, Open: true}, nil,
			"type one after the other:\n" + `icacls "D:\our lab\lims password" /reset` + "\n" + `icacls "D:\our lab\lims password" /inheritance:r /grant:r ` + rulers},
		{"somebody else's", List{Owner: jim, Entries: []Entry{allow(System, full)}}, []Grant{{limsb, Read}},
			"type one after the other:\n" + `icacls "D:\our lab\lims password" /setowner "*S-1-5-32-544"` + "\n" +
				`icacls "D:\our lab\lims password" /inheritance:r /grant:r ` + rulers + ` "*` + limsb + `:RX"`},
	} {
		if got := x.list.Cure(path, x.grants, x.list.Others(System, Administrators)); got != x.want {
			t.Errorf("%s:\n%s\nwant\n%s", x.name, got, x.want)
		}
	}
}
