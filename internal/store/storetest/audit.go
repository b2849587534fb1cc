package storetest

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/otelcol-selfheal/otelcol-selfheal/internal/audit"
	"github.com/otelcol-selfheal/otelcol-selfheal/internal/store"
)

func record(n int) store.AuditRecord {
	return store.AuditRecord{At: at(n), Actor: "engine", Kind: "incident.transition", Subject: fmt.Sprint("inc-", n), Data: fmt.Appendf(nil, `{"n":%d}`, n)}
}

func appendRecords(t *testing.T, s store.Store, from, to int) {
	t.Helper()
	update(t, s, func(tx store.Tx) error {
		for n := from; n < to; n++ {
			r := record(n)
			if err := tx.AppendAudit(&r); err != nil {
				return err
			}
			require.Equal(t, int64(n), r.Index)
			require.Equal(t, audit.Commit(r.Salt, r.Data), r.Commitment)
		}
		return nil
	})
}

func auditTree(t *testing.T, open Open) {
	s, reopen := open(t, Config{Now: newClock().Now})
	require.Zero(t, read(t, s, store.Reader.AuditSize))
	appendRecords(t, s, 0, 1)
	appendRecords(t, s, 1, 70)
	s = reopen()
	appendRecords(t, s, 70, 131)
	require.Equal(t, int64(131), read(t, s, store.Reader.AuditSize))

	// The stored nodes are those that package tlog computes from the leaves.
	var nodes []tlog.Hash
	got := read(t, s, func(r store.Reader) ([]store.AuditRecord, error) { return r.Audit(0, 1000) })
	require.Len(t, got, 131)
	salts := map[string]bool{}
	for n, r := range got {
		want := record(n)
		want.Index, want.Salt, want.Commitment = int64(n), r.Salt, r.Commitment
		require.Equal(t, want, r)
		salts[string(r.Salt)] = true
		leaf, err := audit.Leaf(r)
		require.NoError(t, err)
		more, err := tlog.StoredHashes(int64(n), leaf, tlog.HashReaderFunc(func(indexes []int64) ([]tlog.Hash, error) {
			var all []tlog.Hash
			for _, i := range indexes {
				all = append(all, nodes[i])
			}
			return all, nil
		}))
		require.NoError(t, err)
		nodes = append(nodes, more...)
	}
	require.Len(t, salts, 131, "each record has a salt of its own")
	indexes := make([]int64, len(nodes))
	for i := range indexes {
		indexes[len(indexes)-1-i] = int64(i)
	}
	stored := read(t, s, func(r store.Reader) ([]tlog.Hash, error) { return r.AuditHashes(indexes) })
	for i, index := range indexes {
		require.Equal(t, nodes[index], stored[i])
	}
	require.ErrorIs(t, s.View(t.Context(), func(r store.Reader) error {
		_, err := r.AuditHashes([]int64{int64(len(nodes))})
		return err
	}), store.ErrNotFound)

	page := read(t, s, func(r store.Reader) ([]store.AuditRecord, error) { return r.Audit(100, 2) })
	require.Len(t, page, 2)
	require.Equal(t, int64(100), page[0].Index)
	require.Empty(t, read(t, s, func(r store.Reader) ([]store.AuditRecord, error) { return r.Audit(131, 2) }))

	// A record that was rolled back leaves no gap and no trace in its object.
	lost := store.AuditRecord{Actor: "engine", Kind: "k"}
	require.ErrorIs(t, s.Update(t.Context(), func(tx store.Tx) error {
		require.NoError(t, tx.AppendAudit(&lost))
		require.Equal(t, Epoch, lost.At, "the store's clock where none is given")
		return errBoom
	}), errBoom)
	require.Equal(t, store.AuditRecord{Actor: "engine", Kind: "k"}, lost)
	appendRecords(t, s, 131, 132)
}

func auditErase(t *testing.T, open Open) {
	s := opened(t, open, store.Bounds{})
	appendRecords(t, s, 0, 3)
	before := read(t, s, func(r store.Reader) ([]store.AuditRecord, error) { return r.Audit(1, 1) })[0]
	update(t, s, func(tx store.Tx) error { return tx.EraseAudit(1) })
	got := read(t, s, func(r store.Reader) ([]store.AuditRecord, error) { return r.Audit(0, 0) })
	require.Len(t, got, 3)
	before.Salt, before.Data = nil, nil
	require.Equal(t, before, got[1])
	require.NotNil(t, got[2].Data)
	for _, index := range []int64{1, 3} {
		require.ErrorIs(t, s.Update(t.Context(), func(tx store.Tx) error { return tx.EraseAudit(index) }), store.ErrNotFound)
	}
	appendRecords(t, s, 3, 4)
}

func checkpoints(t *testing.T, open Open) {
	s := opened(t, open, store.Bounds{MaxCheckpoints: 3})
	point := func(size int64, text string) store.Checkpoint {
		return store.Checkpoint{Size: size, Signed: []byte(text), At: at(int(size))}
	}
	update(t, s, func(tx store.Tx) error {
		for _, c := range []store.Checkpoint{point(2, "b"), point(1, "a"), point(5, "d"), point(3, "c"), point(5, "e")} {
			if err := tx.PutCheckpoint(c); err != nil {
				return err
			}
		}
		return nil
	})
	get := func(limit int) []store.Checkpoint {
		return read(t, s, func(r store.Reader) ([]store.Checkpoint, error) { return r.Checkpoints(limit) })
	}
	require.Equal(t, []store.Checkpoint{point(5, "e"), point(3, "c"), point(2, "b")}, get(0))
	require.Equal(t, []store.Checkpoint{point(5, "e")}, get(1))
}
