package bridge_test

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"limsbridge/bridge"
	"limsbridge/lims"
	"limsbridge/whoop"
)

func TestNotFoundIsHeldOnce(t *testing.T) {
	l := testLedger(t)
	api := &partner{answers: map[string][]whoop.Answer{"look": {{Outcome: whoop.Rejected, Code: 404}, {Outcome: whoop.Rejected, Code: 410}}}}
	b := bridge.New(&desk{all("180", "50", "100")}, api, l, mapping(t), settings(), slog.New(slog.DiscardHandler))
	at := time.Now()
	for i := range 2 {
		if _, err := b.Pass(context.Background(), at.Add(time.Duration(i)*25*time.Hour)); err != nil {
			t.Fatal(err)
		}
	}
	if held, _ := bridge.Holds(l); len(held) != 1 {
		t.Errorf("one requisition that WHOOP does not know is held %d times: %+v", len(held), held)
	}
}

func TestNoIssueAfterForeignResults(t *testing.T) {
	w := newWorld(t)
	w.ordered[0].Status = whoop.FullResultsReady // taken over by a person's word
	w.show(order("LIPID", "X"))
	w.turn()
	w.at = w.at.Add(31 * time.Minute)
	if does := w.turn(); does != "" {
		t.Errorf("WHOOP has results, yet the bridge sets %s", does)
	}
}

func TestRowSentUnderAnotherTest(t *testing.T) {
	w := newWorld(t)
	w.ordered = []bridge.Request{{ID: lipid, Code: "LIPID_PANEL"}, {ID: cbc, Code: "CBC"}}
	w.show(all("5.40", "1.2", "3.0")...)
	w.turn()
	w.at = w.at.Add(tenMin)
	w.turn()
	r := result("WBC", "5.40", "A")
	r.ID = "r-CHOL"
	w.show(order("CBC", "A"), r)
	w.turn()
	w.at = w.at.Add(tenMin)
	does := w.turn()
	t.Log(does, w.held())
	if does != "" {
		t.Errorf("a row that was sent under another code is sent again: %s, held %s", does, w.held())
	}
}

var _ = lims.Orders
