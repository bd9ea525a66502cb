package bridge_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"

	"limsbridge/bridge"
	"limsbridge/whoop/sandbox"
)

// counting is a lab whose change columns are numbers, which tell no times.
type counting struct {
	*rig
	last int
}

func newCounting(t *testing.T) *counting {
	c := &counting{rig: newRig(t, sandbox.Options{})}
	for _, table := range []string{"orders (row_id TEXT PRIMARY KEY, changed_at INTEGER, requisition_id TEXT, order_code TEXT, status TEXT, reason TEXT, birth_date DATE)",
		"results (row_id TEXT PRIMARY KEY, changed_at INTEGER, requisition_id TEXT, order_code TEXT, result_code TEXT, value TEXT, unit TEXT, status TEXT)"} {
		c.exec("DROP TABLE " + table[:7])
		c.exec("CREATE TABLE " + table)
	}
	return c
}

// control writes a control sample, which moves both columns on.
func (c *counting) control() {
	c.last++
	q := uuid.NewString()
	c.exec(`INSERT INTO orders VALUES (?, ?, ?, 'OTHER', 'A', '', NULL)`, q, c.last, q)
	c.exec(`INSERT INTO results VALUES (?, ?, ?, 'OTHER', 'Y', '1', '', 'A')`, q, c.last, q)
}

// panel releases a lipid panel.
func (c *counting) panel() {
	id, _ := c.ordered("LIPID_PANEL")
	q := id.String()
	c.last++
	c.exec(`INSERT INTO orders VALUES (?, ?, ?, 'LIPID', 'A', '', NULL)`, q, c.last, q)
	for _, code := range []string{"CHOL", "HDL", "LDLC"} {
		c.last++
		c.exec(`INSERT INTO results VALUES (?, ?, ?, 'LIPID', ?, '1.2', '', 'A')`, q[:30]+"-"+code, c.last, q, code)
	}
}

func (c *counting) empty() {
	c.exec(`DELETE FROM orders`)
	c.exec(`DELETE FROM results`)
}

// configure starts the program with another configuration.
func (c *counting) configure(send bool, from time.Time) {
	c.t.Helper()
	c.close()
	c.settings.Send, c.settings.StartFrom = send, from
	c.open()
	if err := bridge.Configured(c.t.Context(), c.ledger, from.String(), time.Now()); err != nil {
		c.t.Fatal(err)
	}
}

// Where the change column counts, nothing is lost, and nothing of before start_from is sent, whatever
// becomes of the numbers.
func TestCountingColumns(t *testing.T) {
	for _, tt := range []struct {
		name    string
		live    func(*counting)
		reports int
	}{
		{"a view that is empty when reading begins", func(c *counting) {
			c.passes(time.Hour)
			c.panel()
			c.passes(time.Hour)
		}, 1},
		{"a source that is emptied for a while", func(c *counting) {
			c.control()
			c.passes(time.Hour)
			c.panel()
			c.passes(time.Hour)
			c.empty()
			c.passes(time.Hour)
			c.panel()
			c.passes(30 * time.Hour)
		}, 2},
		{"a table that is filled anew each night comes back with what was there before reading began", func(c *counting) {
			c.panel()
			c.passes(time.Hour)
			c.exec(`CREATE TABLE o AS SELECT * FROM orders`)
			c.exec(`CREATE TABLE r AS SELECT * FROM results`)
			c.empty()
			c.passes(time.Hour)
			c.exec(`INSERT INTO orders SELECT * FROM o`)
			c.exec(`INSERT INTO results SELECT * FROM r`)
			c.passes(30 * time.Hour)
		}, 0},
		{"a backup from before reading began is restored: its numbers are given out again", func(c *counting) {
			c.last = 49
			c.control()
			c.passes(time.Hour)
			c.panel()
			c.passes(time.Hour)
			c.empty()
			c.last = 9
			c.control()
			c.passes(time.Hour)
			c.panel()
			c.passes(30 * time.Hour)
		}, 2},
		{"start_from is written after reading began, and lies before", func(c *counting) {
			began := time.Now()
			c.configure(false, time.Time{})
			c.control()
			c.passes(time.Hour)
			c.panel()
			c.passes(time.Hour)
			c.configure(true, began.Add(-time.Minute))
			c.passes(time.Hour)
		}, 1},
		{"start_from is written after reading began, and after a release", func(c *counting) {
			c.configure(false, time.Time{})
			c.control()
			c.passes(time.Hour)
			c.panel()
			c.passes(time.Hour)
			c.configure(true, time.Now())
			c.passes(time.Hour)
			c.panel()
			c.passes(time.Hour)
		}, 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := newCounting(t)
				tt.live(c)
				c.want(tt.reports, 3*tt.reports, nil)
			})
		})
	}
}
