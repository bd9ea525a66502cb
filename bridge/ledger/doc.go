// Package ledger is the bridge's memory: what was sent, what may have been, and where everything
// stands.
package ledger

import "limsbridge/bridge"

var _ bridge.Ledger = (*Ledger)(nil)
