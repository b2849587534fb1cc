package airflowactions

import (
	"context"
	"encoding/json"
	"strconv"

	"github.com/otelcol-selfheal/otelcol-selfheal/exporter/remediationexporter/internal/platform"
	"github.com/otelcol-selfheal/otelcol-selfheal/internal/action"
	"github.com/otelcol-selfheal/otelcol-selfheal/internal/airflow"
	"github.com/otelcol-selfheal/otelcol-selfheal/internal/observation"
)

// Platform is the kind in a plan's target.
const Platform = "airflow"

// ParamConf is the key of a trigger's params that holds the run's conf, a JSON object.
const ParamConf = "conf"

// Adapter acts through one client.
type Adapter struct {
	client *airflow.Client
}

var _ platform.Adapter = (*Adapter)(nil)

// New makes an adapter; the client stays the caller's to close.
func New(client *airflow.Client) *Adapter { return &Adapter{client: client} }

// Actions implements platform.Adapter.
func (a *Adapter) Actions() []action.Type {
	return []action.Type{action.AirflowClearTask, action.AirflowClearDownstream, action.AirflowTriggerDAG}
}

// Ping implements platform.Adapter. It asks for a DAG, for which one must be logged in.
func (a *Adapter) Ping(ctx context.Context) error {
	for _, err := range a.client.DAGs(ctx, 1) {
		if err != nil {
			return reading(err)
		}
		break
	}
	return nil
}

// target is a plan's address. A task of a mapped one needs its map index: without
// it Airflow finds no task instance, and nothing is cleared.
type target struct {
	dag, run, task string
	mapIndex       int
}

func (a *Adapter) target(p action.Plan) (target, error) {
	c := p.Target.Coordinates
	t := target{dag: c[observation.AirflowDAG], run: c[observation.AirflowRun], task: c[observation.AirflowTask], mapIndex: airflow.NotMapped}
	if m := c[observation.AirflowMapIndex]; m != "" {
		n, err := strconv.Atoi(m)
		if err != nil || n < airflow.NotMapped {
			return t, platform.Errorf(platform.Refused, "airflow: the plan's %s %q is no index", observation.AirflowMapIndex, m)
		}
		t.mapIndex = n
	}
	switch p.Action {
	case action.AirflowClearTask, action.AirflowClearDownstream:
		if t.dag == "" || t.run == "" || t.task == "" {
			return t, platform.Errorf(platform.Refused, "airflow: the plan does not name DAG, run and task; without them a clear would mean everything")
		}
	case action.AirflowTriggerDAG:
		if t.dag == "" || p.ID == "" {
			return t, platform.Errorf(platform.Refused, "airflow: the plan does not name the DAG to trigger")
		}
		t.run = RunID(p)
	default:
		return t, platform.Errorf(platform.Refused, "airflow: %q is no action that can be done on Airflow", p.Action)
	}
	return t, nil
}

// RunID is the ID of the run that a trigger makes: the same for every call of one
// plan, so that Airflow makes it once.
func RunID(p action.Plan) string { return "selfheal__" + p.ID }

// Read implements platform.Adapter.
func (a *Adapter) Read(ctx context.Context, p action.Plan) (platform.State, error) {
	t, err := a.target(p)
	if err != nil {
		return nil, err
	}
	dag, err := a.client.DAG(ctx, t.dag)
	if err != nil {
		return nil, reading(err)
	}
	if dag.Stale {
		return nil, platform.Errorf(platform.Gone, "airflow: DAG %s is not in the DAG folder any more", t.dag)
	}
	if p.Action == action.AirflowTriggerDAG {
		run, err := a.client.DAGRun(ctx, t.dag, t.run)
		if err == nil {
			return runState(dag, true, run.State), nil
		}
		if e := reading(err); e.Kind != platform.Gone {
			return nil, e
		}
		return runState(dag, false, ""), nil
	}
	ti, err := a.client.TaskInstance(ctx, t.dag, t.run, t.task, t.mapIndex)
	if err != nil {
		return nil, reading(err)
	}
	return taskState(dag, ti), nil
}

// Call implements platform.Adapter.
func (a *Adapter) Call(ctx context.Context, p action.Plan, before platform.State) (platform.State, error) {
	t, err := a.target(p)
	if err != nil {
		return nil, err
	}
	dag := airflow.DAG{Paused: before[keyPaused] == "true"}
	if p.Action == action.AirflowTriggerDAG {
		return a.trigger(ctx, p, t, dag)
	}
	return a.clear(ctx, p, t, dag)
}

func (a *Adapter) trigger(ctx context.Context, p action.Plan, t target, dag airflow.DAG) (platform.State, error) {
	r := airflow.TriggerRequest{RunID: t.run}
	if conf := p.Params[ParamConf]; conf != "" {
		if err := json.Unmarshal([]byte(conf), &r.Conf); err != nil {
			return nil, platform.Errorf(platform.Refused, "airflow: the plan's %s is no JSON object: %w", ParamConf, err)
		}
	}
	run, err := a.client.TriggerDAGRun(ctx, t.dag, r)
	if err != nil {
		return nil, calling(err)
	}
	return runState(dag, true, run.State), nil
}

func (a *Adapter) clear(ctx context.Context, p action.Plan, t target, dag airflow.DAG) (platform.State, error) {
	downstream := p.Action == action.AirflowClearDownstream
	cleared, err := a.client.ClearTaskInstances(ctx, t.dag, airflow.ClearRequest{
		RunID:             t.run,
		Tasks:             []airflow.TaskRef{{TaskID: t.task, MapIndex: t.mapIndex}},
		OnlyFailed:        !downstream,
		IncludeDownstream: downstream,
		ResetDAGRun:       true,
		RefuseRunning:     true,
	})
	if err != nil {
		return nil, calling(err)
	}
	for _, ti := range cleared {
		if ti.DAGID == t.dag && ti.RunID == t.run && ti.TaskID == t.task && ti.MapIndex == t.mapIndex {
			return taskState(dag, ti), nil
		}
	}
	if len(cleared) == 0 {
		return nil, platform.Errorf(platform.Conflict, "airflow: nothing was cleared: task %s of run %s has not failed", t.task, t.run)
	}
	return nil, platform.Errorf(platform.Unclear, "airflow: %d task instances were cleared, and task %s of run %s is not among them", len(cleared), t.task, t.run)
}
