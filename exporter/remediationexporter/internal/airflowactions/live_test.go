package airflowactions_test

import (
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/oklog/ulid/v2"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/config/configopaque"
	"go.opentelemetry.io/collector/confmap"

	"github.com/otelcol-selfheal/otelcol-selfheal/exporter/remediationexporter/internal/airflowactions"
	"github.com/otelcol-selfheal/otelcol-selfheal/exporter/remediationexporter/internal/platform"
	"github.com/otelcol-selfheal/otelcol-selfheal/internal/action"
	"github.com/otelcol-selfheal/otelcol-selfheal/internal/airflow"
	"github.com/otelcol-selfheal/otelcol-selfheal/internal/observation"
)

// live is a real Airflow that has testdata/selfheal_live.py among its DAGs. It is at
// SELFHEAL_AIRFLOW_URL, with SELFHEAL_AIRFLOW_USERNAME and SELFHEAL_AIRFLOW_PASSWORD.
type live struct {
	t       *testing.T
	client  *airflow.Client
	adapter *airflowactions.Adapter
}

func newLive(t *testing.T) *live {
	t.Helper()
	url := os.Getenv("SELFHEAL_AIRFLOW_URL")
	if url == "" {
		t.Skip("SELFHEAL_AIRFLOW_URL is not set")
	}
	cfg := airflow.DefaultConfig()
	// No connection outlives the test.
	require.NoError(t, confmap.NewFromStringMap(map[string]any{"keepalive::enabled": false}).Unmarshal(&cfg))
	cfg.ClientConfig.Endpoint = url
	cfg.Username = os.Getenv("SELFHEAL_AIRFLOW_USERNAME")
	cfg.Password = configopaque.String(os.Getenv("SELFHEAL_AIRFLOW_PASSWORD"))
	require.NoError(t, cfg.Validate())
	client, err := airflow.NewClient(t.Context(), cfg, nil, componenttest.NewNopTelemetrySettings())
	require.NoError(t, err)
	t.Cleanup(client.Close)
	return &live{t: t, client: client, adapter: airflowactions.New(client)}
}

// trigger makes a run by the action, which a second call does not repeat.
func (l *live) trigger(dag string) (run string) {
	l.t.Helper()
	p := livePlan(action.AirflowTriggerDAG, dag, "", "", -1)
	p.Params = map[string]string{airflowactions.ParamConf: `{"by": "selfheal"}`}
	before, err := l.adapter.Read(l.t.Context(), p)
	require.NoError(l.t, err)
	why, detail := l.adapter.Judge(p, before)
	require.Empty(l.t, why, detail)
	l.call(p, before)
	_, err = l.adapter.Call(l.t.Context(), p, before)
	require.Error(l.t, err, "a run is made once")
	assert.Equal(l.t, platform.Conflict, platform.AsError(err).Kind)
	now, err := l.adapter.Read(l.t.Context(), p)
	require.NoError(l.t, err)
	assert.Equal(l.t, platform.Present, l.adapter.Compare(p, before, now))
	return airflowactions.RunID(p)
}

func livePlan(kind action.Type, dag, run, task string, index int) action.Plan {
	return action.Plan{ID: "plan-" + ulid.Make().String(), Action: kind, Target: observation.Target{
		Kind: airflowactions.Platform, Instance: "live", Coordinates: map[string]string{
			observation.AirflowDAG: dag, observation.AirflowRun: run, observation.AirflowTask: task,
			observation.AirflowMapIndex: strconv.Itoa(index),
		},
	}}
}

// call acts, again where the target shows that a call had no effect: an Airflow
// on SQLite answers 500 to a write while another is under way. For the same reason
// the live tests run one after the other.
func (l *live) call(p action.Plan, before platform.State) platform.State {
	l.t.Helper()
	for range 5 {
		after, err := l.adapter.Call(l.t.Context(), p, before)
		if err == nil {
			return after
		}
		require.Equal(l.t, platform.Unclear, platform.AsError(err).Kind, "%v", err)
		after, err = l.adapter.Read(l.t.Context(), p)
		require.NoError(l.t, err)
		if l.adapter.Compare(p, before, after) == platform.Present {
			return after
		}
	}
	require.Fail(l.t, "no call had an effect")
	return nil
}

// reaches waits until a plan's target has the state.
func (l *live) reaches(p action.Plan, state string) platform.State {
	l.t.Helper()
	var now platform.State
	require.Eventually(l.t, func() bool {
		var err error
		now, err = l.adapter.Read(l.t.Context(), p)
		return err == nil && now[action.ExpectState] == state
	}, 3*time.Minute, 500*time.Millisecond, "%s never became %q", p.Target.Coordinates, state)
	return now
}

func TestLiveClear(t *testing.T) {
	l := newLive(t)
	require.NoError(t, l.adapter.Ping(t.Context()))
	run := l.trigger("selfheal_live")

	one := livePlan(action.AirflowClearTask, "selfheal_live", run, "part", 1)
	other := livePlan(action.AirflowClearTask, "selfheal_live", run, "part", 0)
	before, beforeOther := l.reaches(one, "failed"), l.reaches(other, "failed")
	why, detail := l.adapter.Judge(one, before)
	require.Empty(t, why, detail)
	after := l.call(one, before)
	assert.Equal(t, platform.Present, l.adapter.Compare(one, before, after))
	_, err := l.adapter.Call(t.Context(), one, before)
	require.Error(t, err, "a second clear finds nothing that failed")
	assert.Equal(t, platform.Conflict, platform.AsError(err).Kind)
	done := l.reaches(one, "success")
	assert.Equal(t, "2", done[action.ExpectTry], "it has run once more")
	assert.Equal(t, after["id"], done["id"], "the ID of the clear stays through the try")
	now, err := l.adapter.Read(t.Context(), other)
	require.NoError(t, err)
	assert.Equal(t, beforeOther, now, "its sibling is untouched")

	unindexed := livePlan(action.AirflowClearTask, "selfheal_live", run, "part", -1)
	_, err = l.adapter.Read(t.Context(), unindexed)
	require.Error(t, err)
	assert.Equal(t, platform.Gone, platform.AsError(err).Kind)

	load := livePlan(action.AirflowClearDownstream, "selfheal_live", run, "load", -1)
	last := livePlan(action.AirflowClearDownstream, "selfheal_live", run, "after", -1)
	before = l.reaches(load, "failed")
	l.reaches(last, "upstream_failed")
	after = l.call(load, before)
	assert.Equal(t, platform.Present, l.adapter.Compare(load, before, after))
	assert.Equal(t, "2", l.reaches(load, "success")[action.ExpectTry])
	assert.Equal(t, "1", l.reaches(last, "success")[action.ExpectTry], "what follows has run too")

	load.Expect = map[string]string{action.ExpectState: "success", action.ExpectTry: "2"}
	before, err = l.adapter.Read(t.Context(), load)
	require.NoError(t, err)
	why, detail = l.adapter.Judge(load, before)
	require.Empty(t, why, detail)
	after = l.call(load, before)
	assert.Equal(t, platform.Present, l.adapter.Compare(load, before, after))
	require.Eventually(t, func() bool {
		a, errA := l.adapter.Read(t.Context(), load)
		b, errB := l.adapter.Read(t.Context(), last)
		return errA == nil && errB == nil && a[action.ExpectTry] == "3" && a[action.ExpectState] == "success" &&
			b[action.ExpectTry] == "2" && b[action.ExpectState] == "success"
	}, 3*time.Minute, 500*time.Millisecond, "a task that succeeded runs again, with what follows")
}

func TestLiveRunningWorkIsLeftAlone(t *testing.T) {
	l := newLive(t)
	run := l.trigger("selfheal_live_slow")
	first := livePlan(action.AirflowClearDownstream, "selfheal_live_slow", run, "first", -1)
	long := livePlan(action.AirflowClearTask, "selfheal_live_slow", run, "long", -1)
	first.Expect = map[string]string{action.ExpectState: "success"}
	before := l.reaches(first, "success")
	running := l.reaches(long, "running")
	why, _ := l.adapter.Judge(long, running)
	assert.Equal(t, "running", why)
	_, err := l.adapter.Call(t.Context(), first, before)
	require.Error(t, err)
	assert.Equal(t, platform.Conflict, platform.AsError(err).Kind)
	now, err := l.adapter.Read(t.Context(), first)
	require.NoError(t, err)
	assert.Equal(t, platform.Absent, l.adapter.Compare(first, before, now), "nothing at all was cleared")
	now, err = l.adapter.Read(t.Context(), long)
	require.NoError(t, err)
	assert.Equal(t, running, now)
}

func TestLiveVoid(t *testing.T) {
	l := newLive(t)
	run := l.trigger("selfheal_live_retrying")
	p := livePlan(action.AirflowClearTask, "selfheal_live_retrying", run, "load", -1)
	why, _ := l.adapter.Judge(p, l.reaches(p, "up_for_retry"))
	assert.Equal(t, "retry_pending", why)

	p = livePlan(action.AirflowTriggerDAG, "selfheal_live_paused", "", "", -1)
	now, err := l.adapter.Read(t.Context(), p)
	require.NoError(t, err)
	why, _ = l.adapter.Judge(p, now)
	assert.Equal(t, "paused", why)

	for _, gone := range []action.Plan{
		livePlan(action.AirflowTriggerDAG, "selfheal_none", "", "", -1),
		livePlan(action.AirflowClearTask, "selfheal_live", "no run", "load", -1),
		livePlan(action.AirflowClearTask, "selfheal_live_retrying", run, "no task", -1),
	} {
		_, err := l.adapter.Read(t.Context(), gone)
		require.Error(t, err)
		assert.Equal(t, platform.Gone, platform.AsError(err).Kind, "%v", err)
	}
}
