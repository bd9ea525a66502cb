package bridge

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"hash"
	"hash/fnv"
	"sync"

	"github.com/google/uuid"

	"limsbridge/lims"
)

// Fingerprints makes keyed fingerprints: without the key they tell nothing, not even by trying
// every possible value, which for laboratory results would be quick.
type Fingerprints struct{ pool sync.Pool }

type mac struct {
	hash.Hash
	buf []byte
}

// NewFingerprints returns the maker for the ledger's key.
func NewFingerprints(key []byte) *Fingerprints {
	return &Fingerprints{pool: sync.Pool{New: func() any { return &mac{Hash: hmac.New(sha256.New, key)} }}}
}

// sum hashes the parts, each with its length before it, so that ("ab","c") and ("a","bc") differ.
func (f *Fingerprints) sum(version byte, parts ...string) [sha256.Size]byte {
	m := f.pool.Get().(*mac)
	m.Reset()
	m.buf = append(m.buf[:0], version)
	for _, p := range parts {
		m.buf = binary.AppendUvarint(m.buf, uint64(len(p)))
		m.buf = append(m.buf, p...)
	}
	m.Write(m.buf)
	var out [sha256.Size]byte
	m.Sum(out[:0])
	clear(m.buf) // it held a value
	f.pool.Put(m)
	return out
}

// Domains of the hash: a fingerprint of one never equals one of another.
const (
	observationV1 byte = 1
	rowV1         byte = 2
)

// Observation is the fingerprint of one version of one observation of a service request.
func (f *Fingerprints) Observation(request uuid.UUID, code, value, unit string, withdrawn bool) Print {
	state := "released"
	if withdrawn {
		state = "withdrawn"
	}
	h := f.sum(observationV1, request.String(), code, value, unit, state)
	return Print(h[:len(Print{})])
}

// Row is the hash of everything a LIMS row says, but its change stamp.
func (f *Fingerprints) Row(r lims.Row) uint64 {
	h := f.sum(rowV1, string(r.Source), r.ID, r.Requisition, r.ServiceRequest, r.OrderCode, r.Status,
		r.Reason, r.BirthDate, r.ResultCode, r.Value, r.Unit, r.Problem)
	return binary.BigEndian.Uint64(h[:8])
}

// stampHash shortens a change stamp for comparison; stamps are no secret.
func stampHash(stamp string) uint64 {
	h := fnv.New64a()
	h.Write([]byte(stamp))
	return h.Sum64()
}

// rowKey names the record of a row whose ids do not parse.
func rowKey(s lims.Source, id string) Key {
	h := sha256.Sum256([]byte(string(s) + "\x00" + id))
	return Key{Kind: RowKey, ID: uuid.UUID(h[:16])}
}
