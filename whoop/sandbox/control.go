package sandbox

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"

	"github.com/google/uuid"
)

// control serves the sandbox's own paths under /_sandbox/, for tests in another process:
//
//	GET  counts         Counts
//	GET  state          []Accepted
//	POST requisitions   Requisition or []Requisition; answers with the ids
//	POST faults         {"endpoint": "results", "faults": ["hang-after"]}, as Fail
//	POST revoke         {"id": "…"}, as Revoke
//	POST status         {"id": "…", "status": "…"}, as SetForeignStatus
//	POST expire-tokens  as ExpireTokens
func (s *Server) control(w http.ResponseWriter, r *http.Request, what string) {
	text, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 64<<20))
	if err != nil {
		http.Error(w, "the body is too long", http.StatusRequestEntityTooLarge)
		return
	}
	var asked struct {
		ID       uuid.UUID `json:"id"`
		Status   string    `json:"status"`
		Endpoint Endpoint  `json:"endpoint"`
		Faults   []Fault   `json:"faults"`
	}
	var result any = struct{}{}
	switch r.Method + " " + what {
	case "GET counts":
		result = s.Counts()
	case "GET state":
		result = s.Accepted()
	case "POST requisitions":
		result, err = s.addAll(text)
	case "POST faults":
		if err = decode(text, &asked); err == nil {
			err = s.Fail(asked.Endpoint, asked.Faults...)
		}
	case "POST revoke":
		if err = decode(text, &asked); err == nil {
			err = s.Revoke(asked.ID)
		}
	case "POST status":
		if err = decode(text, &asked); err == nil {
			err = s.SetForeignStatus(asked.ID, asked.Status)
		}
	case "POST expire-tokens":
		s.ExpireTokens()
	default:
		http.NotFound(w, r)
		return
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(result)
}

// addAll adds one requisition or several, until one is wrong.
func (s *Server) addAll(text []byte) ([]uuid.UUID, error) {
	var all []Requisition
	if text = bytes.TrimSpace(text); !bytes.HasPrefix(text, []byte("[")) {
		all = make([]Requisition, 1)
		if err := decode(text, &all[0]); err != nil {
			return nil, err
		}
	} else if err := decode(text, &all); err != nil {
		return nil, err
	}
	ids := make([]uuid.UUID, 0, len(all))
	for _, r := range all {
		id, err := s.AddRequisition(r)
		if err != nil {
			return ids, err
		}
		ids = append(ids, id)
	}
	return ids, nil
}
