package bridge

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"limsbridge/whoop"
)

// What a look means: what WHOOP shows, against what the ledger knows.
func TestJudge(t *testing.T) {
	id := uuid.MustParse("22222222-2222-4222-8222-222222222222")
	ended := time.Date(2026, 12, 1, 12, 0, 0, 0, time.UTC)
	doubt := func(s whoop.BusinessStatus) []Attempt {
		return []Attempt{{Seq: 7, Action: SetStatus, Requests: []uuid.UUID{id}, Status: s, Begun: ended, Ended: ended}}
	}
	adopt := func(s *Settings) { s.AdoptProgress = true }
	for _, tt := range []struct {
		name    string
		known   whoop.BusinessStatus
		in      []Attempt
		shows   whoop.BusinessStatus
		after   time.Duration
		set     func(*Settings)
		status  whoop.BusinessStatus // afterwards
		does    string
		foreign bool
	}{
		{name: "nothing yet", shows: ""},
		{name: "ours", known: whoop.OrderConfirmed, shows: whoop.OrderConfirmed, status: whoop.OrderConfirmed},
		{name: "a foreign confirmation is held", shows: whoop.OrderConfirmed, does: "hold ORDER_CONFIRMED"},
		{name: "or adopted, by choice", shows: whoop.AppointmentAttended, set: adopt, status: whoop.AppointmentAttended},
		{name: "a foreign result status stops everything", shows: whoop.FullResultsReady, does: "hold FULL_RESULTS_READY", foreign: true},
		{name: "also where progress is adopted", shows: whoop.PartialResultsReady, set: adopt, does: "hold PARTIAL_RESULTS_READY", foreign: true},
		{name: "a foreign issue is held", known: whoop.OrderConfirmed, shows: whoop.AppointmentIssue, status: whoop.OrderConfirmed, does: "hold APPOINTMENT_ISSUE"},
		{name: "a status that was lost is held, not sent again", known: whoop.AppointmentAttended, shows: whoop.OrderConfirmed, set: adopt, status: whoop.AppointmentAttended, does: "hold ORDER_CONFIRMED"},
		{name: "back to nothing", known: whoop.OrderConfirmed, shows: "", status: whoop.OrderConfirmed, does: "hold "},
		{name: "a status nobody published", shows: "RESCHEDULED", does: "hold RESCHEDULED"},
		{name: "a doubt that was done", in: doubt(whoop.OrderConfirmed), shows: whoop.OrderConfirmed, after: 5 * time.Minute, status: whoop.OrderConfirmed, does: "sent"},
		{name: "a doubt that was not", in: doubt(whoop.OrderConfirmed), shows: "", after: 5 * time.Minute, does: "released"},
		{name: "a doubt too young to tell", in: doubt(whoop.OrderConfirmed), shows: "", after: 4 * time.Minute},
		{name: "a doubtful result status is ours", known: whoop.AppointmentAttended, in: doubt(whoop.FullResultsReady), shows: whoop.FullResultsReady, after: 5 * time.Minute, status: whoop.FullResultsReady, does: "sent"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := Fixed()
			s.DoubtAfter = 5 * time.Minute
			if tt.set != nil {
				tt.set(&s)
			}
			r := Record{Requests: []Request{{ID: id, Code: "CBC", Status: tt.known}}, Attempts: tt.in}
			begun := ended.Add(tt.after)
			f := judge(r, []whoop.ServiceRequest{{ID: id, Code: "CBC", Status: whoop.RequestActive, BusinessStatus: tt.shows}}, begun, begun, &s)
			var does []string
			for _, e := range f.events {
				r = r.Apply(e)
				switch e.Kind {
				case HoldEvent:
					does = append(does, "hold "+e.Detail)
				case OutcomeEvent:
					does = append(does, string(e.Outcome))
				}
			}
			if got := strings.Join(does, ", "); got != tt.does {
				t.Errorf("does %q, want %q", got, tt.does)
			}
			if r.Requests[0].Status != tt.status {
				t.Errorf("status is %q, want %q", r.Requests[0].Status, tt.status)
			}
			if f.foreign != tt.foreign {
				t.Errorf("foreign: %v", f.foreign)
			}
			// Looking again at the same thing changes nothing more.
			again := judge(r, []whoop.ServiceRequest{{ID: id, Code: "CBC", BusinessStatus: tt.shows}}, begun, begun, &s)
			if len(again.events) != 1 {
				t.Errorf("a second look does more: %v", fmt.Sprint(again.events[1:]))
			}
		})
	}
}
