// Command rehearsal is a lab and a WHOOP of its own, for the tests of the packages: a LIMS on a
// SQLite file with results that are all released, the simulated API that knows its requisitions,
// and the configuration between the two. The installed service does the rest.
//
// It can be slow on purpose, so that a service is stopped in the middle of a call:
// POST /_rehearsal/slow?for=5s lets every report's answer take that long.
package main

import (
	"context"
	"database/sql"
	"errors"
	"flag"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	_ "modernc.org/sqlite"

	"limsbridge/lims/limstest"
	"limsbridge/whoop/sandbox"
)

// clientSecret is what the test types.
const clientSecret = "sandbox-secret"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "rehearsal:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	lab := flag.String("lab", "lab.db", "the LIMS, a new file")
	known := flag.String("known-as", "", "its path as the service sees it")
	file := flag.String("config", "limsbridge.yaml", "the configuration, written anew")
	listen := flag.String("listen", "127.0.0.1:8088", "the API's address")
	requests := flag.Int("requests", 20, "service requests, of four observations each")
	flag.Parse()
	if *known == "" {
		path, err := filepath.Abs(*lab)
		if err != nil {
			return err
		}
		*known = path
	}
	// After the ledger's creation, so that nothing has to be confirmed.
	start := time.Now().Add(time.Second).UTC().Truncate(time.Second)
	// Its stamps begin a minute before the time that it is given.
	if err := limstest.Bulk(ctx, *lab, *requests, start.Add(time.Minute+time.Second)); err != nil {
		return err
	}
	if err := settle(ctx, *lab); err != nil {
		return err
	}
	api := sandbox.New(sandbox.Options{ClientSecret: clientSecret, Seed: 1})
	for i := range *requests {
		if _, err := api.AddRequisition(requisition(i)); err != nil {
			return err
		}
	}
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", *listen)
	if err != nil {
		return err
	}
	url := "http://" + l.Addr().String() + sandbox.Prefix
	if err := os.WriteFile(*file, configuration(start, *known, url), 0o640); err != nil { //nolint:gosec // the service reads it through its group
		return err
	}
	server := &http.Server{Handler: &slow{next: api}, ReadHeaderTimeout: time.Minute}
	go func() {
		<-ctx.Done()
		_ = server.Close() // the test is over
	}()
	if _, err := fmt.Fprintln(os.Stdout, url); err != nil {
		return err
	}
	if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// settle makes the LIMS a file that is read without writing beside it: the service may not.
func settle(ctx context.Context, lab string) error {
	db, err := sql.Open("sqlite", lab)
	if err != nil {
		return err
	}
	_, err = db.ExecContext(ctx, "PRAGMA journal_mode = DELETE")
	return errors.Join(err, db.Close())
}

// requisition is what WHOOP knows of the lab's i-th one.
func requisition(i int) sandbox.Requisition {
	q := limstest.BulkRequisition(i)
	return sandbox.Requisition{
		ID: q.ID, Patient: sandbox.Patient{ID: q.Patient.ID.String(), BirthDate: q.Patient.BirthDate},
		ServiceRequests: []sandbox.Order{{ID: q.Requests[0].ID, Code: q.Requests[0].Code}},
	}
}

// configuration is what the lab's IT would write, but for times that nobody wants to wait for.
func configuration(start time.Time, lab, url string) []byte {
	return fmt.Appendf(nil, `mode: send
start_from: %s
time_zone: UTC
settle: 0s
lims: {type: sqlite, file: '%s', orders: whoop_orders, results: whoop_results, pace: 0, every: 1s}
whoop:
  url: %s
  client_id: %s
  client_secret: secret:whoop-client-secret
  parallel: 1
%s`, start.Format(time.RFC3339), lab, url, sandbox.DefaultClientID, limstest.Mapping().YAML())
}

// slow lets the answers to reports wait, after they were processed: what the client waits for has
// happened.
type slow struct {
	next  http.Handler
	pause atomic.Int64
}

func (s *slow) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == "/_rehearsal/slow" {
		pause, err := time.ParseDuration(r.URL.Query().Get("for"))
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		s.pause.Store(int64(pause))
		return
	}
	if pause := time.Duration(s.pause.Load()); pause > 0 && strings.HasSuffix(r.URL.Path, "/results") {
		held := &held{ResponseWriter: w}
		s.next.ServeHTTP(held, r)
		select {
		case <-r.Context().Done():
		case <-time.After(pause):
		}
		held.release()
		return
	}
	s.next.ServeHTTP(w, r)
}

// held keeps an answer back until it is released.
type held struct {
	http.ResponseWriter
	status int
	body   []byte
}

func (h *held) WriteHeader(status int) { h.status = status }

func (h *held) Write(b []byte) (int, error) {
	h.body = append(h.body, b...)
	return len(b), nil
}

func (h *held) release() {
	if h.status != 0 {
		h.ResponseWriter.WriteHeader(h.status)
	}
	_, _ = h.ResponseWriter.Write(h.body) // whoever asked may have gone
}
