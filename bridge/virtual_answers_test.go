package bridge_test

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"

	"limsbridge/bridge"
	"limsbridge/whoop/sandbox"
)

// Three answers in a hundred are cut, or turned into 500, after the call was processed. Whoever
// repeats such a report doubles it. Here each of them becomes one hold that tells what is known, and
// every other report arrives once.
func TestLostAnswers(t *testing.T) {
	const reports = 2000
	t.Setenv("TMPDIR", memoryFolder(t))
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, sandbox.Options{
			Seed: 3, Faults: map[sandbox.Fault]float64{sandbox.CutAfter: .015, sandbox.ErrorAfter: .015},
		})
		r.mapping = virtualMapping(t)
		r.settings.Brake.FirstPass = 0
		r.restart()
		tx, err := r.db.BeginTx(t.Context(), nil)
		if err != nil {
			t.Fatal(err)
		}
		stamp := time.Now().UTC().Format(stampFormat)
		for range reports {
			q, _ := r.ordered("GLUCOSE")
			for _, query := range []string{
				`INSERT INTO orders VALUES (?1, ?2, ?1, 'GLU', 'A', '', NULL)`,
				`INSERT INTO results VALUES (?1, ?2, ?1, 'GLU', 'GLU', '5.40', 'mg/dL', 'A')`,
			} {
				if _, err := tx.ExecContext(t.Context(), query, q.String(), stamp); err != nil {
					t.Fatal(err)
				}
			}
		}
		if err := tx.Commit(); err != nil {
			t.Fatal(err)
		}
		r.passes(2 * time.Hour)
		r.restart()
		r.passes(time.Hour)

		c := r.api.Counts()
		if c.Reports != reports || c.Duplicates != 0 || len(c.Violations) != 0 {
			t.Errorf("%d reports, want %d; %d duplicates; violations %v", c.Reports, reports, c.Duplicates, c.Violations)
		}
		var hidden []uuid.UUID
		for _, a := range r.api.Accepted() {
			for _, report := range a.Reports {
				if report.Fault != "" {
					hidden = append(hidden, a.ID)
				}
			}
		}
		if len(hidden) < reports/50 {
			t.Fatalf("only %d answers were lost: this shows nothing", len(hidden))
		}
		held, err := bridge.Holds(r.ledger)
		if err != nil {
			t.Fatal(err)
		}
		for _, h := range held {
			i := slices.Index(hidden, h.Request)
			if i < 0 || h.Kind != bridge.Doubt {
				t.Errorf("held without reason: %+v", h)
				continue
			}
			hidden = slices.Delete(hidden, i, i+1)
			if h.Test != "GLUCOSE" || h.Begun.IsZero() || h.Ended.IsZero() || h.Attempt == 0 || !slices.Equal(h.Observations, []string{"GLUCOSE"}) {
				t.Errorf("the hold does not tell what is known: %+v", h)
			}
		}
		if len(hidden) != 0 {
			t.Errorf("%d reports whose answer was lost are not held", len(hidden))
		}
	})
}
