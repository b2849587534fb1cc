package audit_test

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/otelcol-selfheal/otelcol-selfheal/internal/audit"
	"github.com/otelcol-selfheal/otelcol-selfheal/internal/store"
	"github.com/otelcol-selfheal/otelcol-selfheal/internal/store/sqlite"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var epoch = time.Date(2026, 3, 1, 12, 0, 0, 123456789, time.UTC)

// ledger is a log in a folder, with the checkpoints that left it.
type ledger struct {
	t      testing.TB
	dir    string
	store  *sqlite.Store
	signer *audit.Signer
	away   [][]byte
}

func newLedger(t testing.TB) *ledger {
	t.Helper()
	l := &ledger{t: t, dir: t.TempDir()}
	l.open()
	t.Cleanup(func() { require.NoError(t, l.store.Close()) })
	return l
}

func (l *ledger) open() {
	l.t.Helper()
	var err error
	l.store, err = sqlite.Open(l.dir, sqlite.Options{Now: func() time.Time { return epoch }})
	require.NoError(l.t, err)
	l.signer, err = audit.OpenSigner(l.dir)
	require.NoError(l.t, err)
}

func (l *ledger) update(fn func(tx store.Tx) error) {
	l.t.Helper()
	require.NoError(l.t, l.store.Update(context.Background(), fn))
}

func (l *ledger) append(n int) {
	l.t.Helper()
	l.update(func(tx store.Tx) error {
		for range n {
			size, err := tx.AuditSize()
			if err != nil {
				return err
			}
			r := store.AuditRecord{Actor: "engine", Kind: "plan.intent", Subject: fmt.Sprint("plan-", size), Data: fmt.Appendf(nil, `{"n":%d}`, size)}
			if err := tx.AppendAudit(&r); err != nil {
				return err
			}
		}
		return nil
	})
}

// sign makes a checkpoint and keeps a copy elsewhere.
func (l *ledger) sign() store.Checkpoint {
	l.t.Helper()
	var c store.Checkpoint
	l.update(func(tx store.Tx) (err error) {
		c, err = l.signer.Checkpoint(tx, epoch)
		return err
	})
	l.away = append(l.away, c.Signed)
	return c
}

func (l *ledger) verify(external ...[]byte) audit.Report {
	l.t.Helper()
	v, err := audit.ReadVerifier(l.dir)
	require.NoError(l.t, err)
	var report audit.Report
	require.NoError(l.t, l.store.View(context.Background(), func(r store.Reader) (err error) {
		report, err = audit.Verify(context.Background(), r, v, external)
		return err
	}))
	return report
}

// sql does to the database what the store never would.
func (l *ledger) sql(fn func(db *sql.DB)) {
	l.t.Helper()
	require.NoError(l.t, l.store.Close())
	db, err := sql.Open("sqlite", filepath.Join(l.dir, sqlite.FileName))
	require.NoError(l.t, err)
	fn(db)
	require.NoError(l.t, db.Close())
	l.open()
}

func exec(t testing.TB, db *sql.DB, q string, args ...any) {
	t.Helper()
	_, err := db.Exec(q, args...)
	require.NoError(t, err)
}

func TestAnUntouchedLogVerifies(t *testing.T) {
	t.Parallel()
	l := newLedger(t)
	report := l.verify()
	require.True(t, report.OK())
	require.Equal(t, "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=", report.Root, "the empty tree of RFC 6962")
	l.sign()
	for n := 1; n <= 40; n++ {
		l.append(n % 4)
		l.sign()
	}
	l.append(3)
	report = l.verify(l.away...)
	require.Empty(t, report.Problems)
	require.Equal(t, int64(60), report.Signed)
	require.Equal(t, int64(63), report.Size)
	require.Equal(t, len(l.away), report.External)
	require.Equal(t, int64(-1), report.FirstBad())
}

func TestTheKeyIsMadeOnceAndKeptFromOthers(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	first, err := audit.OpenSigner(dir)
	require.NoError(t, err)
	key, public := filepath.Join(dir, audit.KeyFile), filepath.Join(dir, audit.PublicFile)
	info, err := os.Stat(key)
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), info.Mode().Perm())
	require.NoError(t, os.Chmod(key, 0o644))

	again, err := audit.OpenSigner(dir)
	require.NoError(t, err)
	require.Equal(t, first.PublicKey(), again.PublicKey())
	info, err = os.Stat(key)
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), info.Mode().Perm(), "closed to others again")

	require.NoError(t, os.Remove(public))
	_, err = audit.OpenSigner(dir)
	require.NoError(t, err)
	v, err := audit.ReadVerifier(dir)
	require.NoError(t, err)
	require.Equal(t, first.Verifier().KeyHash(), v.KeyHash())

	other, err := audit.OpenSigner(t.TempDir())
	require.NoError(t, err)
	require.NotEqual(t, first.PublicKey(), other.PublicKey())
	require.NoError(t, os.WriteFile(public, []byte(other.PublicKey()), 0o600))
	_, err = audit.OpenSigner(dir)
	require.ErrorContains(t, err, "not the public half")

	private, err := os.ReadFile(key)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(key, private[:len(private)-20], 0o600))
	_, err = audit.OpenSigner(dir)
	require.ErrorContains(t, err, "damaged")
	require.NotContains(t, err.Error(), string(private[20:40]))
	require.NoError(t, os.Remove(key))
	_, err = audit.OpenSigner(dir)
	require.ErrorContains(t, err, "restore it", "a lost key is not replaced in silence")
}

func TestACheckpointIsSignedOnceForEachSize(t *testing.T) {
	t.Parallel()
	l := newLedger(t)
	l.append(5)
	first := l.sign()
	require.Equal(t, int64(5), first.Size)
	require.Equal(t, first, l.sign())
	l.append(1)
	require.NotEqual(t, first, l.sign())
	require.Contains(t, string(first.Signed), "otelcol-selfheal/audit/")
}

func TestAProofStandsOnItsOwn(t *testing.T) {
	t.Parallel()
	l := newLedger(t)
	l.append(37)
	l.sign()
	l.append(1)
	prove := func(index int64) (p audit.Proof, err error) {
		err = l.store.View(t.Context(), func(r store.Reader) error {
			p, err = audit.Prove(r, index, l.signer.Verifier())
			return err
		})
		return p, err
	}
	for index := range int64(37) {
		p, err := prove(index)
		require.NoError(t, err)
		text, err := json.Marshal(p)
		require.NoError(t, err)
		var q audit.Proof
		require.NoError(t, json.Unmarshal(text, &q))
		require.NoError(t, q.Verify(l.signer.Verifier()))
		for name, forge := range map[string]func(p *audit.Proof){
			"leaf":       func(p *audit.Proof) { p.Leaf += " " },
			"index":      func(p *audit.Proof) { p.Index = (p.Index + 1) % 37 },
			"data":       func(p *audit.Proof) { p.Data = []byte(`{"n":99}`) },
			"salt":       func(p *audit.Proof) { p.Salt = make([]byte, audit.SaltSize) },
			"path":       func(p *audit.Proof) { p.Path = p.Path[1:] },
			"checkpoint": func(p *audit.Proof) { p.Checkpoint = p.Checkpoint[1:] },
		} {
			forged := q
			forge(&forged)
			require.Error(t, forged.Verify(l.signer.Verifier()), name)
		}
	}
	for _, index := range []int64{-1, 37, 38} {
		_, err := prove(index)
		require.ErrorIs(t, err, store.ErrNotFound)
	}
	l.sql(func(db *sql.DB) { exec(t, db, `UPDATE audit SET subject = 'plan-x' WHERE idx = 7`) })
	_, err := prove(7)
	require.ErrorIs(t, err, audit.ErrTampered)
}

func TestErasureKeepsEveryProof(t *testing.T) {
	t.Parallel()
	l := newLedger(t)
	l.append(10)
	l.sign()
	l.update(func(tx store.Tx) error { return audit.Erase(tx, 4, "user:ann") })
	l.sign()
	report := l.verify(l.away...)
	require.Empty(t, report.Problems)
	require.Equal(t, int64(1), report.Erased)
	require.Equal(t, int64(11), report.Signed)
	require.NoError(t, l.store.View(t.Context(), func(r store.Reader) error {
		p, err := audit.Prove(r, 4, l.signer.Verifier())
		require.Nil(t, p.Data)
		return err
	}))
	require.ErrorIs(t, l.store.Update(t.Context(), func(tx store.Tx) error { return audit.Erase(tx, 4, "user:ann") }), store.ErrNotFound)
}

func unix(nanos int64) time.Time {
	if nanos == 0 {
		return time.Time{}
	}
	return time.Unix(0, nanos).UTC()
}
