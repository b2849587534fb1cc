package endtoend

import (
	"database/sql"
	"fmt"
	"math/rand/v2"
	"net/http"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/otelcol-selfheal/otelcol-selfheal/testbed/collector"
)

// kills is how often the collector is killed while it takes events and facts.
const kills = 20

// Whatever was acknowledged before a SIGKILL is there after it.
func TestNothingAcknowledgedIsLost(t *testing.T) {
	t.Parallel()
	s := start(t, options{})
	seed := uint64(time.Now().UnixNano()) //nolint:gosec // any bits do
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 1)) //nolint:gosec // not for secrets
	jobs, facts, before := 0, 0, 0
	acknowledged := map[string]bool{}
	var slowest time.Duration
	for round := range kills {
		var wg sync.WaitGroup
		wg.Go(func() {
			for {
				job := fmt.Sprintf("job-%d-%d", round, jobs)
				code, _, err := s.event(t.Context(), failure(job, "connection refused"))
				if err != nil || code != http.StatusOK {
					return // killed
				}
				acknowledged[job] = true
				jobs++
				time.Sleep(10 * time.Millisecond)
			}
		})
		wg.Go(func() {
			for s.rows(t.Context(), "d.s.counted", facts+1) == nil {
				facts++
				time.Sleep(3 * time.Millisecond)
			}
		})
		time.Sleep(time.Duration(20+random.IntN(350)) * time.Millisecond)
		s.Kill()
		wg.Wait()
		began := time.Now()
		s.up(t)
		slowest = max(slowest, time.Since(began))
		list, err := s.Incidents(within(t, 10*time.Second))
		must(t, err)
		if len(list) < before {
			t.Fatalf("round %d: %d incidents, there were %d", round, len(list), before)
		}
		before = len(list)
		if code, out := s.operate(t, "audit", "verify"); code != 0 {
			t.Fatalf("round %d: the audit log does not verify: %d\n%s", round, code, out)
		}
	}
	if jobs < kills || facts < kills {
		t.Errorf("only %d events and %d facts were acknowledged", jobs, facts)
	}
	var missing []string
	eventually(t, "an incident for every failure that was acknowledged", func() bool {
		list, err := s.Incidents(t.Context())
		if err != nil {
			return false
		}
		missing = lacking(acknowledged, list)
		return len(missing) == 0 || len(list) >= 1000
	})
	if len(missing) > 0 {
		t.Errorf("%d failures of %d that were acknowledged have no incident: %v", len(missing), jobs, missing[:min(5, len(missing))])
	}
	must(t, s.Stop())
	db, err := sql.Open("sqlite", filepath.Join(s.State, "state.db"))
	must(t, err)
	defer func() { _ = db.Close() }()
	var kept float64
	must(t, db.QueryRowContext(t.Context(), `SELECT value FROM fact WHERE entity LIKE '%d.s.counted' AND name = 'data.dataset.rows'`).Scan(&kept))
	if int(kept) < facts {
		t.Errorf("the table had %d rows by what was acknowledged, the state knows of %v", facts, kept)
	}
	note(t, "kill: events acknowledged", jobs)
	note(t, "kill: facts acknowledged", facts)
	note(t, "kill: seconds to be back at most", slowest.Seconds())
}

func lacking(acknowledged map[string]bool, list []collector.Incident) (missing []string) {
	seen := map[string]bool{}
	for _, i := range list {
		seen[i.Root.Name] = true
		for _, o := range i.Observed {
			seen[o.Name] = true
		}
	}
	for job := range acknowledged {
		if !seen[job] {
			missing = append(missing, job)
		}
	}
	return missing
}
