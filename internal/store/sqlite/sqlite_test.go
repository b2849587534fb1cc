package sqlite_test

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-selfheal/otelcol-selfheal/internal/store"
	"github.com/otelcol-selfheal/otelcol-selfheal/internal/store/sqlite"
)

var epoch = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func setMeta(s store.Store, key string, value []byte) error {
	return s.Update(context.Background(), func(tx store.Tx) error { return tx.PutMeta(key, value) })
}

func getMeta(t *testing.T, s store.Store, key string) (value []byte) {
	t.Helper()
	require.NoError(t, s.View(t.Context(), func(r store.Reader) (err error) {
		value, err = r.Meta(key)
		return err
	}))
	return value
}

func TestOnlyTheOwnerReadsTheState(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "a b?#%", "state")
	s := open(t, dir, sqlite.Options{})
	require.NoError(t, setMeta(s, "k", []byte("v")))
	require.Equal(t, dir, s.Dir())
	info, err := os.Stat(dir)
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o700), info.Mode().Perm())
	files, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Len(t, files, 4, "database, log, index, lock")
	for _, f := range files {
		info, err := f.Info()
		require.NoError(t, err)
		require.Equal(t, os.FileMode(0o600), info.Mode().Perm(), f.Name())
	}
}

func TestASecondOwnerIsRefused(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	first, err := sqlite.Open(dir, sqlite.Options{})
	require.NoError(t, err)
	_, err = sqlite.Open(dir, sqlite.Options{})
	require.ErrorIs(t, err, sqlite.ErrLocked)
	require.ErrorContains(t, err, dir)
	require.ErrorContains(t, err, "process "+strconv.Itoa(os.Getpid()))
	require.NoError(t, first.Close())
	open(t, dir, sqlite.Options{})
}

func TestReadingALiveState(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	_, err := sqlite.Open(dir, sqlite.Options{ReadOnly: true})
	require.ErrorContains(t, err, "there is no state in "+dir)
	files, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Empty(t, files, "reading makes nothing")

	owner := open(t, dir, sqlite.Options{})
	require.NoError(t, setMeta(owner, "k", []byte("1")))
	reader := open(t, dir, sqlite.Options{ReadOnly: true})
	require.Equal(t, []byte("1"), getMeta(t, reader, "k"))
	require.NoError(t, setMeta(owner, "k", []byte("2")))
	require.Equal(t, []byte("2"), getMeta(t, reader, "k"))
	require.ErrorIs(t, setMeta(reader, "k", []byte("3")), sqlite.ErrReadOnly)

	require.NoError(t, owner.Close())
	require.Equal(t, []byte("2"), getMeta(t, reader, "k"), "also when the owner has gone")
	require.NoError(t, reader.Close())
	reader = open(t, dir, sqlite.Options{ReadOnly: true})
	require.Equal(t, []byte("2"), getMeta(t, reader, "k"))
}

func TestReadingACopyThatCannotBeWritten(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := open(t, dir, sqlite.Options{})
	require.NoError(t, setMeta(s, "k", []byte("v")))
	require.NoError(t, s.Close())
	require.NoError(t, os.Chmod(dir, 0o500))
	t.Cleanup(func() { require.NoError(t, os.Chmod(dir, 0o700)) })
	reader := open(t, dir, sqlite.Options{ReadOnly: true})
	require.Equal(t, []byte("v"), getMeta(t, reader, "k"))
}

// raw runs a statement on the database as a program that is not the store.
func raw(t *testing.T, dir, q string, args ...any) {
	t.Helper()
	db, err := sql.Open("sqlite", filepath.Join(dir, sqlite.FileName))
	require.NoError(t, err)
	_, err = db.Exec(q, args...)
	require.NoError(t, err)
	require.NoError(t, db.Close())
}

func TestAnUnknownSchemaIsRefused(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	require.NoError(t, open(t, dir, sqlite.Options{}).Close())
	raw(t, dir, `UPDATE schema_version SET version = 999`)
	for _, readOnly := range []bool{false, true} {
		_, err := sqlite.Open(dir, sqlite.Options{ReadOnly: readOnly})
		require.ErrorIs(t, err, sqlite.ErrSchema)
		require.ErrorContains(t, err, "schema version 999")
		require.ErrorContains(t, err, "use the newer program")
	}
	// An older one is brought up to date by its owner, and not by a reader.
	raw(t, dir, `UPDATE schema_version SET version = 0`)
	_, err := sqlite.Open(dir, sqlite.Options{ReadOnly: true})
	require.ErrorIs(t, err, sqlite.ErrSchema)
}

func TestAMigrationThatFailsLeavesTheStateAsItWas(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	raw(t, dir, `CREATE TABLE users (name TEXT)`) // in the way of the last but a few
	_, err := sqlite.Open(dir, sqlite.Options{})
	require.ErrorContains(t, err, "users")
	db, err := sql.Open("sqlite", filepath.Join(dir, sqlite.FileName))
	require.NoError(t, err)
	var tables int
	require.NoError(t, db.QueryRow(`SELECT COUNT(*) FROM sqlite_master WHERE type = 'table'`).Scan(&tables))
	require.Equal(t, 1, tables)
	require.NoError(t, db.Close())
	raw(t, dir, `DROP TABLE users`)
	open(t, dir, sqlite.Options{})
}

func TestAFileThatIsNoDatabaseIsToldSo(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, sqlite.FileName), bytes.Repeat([]byte("no database "), 1000), 0o600))
	_, err := sqlite.Open(dir, sqlite.Options{})
	require.ErrorContains(t, err, "is damaged")
	require.ErrorContains(t, err, dir)
}

func TestAFullStateIsUsableAgainOnceThereIsRoom(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := open(t, dir, sqlite.Options{MaxBytes: 1 << 20})
	requireFullAndBack(t, s, func() {
		// Freed pages are room.
		require.NoError(t, setMeta(s, "0", nil))
	})
}

func requireFullAndBack(t *testing.T, s *sqlite.Store, makeRoom func()) {
	t.Helper()
	var err error
	n := 0
	for ; n < 200 && err == nil; n++ {
		err = setMeta(s, strconv.Itoa(n), bytes.Repeat([]byte{byte(n)}, 50<<10))
	}
	require.ErrorIs(t, err, store.ErrFull)
	// Nothing of a transaction that found no room is there, also when its maker goes on.
	i := anIncident("inc-1")
	err = s.Update(t.Context(), func(tx store.Tx) error {
		require.NoError(t, transition(tx, i))
		for k := range 200 {
			_ = tx.PutMeta(fmt.Sprint("more-", k), bytes.Repeat([]byte{1}, 50<<10))
		}
		return nil
	})
	require.ErrorIs(t, err, store.ErrFull)
	require.Zero(t, i.Version)
	require.NoError(t, s.View(t.Context(), func(r store.Reader) error {
		_, err := r.Incident("inc-1")
		require.ErrorIs(t, err, store.ErrNotFound)
		size, err := r.AuditSize()
		require.Zero(t, size)
		return err
	}))
	require.Nil(t, getMeta(t, s, "more-0"))
	require.Equal(t, byte(1), getMeta(t, s, "1")[0], "what was stored before can be read")
	makeRoom()
	require.NoError(t, s.Update(t.Context(), func(tx store.Tx) error { return transition(tx, i) }))
	require.Equal(t, int64(1), i.Version)
}

// Writers share transactions: the one that finds no room must not take from others
// what they were told is stored, nor leave behind what it was told is not.
func TestAWriterWithoutRoomLeavesOthersAlone(t *testing.T) {
	t.Parallel()
	s := open(t, t.TempDir(), sqlite.Options{MaxBytes: 1 << 20})
	const writers, each = 8, 30
	var stored [writers][each]bool
	var group sync.WaitGroup
	for w := range writers {
		group.Go(func() {
			for n := range each {
				value := []byte("small")
				if (w+n)%4 == 0 {
					value = make([]byte, 900<<10) // finds no room beside another
				}
				err := setMeta(s, fmt.Sprintf("%d-%d", w, n), value)
				stored[w][n] = err == nil
				if err != nil {
					assert.ErrorIs(t, err, store.ErrFull)
				}
			}
		})
	}
	group.Wait()
	refused := 0
	for w := range writers {
		for n := range each {
			require.Equal(t, stored[w][n], getMeta(t, s, fmt.Sprintf("%d-%d", w, n)) != nil, "%d-%d", w, n)
			if !stored[w][n] {
				refused++
			}
		}
	}
	require.Positive(t, refused)
}

// What a method refuses on sight, such as a number that JSON has no word for, touches
// nothing: its caller may go on.
func TestARefusedRowLeavesItsTransactionUsable(t *testing.T) {
	t.Parallel()
	s := open(t, t.TempDir(), sqlite.Options{})
	require.NoError(t, s.Update(t.Context(), func(tx store.Tx) error {
		bad := anIncident("inc-bad")
		bad.Confidence = nan()
		if tx.PutIncident(bad, "") == nil {
			return errors.New("stored a confidence that is no number")
		}
		return tx.PutUser(store.User{Name: "ann"})
	}))
	require.NoError(t, s.View(t.Context(), func(r store.Reader) error {
		_, err := r.Incident("inc-bad")
		require.ErrorIs(t, err, store.ErrNotFound)
		users, err := r.Users()
		require.Len(t, users, 1)
		return err
	}))
}

func nan() float64 { zero := 0.0; return zero / zero }
