package audit_test

import (
	"database/sql"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/mod/sumdb/tlog"
	"pgregory.net/rapid"

	"github.com/otelcol-selfheal/otelcol-selfheal/internal/audit"
	"github.com/otelcol-selfheal/otelcol-selfheal/internal/store"
	"github.com/otelcol-selfheal/otelcol-selfheal/internal/store/sqlite"
)

const columns = `idx, recorded, actor, kind, subject, commitment, hashes`

// renumber moves the records from index on by some places.
func renumber(t testing.TB, db *sql.DB, from, by int64) {
	t.Helper()
	for _, table := range []string{"audit", "audit_payload"} {
		exec(t, db, `UPDATE `+table+` SET idx = -1 - (idx + ?) WHERE idx >= ?`, by, from)
		exec(t, db, `UPDATE `+table+` SET idx = -1 - idx WHERE idx < 0`)
	}
}

// rehash does what an intruder who knows the format would: it computes all stored
// hashes anew.
func rehash(t testing.TB, db *sql.DB) {
	t.Helper()
	rows, err := db.Query(`SELECT ` + columns + ` FROM audit ORDER BY idx`)
	require.NoError(t, err)
	var nodes []tlog.Hash
	fresh := map[int64][]byte{}
	for rows.Next() {
		var r store.AuditRecord
		var nanos int64
		var hashes []byte
		require.NoError(t, rows.Scan(&r.Index, &nanos, &r.Actor, &r.Kind, &r.Subject, &r.Commitment, &hashes))
		r.At = unix(nanos)
		leaf, err := audit.Leaf(r)
		require.NoError(t, err)
		more, err := tlog.StoredHashes(r.Index, leaf, tlog.HashReaderFunc(func(indexes []int64) (all []tlog.Hash, err error) {
			for _, i := range indexes {
				all = append(all, nodes[i])
			}
			return all, nil
		}))
		require.NoError(t, err)
		nodes = append(nodes, more...)
		for _, h := range more {
			fresh[r.Index] = append(fresh[r.Index], h[:]...)
		}
	}
	require.NoError(t, rows.Err())
	require.NoError(t, rows.Close())
	for index, hashes := range fresh {
		exec(t, db, `UPDATE audit SET hashes = ? WHERE idx = ?`, hashes, index)
	}
}

// In each case 20 records are signed at sizes 5, 10, 15 and 20; two more follow.
func TestTamperingIsFound(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		tamper func(t *testing.T, db *sql.DB)
		kind   audit.Kind // of the first problem with an index
		at     int64      // where it lies, when the stored hashes were left alone
		from   int64      // where the range begins, when they were computed anew
	}{
		{"a record changed", func(t *testing.T, db *sql.DB) {
			exec(t, db, `UPDATE audit SET actor = 'user:mallory' WHERE idx = 7`)
		}, audit.Changed, 7, 5},
		{"the time of a record changed", func(t *testing.T, db *sql.DB) {
			exec(t, db, `UPDATE audit SET recorded = recorded + 1 WHERE idx = 0`)
		}, audit.Changed, 0, 0},
		{"a payload and its commitment changed", func(t *testing.T, db *sql.DB) {
			salt := make([]byte, audit.SaltSize)
			exec(t, db, `UPDATE audit_payload SET salt = ?, data = 'x' WHERE idx = 12`, salt)
			exec(t, db, `UPDATE audit SET commitment = ? WHERE idx = 12`, audit.Commit(salt, []byte("x")))
		}, audit.Changed, 12, 10},
		{"a record inserted", func(t *testing.T, db *sql.DB) {
			renumber(t, db, 8, 1)
			exec(t, db, `INSERT INTO audit SELECT 8, recorded, actor, kind, 'plan-forged', commitment, hashes FROM audit WHERE idx = 7`)
			exec(t, db, `INSERT INTO audit_payload SELECT 8, salt, data FROM audit_payload WHERE idx = 7`)
		}, audit.Changed, 8, 5},
		{"a record removed and the rest moved up", func(t *testing.T, db *sql.DB) {
			exec(t, db, `DELETE FROM audit_payload WHERE idx = 16`)
			exec(t, db, `DELETE FROM audit WHERE idx = 16`)
			renumber(t, db, 17, -1)
		}, audit.Changed, 16, 15},
		{"two records exchanged", func(t *testing.T, db *sql.DB) {
			for _, table := range []string{"audit", "audit_payload"} {
				exec(t, db, `UPDATE `+table+` SET idx = -1 WHERE idx = 3`)
				exec(t, db, `UPDATE `+table+` SET idx = 3 WHERE idx = 18`)
				exec(t, db, `UPDATE `+table+` SET idx = 18 WHERE idx = -1`)
			}
		}, audit.Changed, 3, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			for _, anew := range []bool{false, true} {
				l := signedLedger(t)
				l.sql(func(db *sql.DB) {
					c.tamper(t, db)
					if anew {
						rehash(t, db)
					}
				})
				report := l.verify()
				require.False(t, report.OK())
				if anew {
					requireFirst(t, report, audit.Rewritten, c.from)
					require.Equal(t, c.from, report.Signed)
				} else {
					requireFirst(t, report, c.kind, c.at)
				}
				_, err := l.trySign()
				if anew {
					require.ErrorIs(t, err, audit.ErrTampered, "nothing is signed on top of it")
				}
			}
		})
	}
}

func signedLedger(t testing.TB) *ledger {
	l := newLedger(t)
	for range 4 {
		l.append(5)
		l.sign()
	}
	l.append(2)
	require.True(t, func() bool { r := l.verify(l.away...); return r.OK() }())
	return l
}

func (l *ledger) trySign() (c store.Checkpoint, err error) {
	err = l.store.Update(l.t.Context(), func(tx store.Tx) error {
		c, err = l.signer.Checkpoint(tx, epoch)
		return err
	})
	return c, err
}

func requireFirst(t testing.TB, report audit.Report, kind audit.Kind, from int64) {
	t.Helper()
	require.Equal(t, from, report.FirstBad(), "%+v", report.Problems)
	for _, p := range report.Problems {
		if p.From == from {
			require.Equal(t, kind, p.Kind, "%+v", report.Problems)
			return
		}
	}
}

func TestRemovalIsFound(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		gone string
		kind audit.Kind
		from int64
	}{
		{"the first", `idx = 0`, audit.Missing, 0},
		{"one in the middle", `idx = 9`, audit.Missing, 9},
		{"several", `idx BETWEEN 9 AND 13`, audit.Missing, 9},
		{"all", `idx >= 0`, audit.Truncated, 0},
		{"the end", `idx >= 17`, audit.Truncated, 17},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			l := signedLedger(t)
			l.sql(func(db *sql.DB) {
				exec(t, db, `DELETE FROM audit_payload WHERE `+c.gone)
				exec(t, db, `DELETE FROM audit WHERE `+c.gone)
			})
			report := l.verify()
			requireFirst(t, report, c.kind, c.from)
			_, err := l.trySign()
			if c.kind == audit.Truncated {
				require.ErrorIs(t, err, audit.ErrTampered)
			}
		})
	}
}

func TestAnEndCutOffWithItsCheckpointsIsFoundFromOutside(t *testing.T) {
	t.Parallel()
	l := signedLedger(t)
	l.sql(func(db *sql.DB) {
		exec(t, db, `DELETE FROM audit_payload WHERE idx >= 10`)
		exec(t, db, `DELETE FROM audit WHERE idx >= 10`)
		exec(t, db, `DELETE FROM checkpoint WHERE size > 10`)
	})
	report := l.verify()
	require.True(t, report.OK(), "within the folder nothing is left that tells")
	report = l.verify(l.away...)
	requireFirst(t, report, audit.Truncated, 10)
	require.Equal(t, 2, report.External)

	// Growing again hides nothing.
	l.append(30)
	l.sign()
	report = l.verify()
	require.True(t, report.OK())
	report = l.verify(l.away[:4]...)
	requireFirst(t, report, audit.Rewritten, 10)
}

func TestARolledBackDatabaseIsFoundFromOutside(t *testing.T) {
	t.Parallel()
	l := newLedger(t)
	l.append(6)
	l.sign()
	require.NoError(t, l.store.Close())
	path := filepath.Join(l.dir, sqlite.FileName)
	old, err := os.ReadFile(path)
	require.NoError(t, err)
	l.open()
	l.append(6)
	l.sign()
	require.NoError(t, l.store.Close())
	require.NoError(t, os.WriteFile(path, old, 0o600))
	l.open()
	report := l.verify()
	require.True(t, report.OK())
	report = l.verify(l.away...)
	requireFirst(t, report, audit.Truncated, 6)
}

func TestPayloadsAndStoredHashesAreHeldToTheLog(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, q string
		kind    audit.Kind
		at      int64
	}{
		{"payload", `UPDATE audit_payload SET data = '{}' WHERE idx = 6`, audit.Changed, 6},
		{"salt", `UPDATE audit_payload SET salt = '' WHERE idx = 6`, audit.Changed, 6},
		{"payload gone", `DELETE FROM audit_payload WHERE idx = 6`, audit.Erased, 6},
		{"leaf hash", `UPDATE audit SET hashes = zeroblob(length(hashes)) WHERE idx = 6`, audit.Changed, 6},
		{"no hash", `UPDATE audit SET hashes = '' WHERE idx = 7`, audit.Changed, 7},
		{"inner hash", `UPDATE audit SET hashes = CAST(substr(hashes, 1, 64) || zeroblob(64) AS BLOB) WHERE idx = 7`, audit.Changed, 4},
		{"no text", `UPDATE audit SET subject = CAST(x'ff' AS TEXT) WHERE idx = 20`, audit.Changed, 20},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			l := signedLedger(t)
			l.sql(func(db *sql.DB) { exec(t, db, c.q) })
			requireFirst(t, l.verify(l.away...), c.kind, c.at)
		})
	}
}

func TestCheckpointsAreHeldToTheKeyAndTheLog(t *testing.T) {
	t.Parallel()
	other := signedLedger(t)
	l := signedLedger(t)
	for name, bad := range map[string][]byte{
		"another log's": other.away[0], "empty": nil, "no note": []byte("x"),
		"changed": []byte(strings.Replace(string(l.away[0]), "\n5\n", "\n6\n", 1)),
	} {
		report := l.verify(bad)
		require.Len(t, report.Problems, 1, name)
		require.Equal(t, audit.BadCheckpoint, report.Problems[0].Kind, name)
		require.Equal(t, int64(-1), report.FirstBad(), name)
	}
	// A pipeline may take the newline at the end.
	report := l.verify([]byte(strings.TrimSpace(string(l.away[1]))))
	require.True(t, report.OK())

	l.sql(func(db *sql.DB) { exec(t, db, `UPDATE checkpoint SET size = 11 WHERE size = 10`) })
	report = l.verify()
	require.Len(t, report.Problems, 1)
	require.Equal(t, audit.BadCheckpoint, report.Problems[0].Kind)
}

// Whatever one field of one signed record is changed to, it is found at that record,
// and with all hashes computed anew between the checkpoints around it.
func TestAnyChangeIsFound(t *testing.T) {
	t.Parallel()
	l := signedLedger(t)
	rapid.Check(t, func(rt *rapid.T) {
		index := rapid.Int64Range(0, 19).Draw(rt, "index")
		field := rapid.SampledFrom([]string{"actor", "kind", "subject", "commitment", "recorded"}).Draw(rt, "field")
		anew := rapid.Bool().Draw(rt, "anew")
		var value any = rapid.String().Draw(rt, "text")
		switch field {
		case "commitment":
			value = rapid.SliceOfN(rapid.Byte(), 0, 40).Draw(rt, "bytes")
		case "recorded":
			value = rapid.Int64().Draw(rt, "time")
		}
		var before any
		l.sql(func(db *sql.DB) {
			require.NoError(t, db.QueryRow(`SELECT `+field+` FROM audit WHERE idx = ?`, index).Scan(&before))
			exec(t, db, `UPDATE audit SET `+field+` = ? WHERE idx = ?`, value, index)
			if anew {
				rehash(t, db)
			}
		})
		report := l.verify(l.away...)
		found := false
		for _, p := range report.Problems {
			found = found || p.From >= 0 && p.From <= index && index <= p.To
		}
		if !found || !anew && report.FirstBad() != index {
			rt.Fatalf("record %d: %+v", index, report)
		}
		l.sql(func(db *sql.DB) {
			exec(t, db, `UPDATE audit SET `+field+` = ? WHERE idx = ?`, before, index)
			rehash(t, db)
		})
		if report := l.verify(l.away...); !report.OK() {
			rt.Fatalf("put back: %+v", report)
		}
	})
}
