package sandbox

import (
	"encoding/json"
	"hash/maphash"
	"net/http"
	"slices"
	"time"
)

var reportStatuses = map[string]bool{
	"final": true, "partial": true, "preliminary": true, "amended": true, "corrected": true, "cancelled": true,
}

var observationStatuses = map[string]bool{
	"registered": true, "preliminary": true, "final": true, "amended": true, "corrected": true, "cancelled": true,
	"entered-in-error": true, "unknown": true,
}

// Report is one diagnostic report that was accepted.
type Report struct {
	At           time.Time     `json:"at"`
	Status       string        `json:"status"`
	Observations []Observation `json:"observations"`
	Fault        Fault         `json:"fault,omitempty"` // what hid the acceptance from the partner
}

// Observation is one accepted value. Numeric is the literal of value_numeric exactly as it was
// received, byte for byte; "" where there was none.
type Observation struct {
	Code    string `json:"code"`
	Numeric string `json:"value_numeric,omitempty"`
	Text    string `json:"value_text,omitempty"`
	Unit    string `json:"unit,omitempty"`
	Status  string `json:"status"`
}

// version is the last accepted content of one observation code.
type version struct {
	code      string
	content   uint64 // hash of value and unit
	withdrawn bool
}

var hashSeed = maphash.MakeSeed()

// report accepts a diagnostic report. c.mu is held.
func (c *call) report(t *request) answer {
	r, problem := readReport(c.body)
	if problem != "" {
		return c.invalid(problem)
	}
	if v := t.judgeReport(r); v != "" {
		c.counts.Violations[v]++
		if !c.o.Lenient {
			return c.invalid("the report cannot follow: " + string(v))
		}
	}
	whole := maphash.Bytes(hashSeed, c.body)
	if slices.Contains(t.bodies, whole) {
		c.counts.IdenticalBodies++
	}
	t.bodies = append(t.bodies, whole)
	for i := range r.Observations {
		o := &r.Observations[i]
		o.Code, o.Unit, o.Status = c.intern(o.Code), c.intern(o.Unit), c.intern(o.Status)
		now := o.version()
		if last := t.version(o.Code); last == nil {
			t.last = append(t.last, now)
		} else {
			if *last == now {
				c.counts.Duplicates++
			}
			*last = now
		}
	}
	t.reported++
	t.final = t.final || r.Status == "final"
	t.requisition.updated = c.now
	c.counts.Reports++
	c.counts.Observations += len(r.Observations)
	if !c.o.DropReports {
		r.At, r.Status, r.Fault = c.now, c.intern(r.Status), c.fault
		t.reports = append(t.reports, r)
	}
	return answer{code: http.StatusCreated}
}

func (o *Observation) version() version {
	return version{
		code:      o.Code,
		content:   maphash.Comparable(hashSeed, [3]string{o.Numeric, o.Text, o.Unit}),
		withdrawn: o.Status == "entered-in-error",
	}
}

func (t *request) version(code string) *version {
	for i := range t.last {
		if t.last[i].code == code {
			return &t.last[i]
		}
	}
	return nil
}

// readReport decodes a report strictly; the text says what is wrong with it.
func readReport(text []byte) (Report, string) {
	var asked struct {
		Status       *string `json:"status"`
		Observations []struct {
			Code    *string         `json:"code"`
			Numeric json.RawMessage `json:"value_numeric"`
			Text    *string         `json:"value_text"`
			Unit    *string         `json:"unit"`
			Status  *string         `json:"status"`
		} `json:"observations"`
	}
	if err := decode(text, &asked); err != nil {
		return Report{}, err.Error()
	}
	switch {
	case asked.Status == nil || !reportStatuses[*asked.Status]:
		return Report{}, "the report's status is missing or unknown"
	case len(asked.Observations) == 0:
		return Report{}, "observations are missing"
	}
	r := Report{Status: *asked.Status, Observations: make([]Observation, len(asked.Observations))}
	for i, o := range asked.Observations {
		got := &r.Observations[i]
		switch {
		case o.Code == nil || *o.Code == "":
			return Report{}, "the code of an observation is missing"
		case o.Status == nil || !observationStatuses[*o.Status]:
			return Report{}, "the status of an observation is missing or unknown"
		case o.Numeric == nil && o.Text == nil:
			return Report{}, "the value of an observation is missing"
		case o.Text != nil && *o.Text == "":
			return Report{}, "value_text is empty"
		case o.Numeric != nil && o.Numeric[0] != '-' && (o.Numeric[0] < '0' || o.Numeric[0] > '9'):
			return Report{}, "value_numeric must be a number"
		}
		got.Code, got.Status, got.Numeric = *o.Code, *o.Status, string(o.Numeric)
		if o.Text != nil {
			got.Text = *o.Text
		}
		if o.Unit != nil {
			got.Unit = *o.Unit
		}
	}
	return r, ""
}
