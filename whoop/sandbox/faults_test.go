package sandbox

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// The draw of faults depends on seed and call, not on the order of arrival; scripts go first.
func TestFaultsAreRepeatable(t *testing.T) {
	odds := map[Fault]float64{ErrorBefore: 0.2, BadRequest: 0.1, CutAfter: 0}
	draw := func(seed uint64, paths []string) map[string][]Fault {
		f := newFaults(seed, odds)
		got := map[string][]Fault{}
		for _, p := range paths {
			got[p] = append(got[p], f.draw(Results, "POST", p))
		}
		return got
	}
	var paths []string
	for i := range 2000 {
		paths = append(paths, fmt.Sprint("/", i%700))
	}
	one := draw(7, paths)
	slices.Sort(paths)
	if !reflect.DeepEqual(one, draw(7, paths)) {
		t.Error("another order, other faults")
	}
	if reflect.DeepEqual(one, draw(8, paths)) {
		t.Error("another seed, the same faults")
	}
	count := map[Fault]int{}
	for _, fs := range one {
		for _, f := range fs {
			count[f]++
		}
	}
	if count[ErrorBefore] < 320 || count[ErrorBefore] > 480 || count[BadRequest] < 140 || count[BadRequest] > 260 || count[CutAfter] != 0 {
		t.Error(count)
	}
	p := newPartner(t, Options{Faults: map[Fault]float64{ErrorBefore: 1}})
	if err := p.api.Fail(Results, "nonsense"); err == nil {
		t.Error("nonsense is a fault")
	}
	if err := p.api.Fail(Results, Conflict); err != nil {
		t.Error(err)
	}
	if err := p.api.Fail("", Missing, ""); err != nil {
		t.Error(err)
	}
	s := p.order("X")[1].String()
	p.login() // the token's calls are left alone
	for _, step := range []struct {
		call string
		want int
	}{{"GET service-request/" + s, 404}, {"POST service-request/" + s + "/results", 409}, {"GET service-request/" + s, 200}, {"GET service-request/" + s, 500}} {
		method, path, _ := strings.Cut(step.call, " ")
		if code, _, _ := p.call(method, path, ""); code != step.want {
			t.Errorf("%s: %d, want %d", step.call, code, step.want)
		}
	}
	if f := p.api.Counts().Faults; f[ErrorBefore] != 1 || f[Conflict] != 1 || f[Missing] != 1 {
		t.Error(f)
	}
}
