package sqlite

import (
	"crypto/rand"
	"fmt"
	"strings"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/otelcol-selfheal/otelcol-selfheal/internal/audit"
	"github.com/otelcol-selfheal/otelcol-selfheal/internal/store"
)

func (t *tx) AuditSize() (int64, error) {
	var n int64
	err := t.one("read the size of the audit log", `SELECT COALESCE(MAX(idx) + 1, 0) FROM audit`, nil, &n)
	return n, err
}

func (t *tx) Audit(from int64, limit int) ([]store.AuditRecord, error) {
	if limit <= 0 {
		limit = 1000
	}
	return list(&t.session, "read the audit log", `SELECT a.idx, a.recorded, a.actor, a.kind, a.subject, a.commitment, p.salt, p.data
		FROM audit a LEFT JOIN audit_payload p ON p.idx = a.idx WHERE a.idx >= ? ORDER BY a.idx LIMIT ?`, []any{from, limit},
		func(row func(...any) error) (r store.AuditRecord, err error) {
			var at int64
			err = row(&r.Index, &at, &r.Actor, &r.Kind, &r.Subject, &r.Commitment, &r.Salt, &r.Data)
			r.At = fromNanos(at)
			if r.Salt != nil {
				r.Data = blob(r.Data)
			}
			return r, err
		})
}

// AuditHashes reads nodes of the tree. The nodes that record n completes stand in
// its row, from the leaf upwards: the one of (level, i) in row (i+1)<<level - 1.
func (t *tx) AuditHashes(indexes []int64) ([]tlog.Hash, error) {
	all := make([]tlog.Hash, len(indexes))
	have := int64(-1)
	var hashes []byte
	for i, index := range indexes {
		level, n := tlog.SplitStoredHashIndex(index)
		row := (n+1)<<level - 1
		if row != have {
			if err := t.one("read the hashes of the audit log", `SELECT hashes FROM audit WHERE idx = ?`, []any{row}, &hashes); err != nil {
				return nil, fmt.Errorf("record %d: %w", row, err)
			}
			have = row
		}
		if len(hashes) < (level+1)*tlog.HashSize {
			return nil, fmt.Errorf("read the hashes of audit record %d: level %d: %w", row, level, store.ErrNotFound)
		}
		copy(all[i][:], hashes[level*tlog.HashSize:])
	}
	return all, nil
}

func (t *tx) AppendAudit(r *store.AuditRecord) error {
	index, err := t.AuditSize()
	if err != nil {
		return err
	}
	what := fmt.Sprintf("append audit record %d", index)
	before, next := *r, *r
	if next.At.IsZero() {
		next.At = t.store.now()
	}
	next.Index, next.At = index, fromNanos(nanos(next.At))
	// Other bytes would be hashed as if they were the replacement character.
	next.Actor, next.Kind, next.Subject = valid(r.Actor), valid(r.Kind), valid(r.Subject)
	next.Data = blob(r.Data)
	next.Salt = make([]byte, audit.SaltSize)
	rand.Read(next.Salt) //nolint:errcheck // never fails
	next.Commitment = audit.Commit(next.Salt, next.Data)
	leaf, err := audit.Leaf(next)
	if err != nil {
		return err
	}
	hashes, err := tlog.StoredHashes(index, leaf, tlog.HashReaderFunc(t.AuditHashes))
	if err != nil {
		return err
	}
	row := make([]byte, 0, len(hashes)*tlog.HashSize)
	for _, h := range hashes {
		row = append(row, h[:]...)
	}
	if _, err := t.exec(what, `INSERT INTO audit (idx, recorded, actor, kind, subject, commitment, hashes) VALUES (?, ?, ?, ?, ?, ?, ?)`,
		index, nanos(next.At), next.Actor, next.Kind, next.Subject, next.Commitment, row); err != nil {
		return err
	}
	if _, err := t.exec(what, `INSERT INTO audit_payload (idx, salt, data) VALUES (?, ?, ?)`, index, next.Salt, next.Data); err != nil {
		return err
	}
	*r = next
	t.undo = append(t.undo, func() { *r = before })
	return nil
}

func valid(s string) string { return strings.ToValidUTF8(s, "�") }

func (t *tx) EraseAudit(index int64) error {
	what := fmt.Sprintf("erase the payload of audit record %d", index)
	n, err := t.exec(what, `DELETE FROM audit_payload WHERE idx = ?`, index)
	if err == nil && n == 0 {
		return fmt.Errorf("%s: %w", what, store.ErrNotFound)
	}
	return err
}

func (t *tx) Checkpoints(limit int) ([]store.Checkpoint, error) {
	if limit <= 0 {
		limit = t.store.bounds.MaxCheckpoints
	}
	return list(&t.session, "read checkpoints", `SELECT size, signed, recorded FROM checkpoint ORDER BY size DESC LIMIT ?`, []any{limit},
		func(row func(...any) error) (c store.Checkpoint, err error) {
			var at int64
			err = row(&c.Size, &c.Signed, &at)
			c.At = fromNanos(at)
			return c, err
		})
}

func (t *tx) PutCheckpoint(c store.Checkpoint) error {
	what := fmt.Sprintf("store the checkpoint of size %d", c.Size)
	if _, err := t.exec(what, `INSERT INTO checkpoint (size, signed, recorded) VALUES (?, ?, ?)
		ON CONFLICT (size) DO UPDATE SET signed = excluded.signed, recorded = excluded.recorded`, c.Size, blob(c.Signed), nanos(c.At)); err != nil {
		return err
	}
	_, err := t.exec(what, `DELETE FROM checkpoint WHERE size IN (SELECT size FROM checkpoint ORDER BY size DESC LIMIT 1000 OFFSET ?)`,
		t.store.bounds.MaxCheckpoints)
	return err
}
