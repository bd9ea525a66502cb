package demo

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"limsbridge/bridge"
	"limsbridge/bridge/ledger"
	"limsbridge/config"
	"limsbridge/lims/limstest"
	"limsbridge/whoop/sandbox"
)

// Names in the folder.
const (
	labName    = "lims.db"
	stateName  = "state"
	logName    = "limsbridge.log"
	secretName = "whoop-client-secret"
)

const (
	clientID = "demo-lab"
	// tokenLife is short, so that tokens expire in the middle of the lab's day.
	tokenLife = 3 * time.Second
	// patience is how long the lab waits for what its next step builds on. On a machine with
	// nothing else to do it waits for a fraction of a second.
	patience = 20 * time.Second
)

// stage is where the demonstration takes place: a folder with everything that a lab's server has,
// and the API behind it.
type stage struct {
	options Options
	folder  string
	config  string // path of limsbridge.yaml
	state   string // folder of the ledger
	secret  string
	log     *os.File
	lab     *limstest.Lab
	api     *sandbox.Server
}

// newStage prepares everything that exists before a bridge is started for the first time.
func newStage(o Options) (_ *stage, err error) {
	s := &stage{options: o, secret: rand.Text()}
	if s.folder, err = folder(o.Keep); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.close())
		}
	}()
	s.config = filepath.Join(s.folder, config.FileName)
	s.state = filepath.Join(s.folder, stateName)
	if s.log, err = os.OpenFile(filepath.Join(s.folder, logName), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600); err != nil {
		return nil, err
	}
	s.lab, err = limstest.New(filepath.Join(s.folder, labName), limstest.Options{
		Seed: o.Seed, Orders: o.Orders, For: o.For, Arrived: s.arrived, Patience: patience,
	})
	if err != nil {
		return nil, err
	}
	url, err := s.openAPI()
	if err != nil {
		return nil, err
	}
	if err := s.newLedger(); err != nil {
		return nil, err
	}
	if err := config.StoreSecret(s.state, secretName, s.secret); err != nil {
		return nil, err
	}
	return s, os.WriteFile(s.config, configuration(s.lab.Start(), url), 0o600)
}

// newLedger creates the ledger, and confirms that what the lab did in the moment before is sent.
func (s *stage) newLedger() (err error) {
	const by, user = "limsbridge demo", "demo"
	if err := ledger.Create(s.state, time.Now(), by, user); err != nil {
		return err
	}
	l, err := ledger.Open(s.state, ledger.Options{})
	if err != nil {
		return err
	}
	e := bridge.ConfirmStart(startFrom(s.lab.Start()), time.Now(), by, user, "the lab's day began before its ledger did")
	return errors.Join(bridge.Act(context.Background(), l, e), l.Close())
}

// startFrom is the start_from of a lab's day.
func startFrom(start time.Time) time.Time { return start.UTC().Truncate(time.Second) }

// folder returns the folder to work in.
func folder(keep string) (string, error) {
	if keep == "" {
		return os.MkdirTemp("", "limsbridge-demo-")
	}
	if err := os.MkdirAll(keep, 0o750); err != nil {
		return "", err
	}
	found, err := os.ReadDir(keep)
	if err != nil {
		return "", err
	}
	if len(found) > 0 {
		return "", fmt.Errorf("--keep: %s is not empty; name a new folder, so that nothing is overwritten", keep)
	}
	return filepath.Abs(keep)
}

// openAPI starts the simulated API with what WHOOP knows of the lab's orders, and returns its address.
//
// It also misbehaves where a client can be certain that nothing was processed: tokens that are
// refused before their time, and a limit that is hit at a report and at a status.
func (s *stage) openAPI() (string, error) {
	s.api = sandbox.New(sandbox.Options{
		ClientID: clientID, ClientSecret: s.secret, TokenLife: tokenLife, Seed: s.options.Seed,
		Faults: map[sandbox.Fault]float64{sandbox.Expired: 0.004},
	})
	for _, q := range s.lab.Truth().Requisitions {
		if q.Unknown {
			continue
		}
		r := sandbox.Requisition{ID: q.ID, Patient: sandbox.Patient{
			ID: q.Patient.ID.String(), FirstName: q.Patient.FirstName, LastName: q.Patient.LastName,
			Email: q.Patient.Email, Phone: q.Patient.Phone, BirthDate: q.Patient.BirthDate,
		}}
		for _, t := range q.Requests {
			order := sandbox.Order{ID: t.ID, Code: t.Code, BusinessStatus: t.Initial}
			if t.Revoked {
				order.Status = "revoked"
			}
			r.ServiceRequests = append(r.ServiceRequests, order)
		}
		if _, err := s.api.AddRequisition(r); err != nil {
			return "", err
		}
	}
	const ok, expired, limited = sandbox.Fault(""), sandbox.Expired, sandbox.Throttled
	err := errors.Join(
		s.api.Fail(sandbox.GetRequisition, ok, ok, expired),
		s.api.Fail(sandbox.SetRequisitionStatus, ok, expired),
		s.api.Fail(sandbox.SetStatus, ok, ok, expired, ok, ok, ok, ok, ok, ok, limited),
		s.api.Fail(sandbox.Results, ok, ok, expired, ok, ok, ok, ok, limited),
	)
	if err == nil && s.options.prepare != nil {
		err = s.options.prepare(s.api)
	}
	if err != nil {
		return "", err
	}
	return s.api.Start("127.0.0.1:0")
}

// arrived tells the lab whether the API has accepted what its next step builds on.
func (s *stage) arrived(m limstest.Mark) bool {
	got, _ := s.api.AcceptedFor(m.ServiceRequest)
	if m.Status != "" {
		for _, x := range got.Statuses {
			if x.Status == m.Status {
				return true
			}
		}
		return false
	}
	n := 0
	for _, r := range got.Reports {
		for _, o := range r.Observations {
			if o.Code == m.Code {
				n++
			}
		}
	}
	return n >= m.Versions
}

// configuration is what the lab's IT would write, in fast time.
func configuration(start time.Time, url string) []byte {
	return fmt.Appendf(nil, `# What a lab's IT writes, with all times a thousand times faster than in a lab.
# The bridge of the demo is started from this file as `+"`limsbridge run`"+` would be.

mode: send
start_from: %s     # what changed in the LIMS before is never sent
time_zone: UTC

lims:
  type: sqlite
  file: %s
  orders: whoop_orders
  results: whoop_results
  every: 250ms               # a lab: 5m
  look_back: 5s              # a lab: 10m
  hourly_look_back: 1m       # a lab: 75m
  pace: 0                    # a lab: 20

whoop:
  url: %s      # the simulated API; gone when the demo ends
  client_id: %s
  client_secret: secret:%s
  quota: {per_minute: 0, per_day: 0}   # none of our own; a lab: 100 and 10000

settle: 400ms                # a lab: 10m
issue_settle: 600ms          # a lab: 30m

`+"%s", startFrom(start).Format(time.RFC3339), labName, url, clientID, secretName, limstest.Mapping().YAML())
}

// lastWords returns the last lines of the log, as an error.
func (s *stage) lastWords() error {
	text, err := os.ReadFile(s.log.Name())
	if err != nil {
		return err
	}
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	return errors.New("its last words:\n" + strings.Join(lines[max(0, len(lines)-8):], "\n"))
}

// close ends everything and removes what is not to be kept. The secret goes with the API that it
// belonged to: what is kept can be previewed, and cannot be mistaken for something that sends.
func (s *stage) close() error {
	var errs []error
	if s.api != nil {
		errs = append(errs, s.api.Close())
	}
	if s.lab != nil {
		errs = append(errs, s.lab.Close())
	}
	if s.log != nil {
		errs = append(errs, s.log.Close())
	}
	if s.options.Keep == "" {
		return errors.Join(append(errs, os.RemoveAll(s.folder))...)
	}
	return errors.Join(append(errs, os.RemoveAll(filepath.Join(s.state, "secrets")))...)
}
