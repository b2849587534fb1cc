package main

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"text/template"
	"time"

	"github.com/otelcol-selfheal/otelcol-selfheal/testbed/airflow"
	"github.com/otelcol-selfheal/otelcol-selfheal/testbed/collector"
	"github.com/otelcol-selfheal/otelcol-selfheal/testbed/oracle"
	"github.com/otelcol-selfheal/otelcol-selfheal/testbed/process"
	"github.com/otelcol-selfheal/otelcol-selfheal/testbed/progress"
	"github.com/otelcol-selfheal/otelcol-selfheal/testbed/source"
)

// rows is how many orders each load owes.
const rows = 1000

//go:embed collector.yaml.tmpl
var configText string

// stage is everything that the demo plays on.
type stage struct {
	began     time.Time
	board     *progress.Board
	home      string
	airflow   *airflow.Airflow
	collector *collector.Collector
	source    *source.Source
	warehouse *oracle.File
	config    string // path
	binary    string // of the collector
}

// The steps of the set-up.
const (
	stepBuild     = "build the slim collector"
	stepInstall   = "install Airflow"
	stepAirflow   = "start Airflow"
	stepCollector = "start the collector"
	stepBaseline  = "two healthy loads"
)

func setUp(ctx context.Context, root, home string, live bool) (*stage, error) {
	fmt.Println("A real Airflow breaks, and the collector beside it finds it, heals it and proves it.")
	s := &stage{began: time.Now(), home: home}
	s.board = progress.New(os.Stdout, live, filepath.Join(root, ".cache", "demo-times.json"),
		progress.Step{Lane: "collector", Name: stepBuild, Expected: 4 * time.Minute},
		progress.Step{Lane: "airflow", Name: stepInstall, Expected: 40 * time.Second},
		progress.Step{Lane: "airflow", Name: stepAirflow, Expected: 25 * time.Second},
		progress.Step{Name: stepCollector, Expected: 3 * time.Second},
		progress.Step{Name: stepBaseline, Expected: 20 * time.Second},
		progress.Step{Name: "the incident", Expected: time.Minute})
	if err := s.prepare(ctx, root); err != nil {
		s.close()
		return nil, err
	}
	return s, nil
}

// prepare builds the collector while Airflow installs and starts.
func (s *stage) prepare(ctx context.Context, root string) error {
	var err error
	if s.source, err = source.Start(rows, 0); err != nil {
		return err
	}
	file := filepath.Join(s.home, "warehouse.db")
	if s.warehouse, err = oracle.CreateFile(ctx, file); err != nil {
		return err
	}
	lineage, err := process.Port()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var wg sync.WaitGroup
	var buildErr, airflowErr error
	wg.Go(func() {
		buildErr = s.board.Do(stepBuild, func() error {
			if s.binary = os.Getenv("SELFHEAL_COLLECTOR"); s.binary != "" {
				return nil // built already, somewhere else
			}
			s.binary = filepath.Join(root, "build", "otelcol-selfheal-slim")
			return collector.Build(ctx, root, "build-slim", filepath.Join(s.home, "logs"))
		})
		if buildErr != nil {
			cancel()
		}
	})
	wg.Go(func() {
		if airflowErr = s.startAirflow(ctx, root, file, lineage); airflowErr != nil {
			cancel()
		}
	})
	wg.Wait()
	if err := errors.Join(buildErr, airflowErr); err != nil {
		return err
	}
	return s.board.Do(stepCollector, func() error { return s.startCollector(ctx, file, lineage) })
}

func (s *stage) startAirflow(ctx context.Context, root, file string, lineage int) error {
	var venv airflow.Venv
	err := s.board.Do(stepInstall, func() (err error) {
		venv, err = airflow.Install(ctx, root)
		return err
	})
	if err != nil {
		return err
	}
	return s.board.Do(stepAirflow, func() error {
		ctx, cancel := context.WithTimeout(ctx, 4*time.Minute)
		defer cancel()
		s.airflow, err = airflow.Start(ctx, venv, airflow.Config{
			Home: filepath.Join(s.home, "airflow"), Dags: filepath.Join(root, "testbed", "dags", "demo"), Parallel: 4,
			OpenLineage: fmt.Sprintf("http://127.0.0.1:%d", lineage), Namespace: "default",
			Env: map[string]string{
				"SOURCE_URL": s.source.URL, "WAREHOUSE": file,
				"AIRFLOW_CONN_WAREHOUSE": fmt.Sprintf(`{"conn_type": "sqlite", "host": %q}`, file),
			},
		})
		if err != nil {
			return err
		}
		return s.airflow.WaitDAGs(ctx, "orders")
	})
}

type edge struct{ Job, Input, Output string }

func (s *stage) startCollector(ctx context.Context, file string, lineage int) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	api, err := process.Port()
	if err != nil {
		return err
	}
	state := filepath.Join(s.home, "state")
	s.config = filepath.Join(s.home, "collector.yaml")
	f, err := os.Create(s.config)
	if err != nil {
		return fmt.Errorf("write the collector's config: %w", err)
	}
	defer f.Close()
	err = template.Must(template.New("config").Parse(configText)).Execute(f, map[string]any{
		"LineagePort": lineage, "APIPort": api, "Airflow": s.airflow.URL, "Warehouse": file, "State": state,
		"Lineage": []edge{{"orders.extract", "", "staging"}, {"orders.load", "staging", "orders"}, {"orders.report", "orders", "report"}},
	})
	if err != nil {
		return fmt.Errorf("write the collector's config: %w", err)
	}
	s.collector = collector.New("collector", s.binary, s.config, state,
		filepath.Join(s.home, "logs"), fmt.Sprintf("http://127.0.0.1:%d", api), "AIRFLOW_PASSWORD="+airflow.Password)
	return s.collector.Start(ctx)
}

// load runs the pipeline once, waits for its end, and tells of its first task.
func (s *stage) load(ctx context.Context, run, wanted string) (oracle.TaskRun, error) {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	if err := s.airflow.Trigger(ctx, "orders", run, nil); err != nil {
		return oracle.TaskRun{}, err
	}
	if _, err := s.airflow.WaitRun(ctx, "orders", run, wanted); err != nil {
		return oracle.TaskRun{}, err
	}
	return s.asked(ctx, run)
}

// asked asks Airflow's own database.
func (s *stage) asked(ctx context.Context, run string) (oracle.TaskRun, error) {
	return oracle.FileRun(ctx, filepath.Join(s.home, "airflow", "airflow.db"), "orders", run, "extract")
}

func (s *stage) close() {
	s.board.Close()
	if s.source != nil {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		_ = s.source.Stop(ctx)
	}
	if s.warehouse != nil {
		_ = s.warehouse.Close()
	}
}

// refused is how often the source has said 503.
func (s *stage) refused() int { return s.source.Count("orders", http.StatusServiceUnavailable) }
