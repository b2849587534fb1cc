package airflowreceiver

import (
	"slices"
	"strings"
	"time"

	"github.com/otelcol-selfheal/otelcol-selfheal/internal/airflow"
	"github.com/otelcol-selfheal/otelcol-selfheal/receiver/airflowreceiver/internal/record"
)

// catalog is what is known of DAGs and their tasks.
type catalog struct {
	dags map[string]*dagInfo
}

type dagInfo struct {
	owner  string
	paused bool
	// looked is when the tasks were last read; zero where they should be read now.
	looked time.Time
	// owners are those of the tasks.
	owners map[string]string
	// told is what was delivered of the DAG (empty key) and its tasks.
	told map[string]told
}

type told struct {
	fingerprint string
	at          time.Time
}

func newCatalog() catalog { return catalog{dags: map[string]*dagInfo{}} }

// dag takes what the list says of a DAG.
func (c *catalog) dag(d airflow.DAG) {
	info := c.dags[d.ID]
	if info == nil {
		info = &dagInfo{told: map[string]told{}}
		c.dags[d.ID] = info
	}
	if owner := record.Owner(d.Owners); owner != info.owner || d.Paused != info.paused {
		info.owner, info.paused, info.looked = owner, d.Paused, time.Time{}
	}
}

// keep forgets DAGs that are gone.
func (c *catalog) keep(dags map[string]bool) {
	for id := range c.dags {
		if !dags[id] {
			delete(c.dags, id)
		}
	}
}

// unknownPause is how often an unknown task has a DAG's tasks read again: one that
// the DAG no longer has stays unknown.
const unknownPause = time.Minute

// of fills in what is known of a run's job, and has the tasks read again where
// one is new.
func (c *catalog) of(run *record.Run, now time.Time) {
	info := c.dags[run.DAG]
	if info == nil {
		return
	}
	paused := info.paused
	run.Paused, run.Owner = &paused, info.owner
	if run.Task == "" {
		return
	}
	if owner, ok := info.owners[run.Task]; ok {
		run.Owner = owner
	} else if info.owners != nil && now.Sub(info.looked) >= unknownPause {
		info.looked = time.Time{}
	}
}

// definitions reads the tasks of the DAGs that were not looked at for longest and
// tells what is new, different, or was not told for long.
func (r *round) definitions() error {
	var due []string
	for id, info := range r.known.dags {
		if info.looked.IsZero() || r.server.Sub(info.looked) >= r.cfg.Definitions.RefreshInterval {
			due = append(due, id)
		}
	}
	if len(due) == 0 {
		return nil
	}
	slices.SortFunc(due, func(a, b string) int {
		if c := r.known.dags[a].looked.Compare(r.known.dags[b].looked); c != 0 {
			return c
		}
		return strings.Compare(a, b)
	})
	if len(due) > r.cfg.Definitions.MaxPerPoll {
		r.bound("definitions")
		due = due[:r.cfg.Definitions.MaxPerPoll]
	}
	inputs, outputs, err := r.assets()
	if err != nil {
		return err
	}
	for _, id := range due {
		if err := r.define(id, r.known.dags[id], inputs, outputs); err != nil {
			return err
		}
	}
	return nil
}

// define tells one DAG and its tasks.
func (r *round) define(id string, info *dagInfo, inputs, outputs map[airflow.TaskReference][]record.Dataset) error {
	tasks, err := r.client.Tasks(r.read, id)
	if airflow.IsNotFound(err) || airflow.IsForbidden(err) {
		info.looked = r.server // nothing to tell now; try again in its turn
		return nil
	}
	if err != nil {
		return err
	}
	r.got()
	list := []record.Definition{{
		DAG: id, Owner: info.owner, Paused: info.paused, Inputs: inputs[airflow.TaskReference{DAGID: id}],
	}}
	up := airflow.Upstream(tasks)
	owners := make(map[string]string, len(tasks))
	for _, t := range tasks {
		if r.badNames(t.ID) {
			continue
		}
		owners[t.ID] = record.Owner([]string{t.Owner})
		ref := airflow.TaskReference{DAGID: id, TaskID: t.ID}
		before := slices.Clone(up[t.ID])
		slices.Sort(before)
		list = append(list, record.Definition{
			DAG: id, Task: t.ID, Owner: owners[t.ID], Upstream: before, Inputs: inputs[ref], Outputs: outputs[ref],
		})
	}
	batch := r.source.NewBatch(r.now())
	fresh := make(map[string]told, len(list))
	for _, d := range list {
		mark := told{fingerprint: d.Fingerprint(), at: r.server}
		if old := info.told[d.Task]; old.fingerprint == mark.fingerprint && r.server.Sub(old.at) < r.cfg.Definitions.RepeatInterval {
			fresh[d.Task] = old
			continue
		}
		batch.AddDefinition(d, r.server)
		fresh[d.Task] = mark
	}
	if err := r.deliver(batch); err != nil {
		return err
	}
	info.told, info.owners, info.looked = fresh, owners, r.server
	return nil
}

// assets reads which task reads and writes which dataset. A DAG that runs when an
// asset was updated reads it.
func (r *round) assets() (inputs, outputs map[airflow.TaskReference][]record.Dataset, err error) {
	list, _, err := all(r, "assets", pageSeq[airflow.Asset](r.client.Assets(r.read, r.cfg.PageSize)))
	if airflow.IsForbidden(err) || airflow.IsNotFound(err) {
		return nil, nil, nil // the login may not see them: definitions go without
	}
	if err != nil {
		return nil, nil, err
	}
	inputs, outputs = map[airflow.TaskReference][]record.Dataset{}, map[airflow.TaskReference][]record.Dataset{}
	for _, a := range list {
		set, ok := record.AssetDataset(a.URI, a.Name)
		if !ok {
			continue
		}
		for _, t := range a.ProducingTasks {
			outputs[t] = append(outputs[t], set)
		}
		for _, t := range slices.Concat(a.ConsumingTasks, a.ScheduledDAGs) {
			inputs[t] = append(inputs[t], set)
		}
	}
	return inputs, outputs, nil
}
