package tdstest

import (
	"context"
	"database/sql"
	"encoding/binary"
	"errors"
	"slices"
	"strings"
)

// transaction is a writer's open transaction. Its statements run when it commits, and for their errors
// and counts each of them also runs at once, with all before it, and is undone: so any number of transactions
// can be open, and none sees or holds up another.
type transaction struct {
	d       *database
	ctx     context.Context
	pending []pending
	first   uint64 // the lowest rowversion it was given; 0: none yet
	locks   bool   // it holds a table for itself (TABLOCKX)
}

// pending is a statement that waits for the commit, with the number after which its rowversions begin.
type pending struct {
	st    Statement
	after uint64
}

// begin opens a transaction, and tells the client so.
func (c *session) begin(r *reply) {
	d := c.database()
	d.mu.Lock()
	defer d.mu.Unlock()
	c.tx = &transaction{d: d, ctx: c.server.closing}
	d.open = append(d.open, c.tx)
	r.envBytes(envBegin, c.id(), nil)
}

// finish commits or rolls back, and tells the client so.
func (c *session) finish(r *reply, commit bool) error {
	kind := byte(envRollback)
	if commit {
		kind = envCommit
	}
	r.envBytes(kind, nil, c.id())
	return c.end(commit)
}

// end ends the transaction, if there is one.
func (c *session) end(commit bool) error {
	tx := c.tx
	c.tx = nil
	if tx == nil {
		return nil
	}
	tx.d.mu.Lock()
	defer tx.d.mu.Unlock()
	tx.d.open = slices.DeleteFunc(tx.d.open, func(other *transaction) bool { return other == tx })
	if !commit {
		return nil
	}
	return tx.d.atomically(tx.ctx, true, func(conn execer) error {
		for _, p := range tx.pending {
			if _, err := tx.d.numbered(tx.ctx, conn, p); err != nil {
				return err
			}
		}
		return nil
	})
}

// id is the number of the session's transaction.
func (c *session) id() []byte { return binary.LittleEndian.AppendUint64(nil, uint64(c.number)) }

// locked says that an open transaction holds a table for itself. Which one is not asked: such a lock stands
// for the whole database.
func (d *database) locked() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.ContainsFunc(d.open, func(tx *transaction) bool { return tx.locks })
}

// settled is MIN_ACTIVE_ROWVERSION(): the lowest rowversion that an open transaction may still show.
func (d *database) settled() uint64 {
	lowest := d.version + 1
	for _, tx := range d.open {
		if tx.first > 0 {
			lowest = min(lowest, tx.first)
		}
	}
	return lowest
}

// run runs a statement for itself, or as the next one of a transaction.
func (d *database) run(ctx context.Context, tx *transaction, st Statement) (res Result, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if tx == nil {
		err = d.atomically(ctx, true, func(conn execer) error {
			res, err = d.numbered(ctx, conn, pending{st, d.version})
			return err
		})
		return res, err
	}
	before := d.version
	try := func(behind []pending) error {
		return d.atomically(ctx, false, func(conn execer) error {
			for _, p := range behind {
				if _, err := d.numbered(ctx, conn, p); err != nil {
					return err
				}
			}
			res, err = d.numbered(ctx, conn, pending{st, before})
			return err
		})
	}
	// An INSERT mostly does the same whatever was done before; where it does not, the commit says so.
	alone := strings.HasPrefix(strings.ToUpper(strings.TrimSpace(st.Text)), "INSERT")
	if alone {
		err = try(nil)
	}
	if !alone || err != nil {
		err = try(tx.pending)
	}
	if err != nil {
		return res, err
	}
	if tx.first == 0 && d.version > before {
		tx.first = before + 1
	}
	tx.locks = tx.locks || strings.Contains(st.Text, "TABLOCKX")
	tx.pending = append(tx.pending, pending{st, before})
	return res, nil
}

// numbered executes a statement whose rowversions begin behind a number.
func (d *database) numbered(ctx context.Context, conn execer, p pending) (Result, error) {
	if _, err := conn.ExecContext(ctx, "UPDATE tdstest_version SET n = ?", int64(p.after)); err != nil {
		return Result{}, err
	}
	res, err := d.execute(ctx, conn, p.st)
	if err != nil {
		return res, err
	}
	rows, err := conn.QueryContext(ctx, "SELECT n FROM tdstest_version")
	if err != nil {
		return res, err
	}
	defer rows.Close()
	for rows.Next() {
		var n int64
		if err := rows.Scan(&n); err != nil {
			return res, err
		}
		d.version = max(d.version, uint64(n))
	}
	return res, rows.Err()
}

// atomically runs f in one transaction of SQLite, and keeps or undoes what it did.
func (d *database) atomically(ctx context.Context, keep bool, f func(execer) error) error {
	tx, err := d.db.BeginTx(ctx, &sql.TxOptions{})
	if err != nil {
		return err
	}
	if err = f(tx); err != nil || !keep {
		return errors.Join(err, tx.Rollback())
	}
	return tx.Commit()
}
