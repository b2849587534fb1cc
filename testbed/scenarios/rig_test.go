// Package scenarios breaks a real Airflow in the ways that a production breaks,
// with the real collector beside it, and judges by Airflow's database and the
// target tables.
package scenarios

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/otelcol-selfheal/otelcol-selfheal/testbed/airflow"
	"github.com/otelcol-selfheal/otelcol-selfheal/testbed/cache"
	"github.com/otelcol-selfheal/otelcol-selfheal/testbed/oracle"
	"github.com/otelcol-selfheal/otelcol-selfheal/testbed/postgres"
	"github.com/otelcol-selfheal/otelcol-selfheal/testbed/process"
	"github.com/otelcol-selfheal/otelcol-selfheal/testbed/progress"
	"github.com/otelcol-selfheal/otelcol-selfheal/testbed/source"
)

// rowsPerLoad is what a normal load brings, give or take jitter.
const (
	rowsPerLoad = 1000
	jitter      = 30
)

// schemas of the warehouse, each named as the DAG that fills it.
var schemas = []string{
	"books", "shoes", "tools", "wines", "bikes", "lamps", "seeds", "plain", "maps", "toys",
	"parcel_0", "parcel_1", "parcel_2", "parcel_3", "parcel_4",
}

// rig is what all scenarios share.
type rig struct {
	root, home string
	postgres   *postgres.Server
	airflow    *airflow.Airflow
	truth      *oracle.Airflow
	warehouse  *oracle.Warehouse
	source     *source.Source
	lineage    *lineage
	figures    figures
}

var shared *rig

func TestMain(m *testing.M) {
	process.Watchdog()
	if os.Getenv("SELFHEAL_PLATFORMS") == "" {
		fmt.Println("scenarios need real platforms: make test-scenarios runs them")
		return
	}
	os.Exit(run(m))
}

func run(m *testing.M) (code int) {
	ctx := context.Background()
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
	go func() {
		<-signals
		if err := process.EndAll(); err != nil {
			log.Print(err)
		}
		os.Exit(130)
	}()
	defer func() {
		if err := process.EndAll(); err != nil {
			log.Print(err)
			code = 1
		}
	}()
	var err error
	if shared, err = setUp(ctx); err != nil {
		log.Print(err)
		return 1
	}
	code = m.Run()
	if err := shared.figures.write(filepath.Join(shared.root, "build", "scenarios.json")); err != nil {
		log.Print(err)
		return 1
	}
	return code
}

func setUp(ctx context.Context) (*rig, error) {
	root, err := cache.Root()
	if err != nil {
		return nil, err
	}
	home := filepath.Join(root, "build", "scenarios")
	if err := os.RemoveAll(home); err != nil {
		return nil, fmt.Errorf("empty the scenarios' folder: %w", err)
	}
	r := &rig{root: root, home: home}
	board := progress.New(os.Stdout, false, filepath.Join(root, ".cache", "scenarios-times.json"),
		progress.Step{Name: "start PostgreSQL", Expected: 5 * time.Second},
		progress.Step{Name: "install Airflow", Expected: 40 * time.Second},
		progress.Step{Name: "start Airflow", Expected: 30 * time.Second})
	defer board.Close()
	err = board.Do("start PostgreSQL", func() error { return r.startWarehouse(ctx) })
	if err != nil {
		return nil, err
	}
	var venv airflow.Venv
	err = board.Do("install Airflow", func() (err error) {
		venv, err = airflow.Install(ctx, root)
		return err
	})
	if err != nil {
		return nil, err
	}
	return r, board.Do("start Airflow", func() error { return r.startAirflow(ctx, venv) })
}

func (r *rig) startWarehouse(ctx context.Context) error {
	var err error
	if r.postgres, err = postgres.Start(ctx, r.root, "scenarios", filepath.Join(r.home, "logs")); err != nil {
		return err
	}
	for _, db := range []string{"airflow", "warehouse"} {
		if err := r.postgres.Create(ctx, db); err != nil {
			return err
		}
	}
	meta, err := oracle.Open(ctx, r.postgres.URL("airflow"))
	if err != nil {
		return err
	}
	target, err := oracle.Open(ctx, r.postgres.URL("warehouse"))
	if err != nil {
		return err
	}
	if _, err := target.Exec(ctx, "CREATE ROLE visitor"); err != nil {
		return fmt.Errorf("create a role without rights: %w", err)
	}
	r.truth, r.warehouse = oracle.NewAirflow(meta), oracle.NewWarehouse(target)
	if err := r.warehouse.Prepare(ctx, schemas...); err != nil {
		return err
	}
	if r.source, err = source.Start(rowsPerLoad, jitter); err != nil {
		return err
	}
	r.source.Set("locked", source.Unauthorized)
	r.lineage, err = startLineage()
	return err
}

func (r *rig) startAirflow(ctx context.Context, venv airflow.Venv) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Minute)
	defer cancel()
	address := fmt.Sprintf("127.0.0.1:%d", r.postgres.Port)
	conn, err := json.Marshal(map[string]any{
		"conn_type": "postgres", "host": "127.0.0.1", "port": r.postgres.Port,
		"login": postgres.User, "password": postgres.Password, "schema": "warehouse",
	})
	if err != nil {
		return fmt.Errorf("encode the connection: %w", err)
	}
	r.airflow, err = airflow.Start(ctx, venv, airflow.Config{
		Home: filepath.Join(r.home, "airflow"), Dags: filepath.Join(r.root, "testbed", "dags", "scenarios"), Parallel: 8,
		Database:    fmt.Sprintf("postgresql+psycopg2://%s:%s@%s/airflow", postgres.User, postgres.Password, address),
		OpenLineage: r.lineage.URL, Namespace: "default",
		Env: map[string]string{"SOURCE_URL": r.source.URL, "WAREHOUSE_ADDRESS": address, "AIRFLOW_CONN_WAREHOUSE": string(conn)},
	})
	if err != nil {
		return err
	}
	return r.airflow.WaitDAGs(ctx, append([]string{"averages", "models", "errand_12", "shell_02", "shoes_history", "plain_history"}, schemas...)...)
}

// within is a context of the test with a time limit.
func within(t *testing.T, d time.Duration) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), d)
	t.Cleanup(cancel)
	return ctx
}

// must ends the test on an error.
func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// load triggers a run, waits until it is in the state, and returns it as
// Airflow's database has it.
func (r *rig) load(t *testing.T, dag, id, state string, conf map[string]any) oracle.Run {
	t.Helper()
	ctx := within(t, 4*time.Minute)
	must(t, r.airflow.Trigger(ctx, dag, id, conf))
	_, err := r.airflow.WaitRun(ctx, dag, id, state)
	must(t, err)
	run, err := r.truth.Run(ctx, dag, id)
	must(t, err)
	return run
}

// whole checks that the load of a run is there to the last row, once.
func (r *rig) whole(ctx context.Context, schema string, run oracle.Run, tables ...string) error {
	owed := len(r.source.Rows(schema, run.Load))
	for _, table := range tables {
		l, err := r.warehouse.Load(ctx, schema, table, run.Load)
		if err != nil {
			return err
		}
		if l.Rows != owed || l.Duplicates() != 0 {
			return fmt.Errorf("%s.%s has %d of %d rows of load %d, %d of them twice", schema, table, l.Rows, owed, run.Load, l.Duplicates())
		}
	}
	return nil
}

// healed checks that a run has succeeded with exactly so many tries of each task.
func (r *rig) healed(ctx context.Context, dag, id string, tries map[string]int) error {
	run, err := r.truth.Run(ctx, dag, id)
	if err != nil {
		return err
	}
	if run.State != "success" {
		return fmt.Errorf("%s/%s is %s, not success", dag, id, run.State)
	}
	return r.tried(ctx, dag, id, tries)
}

// tried checks how often each task of a run has been tried.
func (r *rig) tried(ctx context.Context, dag, id string, tries map[string]int) error {
	var errs []error
	for task, want := range tries {
		got, err := r.truth.Tries(ctx, dag, id, task)
		if err != nil {
			return err
		}
		if len(got) != want {
			var states []string
			for _, g := range got {
				states = append(states, fmt.Sprintf("%d %s", g.Number, g.State))
			}
			errs = append(errs, fmt.Errorf("%s/%s/%s was tried %d times, want %d: %s", dag, id, task, len(got), want, strings.Join(states, ", ")))
		}
	}
	return errors.Join(errs...)
}

// figures are what the scenarios measured, by scenario and name.
type figures struct {
	mu  sync.Mutex
	all map[string]map[string]any
}

func (f *figures) note(t *testing.T, name string, value any) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.all == nil {
		f.all = map[string]map[string]any{}
	}
	if f.all[t.Name()] == nil {
		f.all[t.Name()] = map[string]any{}
	}
	if d, ok := value.(time.Duration); ok {
		value = d.Round(10 * time.Millisecond).Seconds()
	}
	f.all[t.Name()][name] = value
}

func (f *figures) write(path string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	data, err := json.MarshalIndent(f.all, "", "  ")
	if err != nil {
		return fmt.Errorf("encode the figures: %w", err)
	}
	return os.WriteFile(path, append(data, '\n'), 0o644) //nolint:gosec // figures only
}
