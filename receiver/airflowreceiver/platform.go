package airflowreceiver

import (
	"fmt"
	"slices"
	"time"

	"github.com/otelcol-selfheal/otelcol-selfheal/internal/airflow"
	"github.com/otelcol-selfheal/otelcol-selfheal/receiver/airflowreceiver/internal/ledger"
	"github.com/otelcol-selfheal/otelcol-selfheal/receiver/airflowreceiver/internal/record"
)

// gauges are the facts about the platform that a round found.
type gauges struct {
	heartbeats   map[string]time.Duration
	pools        []airflow.Pool
	importErrors *int
	lateness     map[string]time.Duration
}

// healthy is the monitor's word for a part that works.
const healthy = "healthy"

// health asks the monitor. A part without heartbeat has no age.
func (r *round) health() error {
	h, err := r.client.Health(r.read)
	if err != nil {
		return err
	}
	at := r.answered(h.ServerTime)
	r.gauges.heartbeats = map[string]time.Duration{}
	if h.MetadataDatabase.Status != healthy {
		r.trouble = append(r.trouble, fmt.Errorf("airflow's database is %s", record.Word(h.MetadataDatabase.Status)))
	}
	for _, part := range []struct {
		name   string
		health airflow.ComponentHealth
		vital  bool
	}{{"scheduler", h.Scheduler, true}, {"dag_processor", h.DAGProcessor, true}, {"triggerer", h.Triggerer, false}} {
		if !record.Plausible(part.health.Heartbeat) {
			if part.vital && part.health.Status != healthy {
				r.trouble = append(r.trouble, fmt.Errorf("airflow's %s has never given a sign of life", part.name))
			}
			continue
		}
		age := max(at.Sub(part.health.Heartbeat), 0)
		r.gauges.heartbeats[part.name] = age
		if part.vital && age > r.cfg.HeartbeatThreshold {
			r.trouble = append(r.trouble, heartbeatTrouble(part.name, age, r.cfg.HeartbeatThreshold))
		}
	}
	return nil
}

func (r *round) pools() error {
	pools, _, err := all(r, "pools", pageSeq[airflow.Pool](r.client.Pools(r.read, r.cfg.PageSize)))
	if err != nil {
		return err
	}
	for _, p := range pools {
		if !r.badNames(p.Name) {
			r.gauges.pools = append(r.gauges.pools, p)
		}
	}
	return nil
}

// dags lists the DAGs: who owns them, which are paused, which are late.
func (r *round) dags() error {
	dags, incomplete, err := all(r, "dags", pageSeq[airflow.DAG](r.client.DAGs(r.read, r.cfg.PageSize)))
	if err != nil {
		return err
	}
	r.gauges.lateness = map[string]time.Duration{}
	seen := map[string]bool{}
	for _, d := range dags {
		if r.badNames(d.ID) || !r.filter.matches(d.ID) {
			continue
		}
		seen[d.ID] = true
		r.known.dag(d)
		if !d.Paused && record.Plausible(d.NextRunAfter) {
			r.gauges.lateness[d.ID] = max(r.server.Sub(d.NextRunAfter), 0)
		}
	}
	if !incomplete {
		r.known.keep(seen)
	}
	return nil
}

// importErrors tells which DAG files broke, broke otherwise, or load again.
func (r *round) importErrors() error {
	list, incomplete, err := all(r, "import_errors", pageSeq[airflow.ImportError](r.client.ImportErrors(r.read, r.cfg.PageSize)))
	if err != nil {
		return err
	}
	count := len(list)
	r.gauges.importErrors = &count
	batch := r.source.NewBatch(r.now())
	put := map[string]ledger.ImportError{}
	seen := map[string]bool{}
	for _, e := range list {
		if r.badNames(e.Filename) {
			continue
		}
		name := e.BundleName + "\x1f" + e.Filename
		seen[name] = true
		one := record.ImportError{File: e.Filename, Trace: e.StackTrace, First: e.Timestamp}
		if old, ok := r.ledger.ImportErrors()[name]; ok && old.Fingerprint == one.Fingerprint() {
			continue
		}
		if len(seen) > r.cfg.MaxTracked {
			r.bound("import_errors")
			incomplete = true
			break
		}
		put[name] = ledger.ImportError{File: e.Filename, Fingerprint: one.Fingerprint(), First: e.Timestamp}
		batch.AddImportError(one)
	}
	var cleared []string
	if !incomplete {
		for name := range r.ledger.ImportErrors() {
			if !seen[name] {
				cleared = append(cleared, name)
			}
		}
		slices.Sort(cleared)
		for _, name := range cleared {
			e := r.ledger.ImportErrors()[name]
			batch.AddImportErrorCleared(record.ImportError{File: e.File, First: e.First}, r.server)
		}
	}
	if err := r.deliver(batch); err != nil {
		return err
	}
	for name, e := range put {
		r.ledger.PutImportError(name, e)
	}
	for _, name := range cleared {
		r.ledger.DropImportError(name)
	}
	return nil
}
