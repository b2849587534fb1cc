package sqlite_test

import (
	"bufio"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/otelcol-selfheal/otelcol-selfheal/internal/audit"
	"github.com/otelcol-selfheal/otelcol-selfheal/internal/entity"
	"github.com/otelcol-selfheal/otelcol-selfheal/internal/incident"
	"github.com/otelcol-selfheal/otelcol-selfheal/internal/store"
	"github.com/otelcol-selfheal/otelcol-selfheal/internal/store/sqlite"
)

const (
	// crashDir in the environment makes the test binary a writer on that folder.
	crashDir = "SELFHEAL_TEST_CRASH_DIR"
	crashes  = 25
	// crashWriters write at a time, so that transactions share their syncs.
	crashWriters = 4
)

func anIncident(id string) *incident.Incident {
	return &incident.Incident{ID: id, State: incident.Open, Class: incident.TransientFailure, Title: "load of orders failed",
		Root: entity.Ref{Kind: entity.Job, Namespace: "default", Name: "shop.load_orders"}, Started: epoch, Detected: epoch, Updated: epoch}
}

// transition stores an incident and its audit record together.
func transition(tx store.Tx, i *incident.Incident) error {
	return errors.Join(tx.PutIncident(i, ""),
		tx.AppendAudit(&store.AuditRecord{Actor: "engine", Kind: "incident.transition", Subject: i.ID, Data: []byte(`{"state":"open"}`)}))
}

// writeUntilKilled is the child: it writes and says what was acknowledged.
func writeUntilKilled(dir string) {
	s, err := sqlite.Open(dir, sqlite.Options{})
	if err == nil {
		var signer *audit.Signer
		if signer, err = audit.OpenSigner(dir); err == nil {
			err = write(s, signer)
		}
	}
	fmt.Fprintln(os.Stderr, err) // only when something failed
	os.Exit(1)
}

func write(s *sqlite.Store, signer *audit.Signer) error {
	failed := make(chan error)
	for w := range crashWriters {
		go func() {
			for n := 0; ; n++ {
				id := fmt.Sprintf("inc-%d-%d-%d", os.Getpid(), w, n)
				err := s.Update(context.Background(), func(tx store.Tx) error {
					err := transition(tx, anIncident(id))
					if err == nil && n%8 == 0 {
						_, err = signer.Checkpoint(tx, time.Now())
					}
					return err
				})
				if err != nil {
					failed <- err
					return
				}
				fmt.Println(id) //nolint:forbidigo // this is what the parent reads
			}
		}()
	}
	return <-failed
}

func TestWhatWasAcknowledgedOutlivesAKill(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	acknowledged := map[string]bool{}
	for range crashes {
		for _, id := range writeAndKill(t, dir) {
			acknowledged[id] = true
		}
		requireWhole(t, dir, acknowledged)
	}
	require.Greater(t, len(acknowledged), crashes)
}

// writeAndKill runs the child until a random moment among its writes.
func writeAndKill(t *testing.T, dir string) (ids []string) {
	t.Helper()
	child := exec.CommandContext(t.Context(), os.Args[0])
	child.Env = append(os.Environ(), crashDir+"="+dir)
	child.Stderr = os.Stderr
	out, err := child.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, child.Start())
	lines := bufio.NewScanner(out)
	var once sync.Once
	for lines.Scan() {
		ids = append(ids, lines.Text())
		once.Do(func() {
			delay := time.Duration(rand.Int64N(int64(40 * time.Millisecond)))
			time.AfterFunc(delay, func() { _ = child.Process.Kill() })
		})
	}
	require.ErrorContains(t, child.Wait(), "signal: killed")
	return ids
}

func requireWhole(t *testing.T, dir string, acknowledged map[string]bool) {
	t.Helper()
	s, err := sqlite.Open(dir, sqlite.Options{})
	require.NoError(t, err)
	verifier, err := audit.ReadVerifier(dir)
	require.NoError(t, err)
	require.NoError(t, s.View(t.Context(), func(r store.Reader) error {
		all, err := r.Incidents(store.IncidentFilter{Limit: 1 << 30})
		require.NoError(t, err)
		stored := map[string]bool{}
		for _, i := range all {
			stored[i.ID] = true
		}
		for id := range acknowledged {
			require.True(t, stored[id], "%s was acknowledged", id)
		}
		records, err := r.Audit(0, 1<<30)
		require.NoError(t, err)
		require.Len(t, records, len(all))
		for _, rec := range records {
			require.True(t, stored[rec.Subject], "a record without its row")
			delete(stored, rec.Subject)
		}
		require.Empty(t, stored, "rows without their record")
		sent, err := r.Outbox("x", 1<<30)
		require.NoError(t, err)
		require.Len(t, sent, len(all))
		report, err := audit.Verify(t.Context(), r, verifier, nil)
		require.NoError(t, err)
		require.True(t, report.OK(), "%+v", report.Problems)
		return nil
	}))
	require.NoError(t, s.Close())
	db, err := sql.Open("sqlite", filepath.Join(dir, sqlite.FileName))
	require.NoError(t, err)
	var sound string
	require.NoError(t, db.QueryRow(`PRAGMA integrity_check`).Scan(&sound))
	require.Equal(t, "ok", sound)
	require.NoError(t, db.Close())
}
