package bridge_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"

	"limsbridge/bridge"
	"limsbridge/lims"
	"limsbridge/whoop"
	"limsbridge/whoop/sandbox"
)

// verified is a verification of the last week, in words: each difference as finding, observation,
// detail and what is known, and the tally of the numbers that are not zero.
func (r *rig) verified() (differences []string, tally string) {
	r.t.Helper()
	v := &bridge.Verification{LIMS: r.reader, Ledger: r.ledger, Mapping: r.mapping, Settings: r.settings}
	got, err := v.Run(r.t.Context(), time.Now().Add(-7*24*time.Hour), time.Now(), func(d bridge.Difference) error {
		if d.Row == "" || d.Key == (bridge.Key{}) || d.Finding != bridge.Missing && (d.Request == uuid.Nil || d.Sent.IsZero()) {
			r.t.Errorf("a difference without its ids: %+v", d)
		}
		text, err := json.Marshal(d)
		if err != nil || strings.Contains(string(text), "5.4") || strings.Contains(string(text), "6.1") {
			r.t.Errorf("a value is told: %s %v", text, err)
		}
		differences = append(differences, strings.Join(strings.Fields(fmt.Sprint(d.Finding, " ", d.Code, " ", d.Detail, " ", d.Known)), " "))
		return nil
	})
	if err != nil {
		r.t.Fatal(err)
	}
	slices.Sort(differences)
	if got.Differences() != len(differences) {
		r.t.Errorf("%d differences counted, %d told", got.Differences(), len(differences))
	}
	for _, t := range got.Tests {
		if t.Submitted != t.Equal+t.Differ+t.Gone+t.Remapped || t.Released != t.Sent+t.Waiting+t.Held+t.Decided+t.Missing {
			r.t.Errorf("a tally does not add up: %+v", t)
		}
		tally += " " + t.Test
		for _, n := range []struct {
			name  string
			count int
		}{
			{"submitted", t.Submitted}, {"equal", t.Equal}, {"differ", t.Differ}, {"gone", t.Gone}, {"remapped", t.Remapped},
			{"released", t.Released}, {"sent", t.Sent}, {"waiting", t.Waiting}, {"held", t.Held}, {"decided", t.Decided}, {"missing", t.Missing},
		} {
			if n.count > 0 {
				tally += fmt.Sprintf(" %s %d", n.name, n.count)
			}
		}
	}
	return differences, strings.TrimSpace(tally)
}

// A panel of three is sent; then something happens, and a verification tells of it.
func TestVerification(t *testing.T) {
	const sound = "LIPID_PANEL submitted 3 equal 3 released 3 sent 3"
	for _, tt := range []struct {
		name  string
		after func(r *rig, q uuid.UUID)
		tells []string
		tally string
	}{
		{"nothing", func(*rig, uuid.UUID) {}, nil, sound},
		{"a correction that no pass has seen", func(r *rig, q uuid.UUID) {
			r.result(q, "LIPID", "CHOL", "6.1", "A")
		}, []string{"differs TOTAL_CHOLESTEROL value_or_unit"}, "LIPID_PANEL submitted 3 equal 2 differ 1 released 3 sent 2 waiting 1"},
		{"a correction that settles", func(r *rig, q uuid.UUID) {
			r.result(q, "LIPID", "CHOL", "6.1", "A")
			r.pass()
		}, []string{"differs TOTAL_CHOLESTEROL value_or_unit waiting"}, "LIPID_PANEL submitted 3 equal 2 differ 1 released 3 sent 2 waiting 1"},
		{"a correction that was sent", func(r *rig, q uuid.UUID) {
			r.result(q, "LIPID", "CHOL", "6.1", "A")
			r.passes(30 * time.Minute)
		}, nil, sound},
		{"a correction that is held", func(r *rig, q uuid.UUID) {
			r.settings.HoldCorrections = true
			r.restart()
			r.result(q, "LIPID", "CHOL", "6.1", "A")
			r.passes(30 * time.Minute)
		}, []string{"differs TOTAL_CHOLESTEROL value_or_unit held"}, "LIPID_PANEL submitted 3 equal 2 differ 1 released 3 sent 2 held 1"},
		{"a correction in doubt", func(r *rig, q uuid.UUID) {
			r.fail(sandbox.Results, sandbox.ErrorAfter)
			r.result(q, "LIPID", "CHOL", "6.1", "A")
			r.passes(30 * time.Minute)
		}, []string{"differs TOTAL_CHOLESTEROL value_or_unit in_doubt"}, "LIPID_PANEL submitted 3 equal 2 differ 1 released 3 sent 2 held 1"},
		{"a correction that a person decided against", func(r *rig, q uuid.UUID) {
			r.settings.HoldCorrections = true
			r.restart()
			r.result(q, "LIPID", "CHOL", "6.1", "A")
			r.passes(30 * time.Minute)
			r.resolve(bridge.CorrectionHeld, bridge.NeverSend)
			r.passes(30 * time.Minute)
		}, []string{"differs TOTAL_CHOLESTEROL value_or_unit decided"}, "LIPID_PANEL submitted 3 equal 2 differ 1 released 3 sent 2 decided 1"},
		{"a change that nobody stamped", func(r *rig, _ uuid.UUID) {
			r.exec(`UPDATE results SET value = '6.1' WHERE result_code = 'CHOL'`)
			<-time.After(24 * time.Hour)
		}, []string{"differs TOTAL_CHOLESTEROL value_or_unit", "missing TOTAL_CHOLESTEROL unread"}, "LIPID_PANEL submitted 3 equal 2 differ 1 released 3 sent 2 missing 1"},
		{"the same, written otherwise", func(r *rig, _ uuid.UUID) {
			r.exec(`UPDATE results SET value = ' 5.40 ', unit = 'MG/DL' WHERE result_code = 'CHOL'`)
		}, nil, sound},
		{"the same under a new row id", func(r *rig, _ uuid.UUID) {
			r.exec(`UPDATE results SET row_id = 'new' WHERE result_code = 'CHOL'`)
			r.pass()
		}, nil, sound},
		{"a row is gone", func(r *rig, _ uuid.UUID) {
			r.exec(`DELETE FROM results WHERE result_code = 'CHOL'`)
		}, []string{"row_gone TOTAL_CHOLESTEROL"}, "LIPID_PANEL submitted 3 equal 2 gone 1 released 2 sent 2"},
		{"a row is gone, and that was noticed", func(r *rig, _ uuid.UUID) {
			r.exec(`DELETE FROM results WHERE result_code = 'CHOL'`)
			if _, err := r.bridge.Sweep(r.t.Context(), time.Now()); err != nil {
				r.t.Fatal(err)
			}
			r.pass()
		}, []string{"row_gone TOTAL_CHOLESTEROL held"}, "LIPID_PANEL submitted 3 equal 2 gone 1 released 2 sent 2"},
		{"a row moved to another requisition", func(r *rig, _ uuid.UUID) {
			other, _ := r.ordered("LIPID_PANEL")
			r.exec(`UPDATE results SET requisition_id = ?, changed_at = ? WHERE result_code = 'CHOL'`, other.String(), time.Now().UTC().Format(stampFormat))
		}, []string{"row_gone TOTAL_CHOLESTEROL"}, "LIPID_PANEL submitted 3 equal 2 gone 1 released 3 sent 2 waiting 1"},
		{"withdrawn", func(r *rig, q uuid.UUID) {
			r.result(q, "LIPID", "CHOL", "5.40", "X")
		}, []string{"differs TOTAL_CHOLESTEROL withdrawn"}, "LIPID_PANEL submitted 3 equal 2 differ 1 released 2 sent 2"},
		{"withdrawn, and reported so", func(r *rig, q uuid.UUID) {
			r.result(q, "LIPID", "CHOL", "5.40", "X")
			r.passes(30 * time.Minute)
		}, nil, "LIPID_PANEL submitted 3 equal 3 released 2 sent 2"},
		{"back in work", func(r *rig, q uuid.UUID) {
			r.result(q, "LIPID", "CHOL", "5.40", "N")
			r.pass()
		}, []string{"differs TOTAL_CHOLESTEROL pending waiting"}, "LIPID_PANEL submitted 3 equal 2 differ 1 released 2 sent 2"},
		{"a status that nobody knows", func(r *rig, q uuid.UUID) {
			r.result(q, "LIPID", "CHOL", "5.40", "?")
			r.pass()
		}, []string{"differs TOTAL_CHOLESTEROL unknown_status held"}, "LIPID_PANEL submitted 3 equal 2 differ 1 released 2 sent 2"},
		{"a second row that says otherwise", func(r *rig, _ uuid.UUID) {
			r.exec(`INSERT INTO results SELECT 'second', changed_at, requisition_id, order_code, result_code, '6.1', unit, status FROM results WHERE result_code = 'CHOL'`)
			r.pass()
		}, []string{"differs TOTAL_CHOLESTEROL two_rows held"}, "LIPID_PANEL submitted 3 equal 2 differ 1 released 4 sent 3 held 1"},
		{"another unit in the configuration", func(r *rig, _ uuid.UUID) {
			r.mapping = otherMapping(r.t, map[string]bridge.ObservationRule{"CHOL": {Code: "TOTAL_CHOLESTEROL", Unit: "mmol/L"}, "HDL": {Code: "HDL", Unit: "mg/dL"}, "LDLC": {Code: "LDL", Unit: "mg/dL"}})
		}, []string{"remapped TOTAL_CHOLESTEROL"}, "LIPID_PANEL submitted 3 equal 2 remapped 1 released 3 sent 3"},
		{"a result that the configuration no longer knows", func(r *rig, _ uuid.UUID) {
			r.mapping = otherMapping(r.t, map[string]bridge.ObservationRule{"HDL": {Code: "HDL", Unit: "mg/dL"}, "LDLC": {Code: "LDL", Unit: "mg/dL"}})
			r.restart()
			if _, err := r.bridge.Sweep(r.t.Context(), time.Now()); err != nil {
				r.t.Fatal(err)
			}
			r.pass()
		}, []string{"remapped TOTAL_CHOLESTEROL held"}, "LIPID_PANEL submitted 3 equal 2 remapped 1 released 3 sent 3"},
		{"a result under another code", func(r *rig, _ uuid.UUID) {
			r.mapping = otherMapping(r.t, map[string]bridge.ObservationRule{"CHOL": {Code: "CHOLESTEROL", Unit: "mg/dL"}, "HDL": {Code: "HDL", Unit: "mg/dL"}, "LDLC": {Code: "LDL", Unit: "mg/dL"}})
		}, []string{"remapped TOTAL_CHOLESTEROL"}, "LIPID_PANEL submitted 3 equal 2 remapped 1 released 3 sent 3"},
		{"a value that is held, of another panel", func(r *rig, _ uuid.UUID) {
			q, _ := r.ordered("CBC")
			r.order(q, "CBC", "A")
			r.result(q, "CBC", "WBC", "1,234", "A")
			r.passes(30 * time.Minute)
		}, nil, "CBC released 1 held 1 " + sound},
		{"a result whose test is not mapped", func(r *rig, q uuid.UUID) {
			r.result(q, "UREA", "UREA", "5.40", "A")
			r.passes(30 * time.Minute)
		}, nil, "released 1 held 1 " + sound},
		{"a requisition that WHOOP does not know", func(r *rig, _ uuid.UUID) {
			q := uuid.New()
			r.order(q, "CBC", "A")
			r.result(q, "CBC", "WBC", "5.40", "A")
			r.passes(30 * time.Minute)
		}, nil, "CBC released 1 held 1 " + sound},
		{"pending and ignored results are none of its business", func(r *rig, q uuid.UUID) {
			r.result(q, "HEM_INDEX", "H", "1", "A")
			r.result(q, "CBC", "WBC", "1", "N")
		}, nil, sound},
		{"a release with an old stamp, that no poll sees", func(r *rig, _ uuid.UUID) {
			<-time.After(3 * 24 * time.Hour)
			r.result(uuid.New(), "CBC", "NEUT", "1", "N") // what is newer has been read
			r.pass()
			q, _ := r.ordered("CBC")
			r.result(q, "CBC", "WBC", "5.40", "A")
			r.exec(`UPDATE results SET changed_at = ? WHERE result_code = 'WBC'`, time.Now().Add(-48*time.Hour).UTC().Format(stampFormat))
			r.passes(2 * time.Hour)
		}, []string{"missing WBC unread"}, "CBC released 1 missing 1 " + sound},
		{"a record that forgot its turn", func(r *rig, _ uuid.UUID) {
			q, _ := r.ordered("CBC")
			r.order(q, "CBC", "A")
			r.result(q, "CBC", "WBC", "5.40", "A")
			r.pass()
			if err := r.ledger.Note(bridge.Key{Kind: bridge.RequisitionKey, ID: q}, func(rec *bridge.Record) { rec.Due = time.Time{} }); err != nil {
				r.t.Fatal(err)
			}
		}, []string{"missing WBC seen"}, "CBC released 1 missing 1 " + sound},
		{"a release from before start_from", func(r *rig, _ uuid.UUID) {
			q, _ := r.ordered("CBC")
			r.result(q, "CBC", "WBC", "5.40", "A")
			r.exec(`UPDATE results SET changed_at = ? WHERE result_code = 'WBC'`, r.settings.StartFrom.Add(-time.Hour).UTC().Format(stampFormat))
		}, nil, sound},
		{"a change that nobody stamped, of a record that waits for something else", func(r *rig, q uuid.UUID) {
			r.result(q, "LIPID", "CHOL", "5.40", "N")
			r.pass()
			r.exec(`UPDATE results SET value = '6.1' WHERE result_code = 'HDL'`)
			<-time.After(24 * time.Hour)
		}, []string{"differs HDL value_or_unit waiting", "differs TOTAL_CHOLESTEROL pending waiting", "missing HDL unread waiting"},
			"LIPID_PANEL submitted 3 equal 1 differ 2 released 2 sent 1 missing 1"},
		{"a change that nobody stamped, of what a person decided against before", func(r *rig, q uuid.UUID) {
			r.settings.HoldCorrections = true
			r.restart()
			r.result(q, "LIPID", "CHOL", "6.1", "A")
			r.passes(30 * time.Minute)
			r.resolve(bridge.CorrectionHeld, bridge.NeverSend)
			r.passes(30 * time.Minute)
			r.exec(`UPDATE results SET value = '6.17' WHERE result_code = 'CHOL'`)
			<-time.After(24 * time.Hour)
		}, []string{"differs TOTAL_CHOLESTEROL value_or_unit decided", "missing TOTAL_CHOLESTEROL unread decided"}, "LIPID_PANEL submitted 3 equal 2 differ 1 released 3 sent 2 missing 1"},
		{"a change, of what a person decided against before, that waits for its turn", func(r *rig, q uuid.UUID) {
			r.settings.HoldCorrections = true
			r.restart()
			r.result(q, "LIPID", "CHOL", "6.1", "A")
			r.passes(30 * time.Minute)
			r.resolve(bridge.CorrectionHeld, bridge.NeverSend)
			r.passes(30 * time.Minute)
			if _, err := r.ledger.Commit(r.t.Context(), bridge.Event{At: time.Now(), Kind: bridge.StopEvent, Detail: bridge.ForbiddenStop}); err != nil {
				r.t.Fatal(err)
			}
			r.result(q, "LIPID", "CHOL", "6.17", "A")
			r.pass()
		}, []string{"differs TOTAL_CHOLESTEROL value_or_unit waiting"}, "LIPID_PANEL submitted 3 equal 2 differ 1 released 3 sent 2 waiting 1"},
		{"a release that was forgotten beside a report in doubt", func(r *rig, _ uuid.UUID) {
			q, _ := r.ordered("CBC")
			r.fail(sandbox.Results, sandbox.ErrorAfter)
			r.order(q, "CBC", "C")
			r.result(q, "CBC", "WBC", "5.40", "A")
			r.result(q, "CBC", "NEUT", "", "N")
			r.passes(30 * time.Minute)
			r.result(q, "CBC", "NEUT", "5.40", "A")
			r.pass()
			if err := r.ledger.Note(bridge.Key{Kind: bridge.RequisitionKey, ID: q}, func(rec *bridge.Record) { rec.Due = time.Time{} }); err != nil {
				r.t.Fatal(err)
			}
		}, []string{"missing NEUTROPHILS seen"}, "CBC released 2 held 1 missing 1 " + sound},
		{"a requisition of which somebody else reports a part", func(r *rig, _ uuid.UUID) {
			q, ids := r.ordered("CBC", "LIPID_PANEL")
			if err := r.api.SetForeignStatus(ids[1], string(whoop.OrderConfirmed)); err != nil {
				r.t.Fatal(err)
			}
			r.order(q, "CBC", "C")
			r.result(q, "CBC", "WBC", "5.40", "A")
			r.passes(30 * time.Minute)
		}, nil, "CBC released 1 held 1 " + sound},
		{"a requisition that somebody else reports for ever", func(r *rig, _ uuid.UUID) {
			q, ids := r.ordered("CBC")
			if err := r.api.SetForeignStatus(ids[0], string(whoop.OrderConfirmed)); err != nil {
				r.t.Fatal(err)
			}
			r.order(q, "CBC", "C")
			r.result(q, "CBC", "WBC", "5.40", "A")
			r.passes(30 * time.Minute)
			r.resolve(bridge.Elsewhere, bridge.NeverSend)
			r.passes(30 * time.Minute)
			r.result(q, "CBC", "NEUT", "5.40", "A")
			r.passes(30 * time.Minute)
		}, nil, "CBC released 2 decided 2 " + sound},
		{"all of that was longer ago", func(r *rig, _ uuid.UUID) {
			r.exec(`DELETE FROM results WHERE result_code = 'CHOL'`)
			<-time.After(8 * 24 * time.Hour)
		}, nil, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, sandbox.Options{})
				q, _ := r.ordered("LIPID_PANEL")
				r.lipids(q, "5.40")
				r.passes(30 * time.Minute)
				tt.after(r, q)
				calls, lines := fmt.Sprint(r.api.Counts().Calls), r.lines()
				tells, tally := r.verified()
				if !slices.Equal(tells, tt.tells) {
					t.Errorf("told %q, want %q", tells, tt.tells)
				}
				if tally != tt.tally {
					t.Errorf("tally %s\nwant  %s", tally, tt.tally)
				}
				if fmt.Sprint(r.api.Counts().Calls) != calls || r.lines() != lines {
					t.Error("a verification did more than read")
				}
			})
		})
	}
}

// lines is how many events the journal holds.
func (r *rig) lines() int {
	r.t.Helper()
	n := 0
	if err := r.ledger.Journal(func(bridge.Event) error { n++; return nil }); err != nil {
		r.t.Fatal(err)
	}
	return n
}

// otherMapping is mapping with other results of the lipid panel.
func otherMapping(t *testing.T, results map[string]bridge.ObservationRule) *bridge.Mapping {
	t.Helper()
	m, err := bridge.NewMapping([]bridge.Test{{Code: "LIPID_PANEL", LIMS: []string{"LIPID"}, Results: results}},
		bridge.Words{
			Orders:  map[string]bridge.OrderWord{"A": bridge.Complete},
			Results: map[string]bridge.ResultWord{"A": bridge.Released, "N": bridge.Pending},
		}, nil, bridge.ValueRules{})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// A verification that is interrupted says so, and is none.
func TestVerificationEndsWithItsReader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, sandbox.Options{})
		q, _ := r.ordered("LIPID_PANEL")
		r.lipids(q, "5.40")
		r.passes(30 * time.Minute)
		r.exec(`DELETE FROM results`)
		stop := errors.New("enough")
		v := &bridge.Verification{LIMS: r.reader, Ledger: r.ledger, Mapping: r.mapping, Settings: r.settings}
		told := 0
		_, err := v.Run(t.Context(), time.Now().Add(-time.Hour), time.Now(), func(bridge.Difference) error { told++; return stop })
		if !errors.Is(err, stop) || told != 1 {
			t.Errorf("told %d, ended with %v", told, err)
		}
	})
}

// meanwhile is a LIMS that lets something happen once, before rows are read by id.
type meanwhile struct {
	bridge.LIMS
	happens func()
}

func (m *meanwhile) Fetch(ctx context.Context, s lims.Source, ids []string) ([]lims.Row, error) {
	if f := m.happens; f != nil {
		m.happens = nil
		f()
	}
	return m.LIMS.Fetch(ctx, s, ids)
}

// What is sent while it is verified is no difference.
func TestVerificationBesidePasses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, sandbox.Options{})
		q, _ := r.ordered("LIPID_PANEL")
		r.lipids(q, "5.40")
		r.passes(30 * time.Minute)
		l := &meanwhile{r.reader, func() {
			r.result(q, "LIPID", "CHOL", "6.1", "A")
			r.passes(30 * time.Minute)
			r.want(2, 4, nil)
		}}
		v := &bridge.Verification{LIMS: l, Ledger: r.ledger, Mapping: r.mapping, Settings: r.settings}
		got, err := v.Run(t.Context(), time.Now().Add(-time.Hour), time.Now(), func(d bridge.Difference) error {
			t.Errorf("told %+v", d)
			return nil
		})
		if err != nil || len(got.Tests) != 1 || got.Tests[0].Equal != 3 || l.happens != nil {
			t.Errorf("%+v %v", got, err)
		}
	})
}
