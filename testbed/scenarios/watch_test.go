package scenarios

import (
	"context"
	_ "embed"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"text/template"
	"time"

	"github.com/otelcol-selfheal/otelcol-selfheal/testbed/airflow"
	"github.com/otelcol-selfheal/otelcol-selfheal/testbed/collector"
	"github.com/otelcol-selfheal/otelcol-selfheal/testbed/process"
)

//go:embed collector.yaml.tmpl
var configText string

// options of one collector; all the rest is the same for all.
type options struct {
	Name    string
	DAGs    []string // patterns of DAG IDs that it watches
	Schemas []string // whose tables staging and orders it measures
	Quality bool     // with the data quality receiver
	Detect  bool     // with the anomaly detection processor
	Act     bool     // acting is switched on
	Window  time.Duration
	Backoff time.Duration
	Reopen  time.Duration
	// ActAirflow is where the exporter finds Airflow, if not where the receiver does.
	ActAirflow string
}

type tableName struct{ Schema, Name string }

// watch is a collector beside the shared Airflow.
type watch struct {
	*collector.Collector
	opts        options
	sink        *sink
	otlp        string // URL of its OTLP receiver
	ports       [3]int // OpenLineage, OTLP, API
	config, dir string
}

// binary is the collector that is tested.
func (r *rig) binary() string {
	if b := os.Getenv("SELFHEAL_COLLECTOR"); b != "" {
		return b
	}
	return filepath.Join(r.root, "build", "otelcol-selfheal")
}

// newWatch writes the config of a collector and starts it.
func (r *rig) newWatch(ctx context.Context, o options) (*watch, error) {
	w := &watch{opts: o, dir: filepath.Join(r.home, "collector-"+o.Name)}
	for i := range w.ports {
		port, err := process.Port()
		if err != nil {
			return nil, err
		}
		w.ports[i] = port
	}
	w.config, w.otlp = filepath.Join(w.dir, "collector.yaml"), fmt.Sprintf("http://127.0.0.1:%d", w.ports[1])
	if err := os.MkdirAll(w.dir, 0o755); err != nil {
		return nil, fmt.Errorf("create the collector's folder: %w", err)
	}
	var err error
	if w.sink, err = startSink(); err != nil {
		return nil, err
	}
	if err := r.configure(w); err != nil {
		return nil, err
	}
	w.Collector = collector.New("collector-"+o.Name, r.binary(), w.config, filepath.Join(w.dir, "state"), filepath.Join(r.home, "logs"),
		fmt.Sprintf("http://127.0.0.1:%d", w.ports[2]), "AIRFLOW_PASSWORD="+airflow.Password)
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	if err := w.Start(ctx); err != nil {
		return nil, err
	}
	r.lineage.add(fmt.Sprintf("http://127.0.0.1:%d", w.ports[0]), o.DAGs)
	return w, nil
}

// configure writes the config from the options, which may have changed.
func (r *rig) configure(w *watch) error {
	o := w.opts
	var tables []tableName
	for _, s := range o.Schemas {
		if !strings.HasPrefix(s, "parcel_") {
			tables = append(tables, tableName{s, "staging"})
		}
		tables = append(tables, tableName{s, "orders"})
	}
	act := o.ActAirflow
	if act == "" {
		act = r.airflow.URL
	}
	f, err := os.Create(w.config)
	if err != nil {
		return fmt.Errorf("write the collector's config: %w", err)
	}
	defer f.Close()
	return template.Must(template.New("config").Parse(configText)).Execute(f, map[string]any{
		"LineagePort": w.ports[0], "OTLPPort": w.ports[1], "APIPort": w.ports[2], "Airflow": r.airflow.URL, "ActAirflow": act,
		"DAGs": o.DAGs, "Warehouse": r.postgres.URL("warehouse"), "Tables": tables, "Quality": o.Quality, "Detect": o.Detect,
		"Act": o.Act, "Sink": w.sink.URL, "State": filepath.Join(w.dir, "state"), "Window": o.Window, "Backoff": o.Backoff, "Reopen": o.Reopen,
	})
}

// own starts a collector for one scenario, and ends it with the scenario.
func (r *rig) own(t *testing.T, o options) *watch {
	t.Helper()
	w, err := r.newWatch(t.Context(), defaults(o))
	must(t, err)
	t.Cleanup(func() {
		r.lineage.remove(fmt.Sprintf("http://127.0.0.1:%d", w.ports[0]))
		if err := w.Stop(); err != nil {
			t.Error(err)
		}
	})
	return w
}

func defaults(o options) options {
	if o.Window == 0 {
		o.Window = 10 * time.Second
	}
	if o.Backoff == 0 {
		o.Backoff = 5 * time.Second
	}
	if o.Reopen == 0 {
		o.Reopen = 15 * time.Minute
	}
	return o
}

var common struct {
	once sync.Once
	w    *watch
	err  error
}

// common is the collector that the scenarios share which neither kill nor
// reconfigure it.
func (r *rig) common(t *testing.T) *watch {
	t.Helper()
	common.once.Do(func() {
		common.w, common.err = r.newWatch(context.Background(), defaults(options{
			Name: "shared", Quality: true, Detect: true, Act: true, Window: 15 * time.Second,
			DAGs:    []string{"books", "shoes*", "tools", "wines", "bikes", "toys", "averages", "models"},
			Schemas: []string{"books", "shoes", "tools", "wines", "bikes", "toys"},
		}))
	})
	must(t, common.err)
	return common.w
}

// about tells whether an entity belongs to a DAG or its schema.
func about(dag string) func(collector.Ref) bool {
	return func(ref collector.Ref) bool {
		if ref.Kind == "dataset" {
			ok, _ := path.Match("warehouse."+dag+".*", ref.Name)
			return ok
		}
		return ref.Name == dag || strings.HasPrefix(ref.Name, dag+".")
	}
}

// await waits for an incident about the DAG that is in one of the states.
func (w *watch) await(t *testing.T, d time.Duration, dag string, states ...string) collector.Incident {
	t.Helper()
	i, err := w.Await(within(t, d), fmt.Sprintf("an incident about %s that is %v", dag, states), func(i *collector.Incident) bool {
		if !i.Concerns(about(dag)) {
			return false
		}
		if slices.Contains(states, i.State) {
			return true
		}
		return len(states) == 0
	})
	must(t, err)
	return i
}

// incidents lists those about the DAG.
func (w *watch) incidents(ctx context.Context, dag string) ([]collector.Incident, error) {
	all, err := w.Incidents(ctx)
	var out []collector.Incident
	for _, i := range all {
		if i.Concerns(about(dag)) {
			out = append(out, i)
		}
	}
	return out, err
}

// calls counts the plans that led to a call.
func calls(i *collector.Incident) int {
	n := 0
	for _, s := range i.Steps {
		if s.Outcome != "void" && s.Outcome != "observed" && s.Outcome != "pending" {
			n++
		}
	}
	return n
}

// noCalls checks that no incident about the DAG has led to a call, by the
// collector's own word; Airflow's word is the oracle's.
func (w *watch) noCalls(ctx context.Context, dag string) error {
	list, err := w.incidents(ctx, dag)
	if err != nil {
		return err
	}
	for _, i := range list {
		if n := calls(&i); n != 0 {
			return fmt.Errorf("%s about %s tells of %d calls: %+v", i.ID, dag, n, i.Steps)
		}
	}
	return nil
}
