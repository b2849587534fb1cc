package airflowactions_test

import (
	"maps"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-selfheal/otelcol-selfheal/exporter/remediationexporter/internal/airflowactions/airflowfake"
	"github.com/otelcol-selfheal/otelcol-selfheal/exporter/remediationexporter/internal/conformance"
	"github.com/otelcol-selfheal/otelcol-selfheal/exporter/remediationexporter/internal/platform"
	"github.com/otelcol-selfheal/otelcol-selfheal/internal/action"
	"github.com/otelcol-selfheal/otelcol-selfheal/internal/airflow"
	"github.com/otelcol-selfheal/otelcol-selfheal/internal/observation"
)

func TestWhatIsSent(t *testing.T) {
	t.Parallel()
	task := map[string]any{
		"dry_run": false, "dag_run_id": "r1", "task_ids": []any{"load"}, "only_failed": true, "only_running": false,
		"include_upstream": false, "include_downstream": false, "include_future": false, "include_past": false,
		"reset_dag_runs": true, "prevent_running_task": true,
	}
	downstream := maps.Clone(task)
	downstream["only_failed"], downstream["include_downstream"] = false, true
	mapped := maps.Clone(task)
	mapped["task_ids"] = []any{[]any{"load", 2.0}}
	for _, c := range []struct {
		name string
		edit func(*action.Plan)
		kind action.Type
		want map[string]any
	}{
		{"clear", nil, action.AirflowClearTask, task},
		{"one of a mapped task", func(p *action.Plan) { p.Target.Coordinates[observation.AirflowMapIndex] = "2" }, action.AirflowClearTask, mapped},
		{"clear downstream", nil, action.AirflowClearDownstream, downstream},
		{"trigger", func(p *action.Plan) { p.Params = map[string]string{"conf": `{"day": "2026-01-01"}`} }, action.AirflowTriggerDAG, map[string]any{
			"dag_run_id": "selfheal__plan-01KTEST", "logical_date": nil, "conf": map[string]any{"day": "2026-01-01"},
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := airflowfake.New(t)
			p := plan(c.kind)
			if c.edit != nil {
				c.edit(&p)
			}
			if p.Target.Coordinates[observation.AirflowMapIndex] != "" {
				s.Tasks[airflowfake.Load].MapIndex = 2
			}
			a := newAdapter(t, s.URL, nil)
			before, err := a.Read(t.Context(), p)
			require.NoError(t, err)
			why, detail := a.Judge(p, before)
			require.Empty(t, why, detail)
			after, err := a.Call(t.Context(), p, before)
			require.NoError(t, err)
			assert.Equal(t, platform.Present, a.Compare(p, before, after))
			require.Len(t, s.Changes, 1)
			assert.Equal(t, c.want, s.Changes[0])
		})
	}
}

// What a plan leaves out must never mean everything.
func TestAPlanThatIsNotDefiniteIsRefusedUnsent(t *testing.T) {
	t.Parallel()
	for name, edit := range map[string]func(*action.Plan){
		"no DAG":         func(p *action.Plan) { delete(p.Target.Coordinates, observation.AirflowDAG) },
		"no run":         func(p *action.Plan) { delete(p.Target.Coordinates, observation.AirflowRun) },
		"no task":        func(p *action.Plan) { p.Target.Coordinates[observation.AirflowTask] = "" },
		"no coordinates": func(p *action.Plan) { p.Target.Coordinates = nil },
		"no index":       func(p *action.Plan) { p.Target.Coordinates[observation.AirflowMapIndex] = "all" },
		"below -1":       func(p *action.Plan) { p.Target.Coordinates[observation.AirflowMapIndex] = "-2" },
		"no action":      func(p *action.Plan) { p.Action = "airflow.delete_everything" },
		"no trigger": func(p *action.Plan) {
			p.Action, p.Target.Coordinates = action.AirflowTriggerDAG, nil
		},
		"no conf": func(p *action.Plan) {
			p.Action, p.Params = action.AirflowTriggerDAG, map[string]string{"conf": "["}
		},
		"two segments": func(p *action.Plan) { p.Target.Coordinates[observation.AirflowTask] = ".." },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := airflowfake.New(t)
			p := plan(action.AirflowClearTask)
			edit(&p)
			_, err := newAdapter(t, s.URL, nil).Call(t.Context(), p, platform.State{})
			require.Error(t, err)
			assert.Contains(t, []platform.Kind{platform.Refused, platform.Conflict}, platform.AsError(err).Kind, err)
			assert.Zero(t, s.Tasks[airflowfake.Load].Clears)
			assert.Len(t, s.Runs, 1)
		})
	}
}

// A mapped task without its index would be all of its instances.
func TestAMappedTaskNeedsItsIndex(t *testing.T) {
	t.Parallel()
	s := airflowfake.New(t)
	s.Tasks[airflowfake.Load].MapIndex = 0
	_, err := newAdapter(t, s.URL, nil).Read(t.Context(), plan(action.AirflowClearTask))
	require.Error(t, err)
	assert.Equal(t, platform.Gone, platform.AsError(err).Kind)
}

func TestASucceededTaskIsClearedOnlyWhereThePlanExpectsThat(t *testing.T) {
	t.Parallel()
	a := newAdapter(t, "http://127.0.0.1:1", nil)
	now := platform.State{"is_paused": "false", "id": "x", "state": "success", "try_number": "1", "start_date": "2026-11-24T08:19:19.258499Z", "end_date": ""}
	for _, c := range []struct {
		kind   action.Type
		expect map[string]string
		why    string
	}{
		{action.AirflowClearDownstream, map[string]string{"state": "success", "try_number": "1"}, ""},
		{action.AirflowClearDownstream, map[string]string{"state": "success", "start_date": "2026-11-24T09:19:19.258499+01:00"}, ""},
		{action.AirflowClearDownstream, map[string]string{"state": "success", "start_date": "2026-11-24T09:19:19.258499Z"}, "changed"},
		{action.AirflowClearDownstream, map[string]string{"state": "success", "try_number": "2"}, "changed"},
		{action.AirflowClearDownstream, map[string]string{"state": "success", "end_date": "2026-11-24T09:19:19Z"}, "changed"},
		{action.AirflowClearDownstream, map[string]string{"state": "success", "colour": "red"}, "changed"},
		{action.AirflowClearDownstream, map[string]string{"state": "failed"}, "already_succeeded"},
		{action.AirflowClearDownstream, nil, "already_succeeded"},
		{action.AirflowClearTask, map[string]string{"state": "success"}, "already_succeeded"},
	} {
		why, detail := a.Judge(action.Plan{Action: c.kind, Expect: c.expect}, now)
		assert.Equal(t, c.why, why, "%s %v: %s", c.kind, c.expect, detail)
	}
}

func TestCompareGoesByTheInstance(t *testing.T) {
	t.Parallel()
	a := newAdapter(t, "http://127.0.0.1:1", nil)
	task, trigger := plan(action.AirflowClearTask), plan(action.AirflowTriggerDAG)
	for _, c := range []struct {
		name        string
		plan        action.Plan
		before, now platform.State
		want        platform.Effect
	}{
		{"cleared", task, platform.State{"id": "a", "state": "failed"}, platform.State{"id": "b", "state": ""}, platform.Present},
		{"cleared and failed again", task, platform.State{"id": "a", "state": "failed"}, platform.State{"id": "b", "state": "failed"}, platform.Present},
		{"nothing", task, platform.State{"id": "a", "state": "failed"}, platform.State{"id": "a", "state": "failed"}, platform.Absent},
		{"set to success by hand", task, platform.State{"id": "a", "state": "failed"}, platform.State{"id": "a", "state": "success"}, platform.Absent},
		{"an intent that tells nothing", task, platform.State{"state": "failed"}, platform.State{"id": "b", "state": "failed"}, platform.Unknown},
		{"an answer that tells nothing", task, platform.State{"id": "a"}, platform.State{}, platform.Unknown},
		{"triggered", trigger, platform.State{"exists": "false"}, platform.State{"exists": "true"}, platform.Present},
		{"not triggered", trigger, platform.State{"exists": "false"}, platform.State{"exists": "false"}, platform.Absent},
		{"trigger unknown", trigger, platform.State{}, platform.State{"exists": "true"}, platform.Unknown},
	} {
		assert.Equal(t, c.want, a.Compare(c.plan, c.before, c.now), c.name)
	}
}

// A downstream task that runs is not ended for a clear.
func TestRunningDownstreamIsAConflict(t *testing.T) {
	t.Parallel()
	s := airflowfake.New(t)
	s.Tasks[airflowfake.After].State = "running"
	a, p := newAdapter(t, s.URL, nil), plan(action.AirflowClearDownstream)
	before, err := a.Read(t.Context(), p)
	require.NoError(t, err)
	_, err = a.Call(t.Context(), p, before)
	require.Error(t, err)
	assert.Equal(t, platform.Conflict, platform.AsError(err).Kind)
	assert.Zero(t, s.Tasks[airflowfake.Load].Clears)
}

func TestLoginTroubleIsNoVerdictOnThePlan(t *testing.T) {
	t.Parallel()
	for _, status := range []int{401, 403} {
		s := airflowfake.New(t)
		s.Login = status
		a := newAdapter(t, s.URL, func(c *airflow.Config) { c.Token = "old" })
		require.Error(t, a.Ping(t.Context()))
		_, err := a.Read(t.Context(), plan(action.AirflowClearTask))
		require.Error(t, err)
		assert.Equal(t, platform.Unauthenticated, platform.AsError(err).Kind, "%d: %v", status, err)
	}
}

func TestA404ThatIsNotAirflowsIsNoVerdictOnThePlan(t *testing.T) {
	t.Parallel()
	s := airflowfake.New(t)
	a := newAdapter(t, s.URL+"/elsewhere", nil)
	_, err := a.Read(t.Context(), plan(action.AirflowClearTask))
	require.Error(t, err)
	assert.Equal(t, platform.Unreachable, platform.AsError(err).Kind)
}

func TestThrottlingSaysHowLong(t *testing.T) {
	t.Parallel()
	s := airflowfake.New(t)
	s.Script([]conformance.Answer{conformance.Throttle}, nil)
	a, p := newAdapter(t, s.URL, nil), plan(action.AirflowClearTask)
	_, err := a.Call(t.Context(), p, platform.State{})
	e := platform.AsError(err)
	assert.Equal(t, platform.Throttled, e.Kind)
	assert.Equal(t, 7*time.Second, e.Wait)
}
