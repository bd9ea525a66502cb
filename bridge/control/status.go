package control

import (
	"context"
	"net/http"
	"time"
)

// Status is how a bridge stands, as far as a person wants to see it at a glance. It holds counts,
// times and reasons; no value, no name of a patient, no secret.
type Status struct {
	Running bool `json:"running"` // a process answers; otherwise all of this is read from the ledger
	// Ready says that passes succeed. NotReady says what is in the way, and what to do.
	Ready    bool   `json:"ready"`
	NotReady string `json:"not_ready,omitempty"`

	Version string     `json:"version"`
	PID     int        `json:"pid,omitempty"`
	User    string     `json:"user,omitempty"`  // whose rights the process has
	Since   *time.Time `json:"since,omitempty"` // the process
	Config  string     `json:"config"`          // the file
	// ConfigHash is the SHA-256 of the configuration in force; Changed says that the file is another
	// one now, which waits for a reload.
	ConfigHash string `json:"config_hash,omitempty"`
	Changed    bool   `json:"config_changed,omitempty"`
	State      string `json:"state"` // the ledger's folder
	Mode       string `json:"mode,omitempty"`

	LastPass *Pass      `json:"last_pass,omitempty"` // the last one that was made, whatever came of it
	LastGood *time.Time `json:"last_good_pass,omitempty"`
	NextPass *time.Time `json:"next_pass,omitempty"`

	Waiting map[string]int `json:"waiting,omitempty"` // records with something to send, by reason, in the last pass
	Holds   map[string]int `json:"holds,omitempty"`   // by kind
	Stops   []Stop         `json:"stops,omitempty"`   // what keeps reports or everything from being sent
	Notices []Notice       `json:"notices,omitempty"` // what will hurt soon
	// LastError is the newest of what was logged as an error since the process began.
	LastError *Notice `json:"last_error,omitempty"`
}

// Pass is what one pass did.
type Pass struct {
	At      time.Time     `json:"at"`
	Took    time.Duration `json:"took_ns"`
	Error   string        `json:"error,omitempty"`
	Rows    int           `json:"rows"`
	Looks   int           `json:"looks"`
	Updates int           `json:"statuses"`
	Reports int           `json:"reports"`
	Doubts  int           `json:"doubts"`
}

// Stop is one reason not to send: a stop, a brake, a pause or an open breaker.
type Stop struct {
	Kind  string     `json:"kind"`
	What  string     `json:"what"` // what stands still
	Since *time.Time `json:"since,omitempty"`
	By    string     `json:"by,omitempty"`
	Why   string     `json:"why,omitempty"`
	Ends  string     `json:"ends"` // what ends it
}

// Notice is something that a person should know.
type Notice struct {
	Kind  string    `json:"kind"`
	Text  string    `json:"text"`
	Since time.Time `json:"since"`
}

// ReadStatus asks the running bridge how it stands.
func ReadStatus(ctx context.Context, state string) (s Status, err error) {
	err = ask(ctx, state, http.MethodGet, "/status", nil, &s)
	return s, err
}
