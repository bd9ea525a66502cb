package bridge

// Breaker counts the doubtful outcomes of one kind of call in a row. After two of them no call of
// that kind leaves. A look that WHOOP answered afterwards lets one single call try again, once in a
// pass; a certain outcome of it closes the breaker. So an hour's outage leaves a handful of doubts,
// also where WHOOP answers looks all the time.
type Breaker struct {
	Doubts int  `json:"doubts"`
	Probe  bool `json:"probe,omitempty"` // a look was answered since the last doubt
}

const breakerDoubts = 2

// Open reports whether calls of this kind stand still.
func (b Breaker) Open() bool { return b.Doubts >= breakerDoubts }
