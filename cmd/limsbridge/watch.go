package main

import (
	"context"
	"crypto/x509"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"limsbridge/bridge/control"
	"limsbridge/bridge/health"
	"limsbridge/config"
)

const (
	// lookEvery is how often the machine is looked at, filesEvery its certificate files.
	lookEvery  = time.Minute
	filesEvery = time.Hour
	// sayAgain is when something that lasts is told of once more.
	sayAgain = 24 * time.Hour
)

// notices are what will hurt soon, each told of once when it begins, daily while it lasts, and when
// it is over.
type notices struct {
	log *slog.Logger

	mu       sync.Mutex
	standing map[string]*standingNotice
}

type standingNotice struct {
	control.Notice
	told time.Time
}

// set says how something stands; "" is well.
func (n *notices) set(kind, text string, now time.Time) {
	n.mu.Lock()
	defer n.mu.Unlock()
	s, known := n.standing[kind]
	switch {
	case text == "" && known:
		delete(n.standing, kind)
		n.log.Info("no longer", "notice", s.Text)
	case text == "":
	case !known:
		if n.standing == nil {
			n.standing = map[string]*standingNotice{}
		}
		n.standing[kind] = &standingNotice{control.Notice{Kind: kind, Text: text, Since: now}, now}
		n.log.Warn("soon", "notice", text)
	default:
		s.Text = text
		if now.Sub(s.told) >= sayAgain {
			s.told = now
			n.log.Warn("still", "notice", text, "since", s.Since.Format(time.RFC3339))
		}
	}
}

// all returns them, by kind.
func (n *notices) all() []control.Notice {
	n.mu.Lock()
	defer n.mu.Unlock()
	var out []control.Notice
	for _, k := range slices.Sorted(maps.Keys(n.standing)) {
		out = append(out, n.standing[k].Notice)
	}
	return out
}

// watch looks at the machine.
type watch struct {
	notices *notices
	config  func() *config.Config // in force, or of the file as far as it can be read
	logging func() error          // why log lines wait; nil: there is no file

	clock  health.Clock
	disks  map[string]*health.Disk // by what they are for
	files  time.Time               // when the files were looked at
	jumped time.Time

	mu     sync.Mutex
	chains map[string][]*x509.Certificate // by whose they are
}

// shown notes the chain that an end showed.
func (w *watch) shown(whose string) func([]*x509.Certificate) {
	return func(chain []*x509.Certificate) {
		w.mu.Lock()
		defer w.mu.Unlock()
		if w.chains == nil {
			w.chains = map[string][]*x509.Certificate{}
		}
		w.chains[whose] = chain
	}
}

// Whose certificates are watched.
const (
	limsEnd  = "LIMS database"
	whoopEnd = "WHOOP"
)

// run looks each minute until ctx ends.
func (w *watch) run(ctx context.Context) {
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for {
		w.look(time.Now())
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// look looks once at everything.
func (w *watch) look(now time.Time) {
	cfg := w.config()
	if w.disks == nil {
		w.disks = map[string]*health.Disk{"ledger": {}, "log": {}}
	}
	for what, folder := range map[string]string{"ledger": cfg.State, "log": cfg.Log.Folder} {
		w.disks[what].Folder = folder
		w.notices.set("disk_"+what, w.disks[what].Look(), now)
	}
	if off := w.clock.Look(); off != 0 {
		w.jumped = now
		// An hour's jump is a new matter, also where the last one still stands.
		w.notices.set("clock", "", now)
		w.notices.set("clock", fmt.Sprintf("this machine's clock jumped by %s, or the machine slept; settle times and the quota count by it, so see that it is right", off), now)
	} else if now.Sub(w.jumped) > sayAgain || now.Before(w.jumped) {
		w.notices.set("clock", "", now)
	}
	if w.logging != nil {
		text := ""
		if err := w.logging(); err != nil {
			text = err.Error()
		}
		w.notices.set("log_file", text, now)
	}
	w.mu.Lock()
	chains := maps.Clone(w.chains)
	w.mu.Unlock()
	w.notices.set("certificate_lims", ends("the LIMS database server shows", health.Expiring(chains[limsEnd], true, now)), now)
	w.notices.set("certificate_whoop", ends("WHOOP, or the proxy before it, shows", health.Expiring(chains[whoopEnd], false, now)), now)
	if now.Sub(w.files).Abs() < filesEvery {
		return
	}
	w.files = now
	for setting, path := range map[string]string{
		"lims.ca_file": cfg.Database.CAFile, "lims.certificate": cfg.Database.Certificate, "whoop.ca_file": cfg.Partner.CAFile,
	} {
		text := ""
		if path != "" {
			if chain, err := health.Certificates(path); err == nil {
				text = ends("in "+setting, health.Expiring(chain, true, now))
			}
		}
		w.notices.set("certificate_"+setting, text, now)
	}
}

// ends puts before a notice where it was seen.
func ends(where, text string) string {
	if text == "" {
		return ""
	}
	return where + ": " + text
}
