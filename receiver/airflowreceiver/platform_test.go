package airflowreceiver

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-selfheal/otelcol-selfheal/internal/vocab"
)

func TestImportErrors(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	list := func(trace string) {
		b.airflow.static["/api/v2/importErrors"] = `{"import_errors":[{"filename":"f.py","bundle_name":"x","timestamp":"2026-11-24T08:00:00Z","stack_trace":"` + trace + `"}],"total_entries":1}`
	}
	told := func() (broken []string, cleared int) {
		b.poll()
		for _, r := range b.records(vocab.EventImportError) {
			typ, _ := r.Attributes().Get(vocab.ExceptionType)
			broken = append(broken, typ.Str())
		}
		return broken, len(b.records(vocab.EventImportErrorCleared))
	}
	list(`Traceback:\n  File \"f.py\", line 1\nSyntaxError: invalid syntax`)
	broken, _ := told()
	assert.Equal(t, []string{"SyntaxError"}, broken)
	assert.InDelta(t, 1, b.value(vocab.FactImportErrors), 0)
	broken, cleared := told()
	assert.Empty(t, broken, "told once")
	assert.Zero(t, cleared)
	list(`NameError: x`)
	broken, _ = told()
	assert.Equal(t, []string{"NameError"}, broken, "it broke otherwise")
	b.airflow.static["/api/v2/importErrors"] = `{"import_errors":[],"total_entries":0}`
	broken, cleared = told()
	assert.Empty(t, broken)
	assert.Equal(t, 1, cleared)
	assert.InDelta(t, 0, b.value(vocab.FactImportErrors), 0)
	_, cleared = told()
	assert.Zero(t, cleared)
}

func TestDefinitions(t *testing.T) {
	t.Parallel()
	b := newBench(t, func(c *Config) { c.Definitions.RefreshInterval = 10 * time.Minute })
	a := b.airflow
	dag := func(paused string) {
		a.static["/api/v2/dags"] = `{"dags":[{"dag_id":"d","owners":["o"],"is_paused":` + paused + `},{"dag_id":"hidden"}],"total_entries":2}`
	}
	tasks := func(list string) { a.static["/api/v2/dags/d/tasks"] = `{"tasks":[` + list + `]}` }
	names := func() (list []string) {
		b.poll()
		for _, r := range b.records(vocab.EventPipelineDefinition) {
			name, _ := r.Attributes().Get(vocab.PipelineName)
			list = append(list, name.Str())
		}
		return list
	}
	dag("false")
	tasks(`{"task_id":"a","downstream_task_ids":["b"]},{"task_id":"b"}`)
	a.static["/api/v2/assets"] = `{"assets":[{"uri":"postgres://h/db/s/t","producing_tasks":[{"dag_id":"d","task_id":"a"}],"scheduled_dags":[{"dag_id":"d"}]}],"total_entries":1}`
	assert.Equal(t, []string{"d", "d.a", "d.b"}, names())
	records := b.records(vocab.EventPipelineDefinition)
	sets := []any{map[string]any{"namespace": "postgres://h:5432", "name": "db.s.t"}}
	assert.Equal(t, sets, records[0].Attributes().AsRaw()[vocab.PipelineInputs])
	assert.Equal(t, sets, records[1].Attributes().AsRaw()[vocab.PipelineOutputs])
	assert.Equal(t, []any{"d.a"}, records[2].Attributes().AsRaw()[vocab.PipelineUpstream])
	assert.Empty(t, names())

	dag("true")
	assert.Equal(t, []string{"d"}, names(), "a person paused it")

	tasks(`{"task_id":"a"},{"task_id":"b"}`)
	assert.Empty(t, names(), "not looked at again yet")
	a.wait(10 * time.Minute)
	assert.Equal(t, []string{"d.b"}, names(), "it lost its upstream")

	a.task("running", 1, "task_id", "new")
	tasks(`{"task_id":"a"},{"task_id":"b"},{"task_id":"new"}`)
	a.wait(time.Minute)
	names()
	assert.Equal(t, []string{"d.new"}, names(), "a run showed that there is a new task")

	a.wait(time.Hour)
	assert.Equal(t, []string{"d", "d.a", "d.b", "d.new"}, names(), "once an hour")
}

func TestDefinitionsArePacedAndForgotten(t *testing.T) {
	t.Parallel()
	b := newBench(t, func(c *Config) { c.Definitions.MaxPerPoll = 1 })
	b.airflow.play()
	seen := map[string]bool{}
	for range 3 {
		b.poll()
		for _, r := range b.records(vocab.EventPipelineDefinition) {
			dag, _ := r.Attributes().Get(vocab.AirflowDAGID)
			seen[dag.Str()] = true
		}
	}
	assert.Equal(t, map[string]bool{"late.daily": true, "shop": true, "slow": true}, seen)
	assert.EqualValues(t, 2, b.total("airflow_bounds", "definitions"))
	b.airflow.static["/api/v2/dags"] = `{"dags":[],"total_entries":0}`
	b.poll()
	assert.Empty(t, b.poller.known.dags)
}

func TestHeartbeats(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	b.poll()
	require.NoError(t, b.err)
	assert.InDelta(t, 2, b.value(vocab.FactHeartbeat), 0)

	// A scheduler that is silent for longer than the threshold is trouble, a
	// triggerer that is not there has no age.
	b.airflow.static["/api/v2/monitor/health"] = `{"metadatabase":{"status":"healthy"},"scheduler":{"status":"unhealthy","latest_scheduler_heartbeat":"` +
		b.airflow.now.Add(-90*time.Second).Format(time.RFC3339) + `"},"triggerer":{"status":null,"latest_triggerer_heartbeat":null}}`
	b.poll()
	require.ErrorContains(t, b.err, "scheduler gave no sign of life for 1m30s (heartbeat_threshold is 1m0s)")
	assert.InDelta(t, 90, b.value(vocab.FactHeartbeat), 0)

	// What cannot be read has no age: never 0.
	b.airflow.static["/api/v2/monitor/health"] = `{"metadatabase":{"status":"unhealthy"},"scheduler":{"status":"unhealthy"},"dag_processor":{"status":null}}`
	b.poll()
	require.ErrorContains(t, b.err, "database is unhealthy")
	require.ErrorContains(t, b.err, "scheduler has never given a sign of life")
	require.ErrorContains(t, b.err, "dag_processor has never given a sign of life")
	assert.Negative(t, b.value(vocab.FactHeartbeat))
	b.airflow.static["/api/v2/monitor/health"] = `{"metadatabase":{}}`
	b.poll()
	assert.Negative(t, b.value(vocab.FactHeartbeat))
	require.Error(t, b.err)
}

func TestLateness(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		dag  string
		want float64
	}{
		"overdue":     {`"next_dagrun_run_after":"2026-11-24T08:25:00Z"`, 120},
		"not yet":     {`"next_dagrun_run_after":"2026-11-24T09:00:00Z"`, 0},
		"paused":      {`"next_dagrun_run_after":"2026-11-24T08:25:00Z","is_paused":true`, -1},
		"no schedule": {`"next_dagrun_run_after":null`, -1},
		"nonsense":    {`"next_dagrun_run_after":"0001-01-01T00:00:00Z"`, -1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, nil)
			b.airflow.static["/api/v2/dags"] = `{"dags":[{"dag_id":"d",` + tc.dag + `}],"total_entries":1}`
			b.poll()
			assert.InDelta(t, tc.want, b.value(vocab.FactLateness), 0)
		})
	}
}

func TestPoolWithoutLimit(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	b.airflow.static["/api/v2/pools"] = `{"pools":[{"name":"p","slots":-1,"open_slots":-1,"queued_slots":2,"scheduled_slots":3}],"total_entries":1}`
	b.poll()
	assert.InDelta(t, 5, b.value(vocab.FactPoolQueued), 0)
	assert.InDelta(t, -1, b.value(vocab.FactPoolOpen), 0, "no such point")
	assert.InDelta(t, -1, b.value(vocab.FactPoolSlots), 0)
}

func TestDurationsAreToldOnceAlsoWhenTheyWereRefused(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	b.airflow.task("success", 1, "start_date", b.airflow.now.Add(-30*time.Second), "end_date", b.airflow.now)
	b.refuseMetrics = assert.AnError
	b.poll()
	assert.InDelta(t, -1, b.value(vocab.FactRunDuration), 0)
	b.refuseMetrics = nil
	b.poll()
	assert.InDelta(t, 30, b.value(vocab.FactRunDuration), 0)
	b.poll()
	assert.InDelta(t, -1, b.value(vocab.FactRunDuration), 0)
}
