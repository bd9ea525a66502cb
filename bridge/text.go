package bridge

import (
	"encoding/hex"
	"fmt"
	"strings"

	"github.com/google/uuid"
)

var keyNames = map[KeyKind]string{RequisitionKey: "requisition", RequestKey: "service-request", RowKey: "row"}

// String is the kind and the id, e.g. requisition/7d5e….
func (k Key) String() string { return keyNames[k.Kind] + "/" + k.ID.String() }

// MarshalText writes what String says.
func (k Key) MarshalText() ([]byte, error) {
	if keyNames[k.Kind] == "" {
		return nil, fmt.Errorf("key of unknown kind %d", k.Kind)
	}
	return []byte(k.String()), nil
}

// UnmarshalText reads what MarshalText wrote.
func (k *Key) UnmarshalText(b []byte) error {
	kind, id, _ := strings.Cut(string(b), "/")
	for c, name := range keyNames {
		if name == kind {
			u, err := uuid.Parse(id)
			*k = Key{Kind: c, ID: u}
			return err
		}
	}
	return fmt.Errorf("%q is not the key of a record", kind)
}

// MarshalText writes the fingerprint in hex.
func (p Print) MarshalText() ([]byte, error) { return hex.AppendEncode(nil, p[:]), nil }

// UnmarshalText reads what MarshalText wrote.
func (p *Print) UnmarshalText(b []byte) error {
	if len(b) != 2*len(p) {
		return fmt.Errorf("a fingerprint has %d hexadecimal digits, not %d", 2*len(p), len(b))
	}
	_, err := hex.Decode(p[:], b)
	return err
}
