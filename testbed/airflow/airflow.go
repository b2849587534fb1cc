package airflow

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/otelcol-selfheal/otelcol-selfheal/testbed/process"
)

// User and Password of the only user.
const (
	User     = "admin"
	Password = "admin"
)

// Config says how to run one Airflow.
type Config struct {
	Home string // AIRFLOW_HOME, made where it is not there
	Dags string // folder of DAG files
	// Database is the SQLAlchemy URL of the metadata; empty runs `airflow
	// standalone` on SQLite.
	Database string
	// OpenLineage is the URL that the provider sends events to, such as http://127.0.0.1:4319.
	OpenLineage string
	Namespace   string // of OpenLineage
	// Parallel is how many tasks run at a time.
	Parallel int
	// Env is added to the environment, such as AIRFLOW_CONN_…
	Env map[string]string
}

// Airflow is a running one.
type Airflow struct {
	*Client
	Home  string
	procs []*process.Process
}

// Start starts all of Airflow and returns when its API, scheduler and DAG
// processor are healthy.
func Start(ctx context.Context, venv Venv, c Config) (*Airflow, error) {
	ports := make([]int, 5)
	for i := range ports {
		port, err := process.Port()
		if err != nil {
			return nil, err
		}
		ports[i] = port
	}
	if err := os.MkdirAll(c.Home, 0o755); err != nil {
		return nil, fmt.Errorf("create Airflow's home: %w", err)
	}
	passwords := filepath.Join(c.Home, "passwords.json")
	if err := os.WriteFile(passwords, fmt.Appendf(nil, `{"%s": "%s"}`, User, Password), 0o600); err != nil {
		return nil, fmt.Errorf("write Airflow's passwords: %w", err)
	}
	env := environment(venv, c, passwords, ports)
	a := &Airflow{Client: NewClient("http://127.0.0.1:" + strconv.Itoa(ports[0])), Home: c.Home}
	logs := filepath.Join(c.Home, "logs")
	start := func(name string, args ...string) error {
		p, err := process.Start(process.Spec{Name: "airflow-" + name, Path: venv.bin("airflow"), Args: args, Env: env, Dir: c.Home, Logs: logs})
		if err == nil {
			a.procs = append(a.procs, p)
		}
		return err
	}
	var err error
	if c.Database == "" {
		err = start("standalone", "standalone")
	} else {
		err = a.startParts(ctx, start)
	}
	if err == nil {
		err = a.waitHealthy(ctx)
	}
	if err != nil {
		return nil, errors.Join(err, a.Stop())
	}
	return a, nil
}

func (a *Airflow) startParts(ctx context.Context, start func(name string, args ...string) error) error {
	if err := start("migrate", "db", "migrate"); err != nil {
		return err
	}
	migrate := a.procs[0]
	select {
	case <-migrate.Done():
		if text := migrate.Tail(2000); !strings.Contains(text, "migration done") {
			return fmt.Errorf("airflow db migrate did not finish: %s", text)
		}
	case <-ctx.Done():
		return fmt.Errorf("airflow db migrate takes too long: %w", ctx.Err())
	}
	a.procs = nil
	for _, part := range []string{"api-server", "scheduler", "dag-processor", "triggerer"} {
		if err := start(part, part); err != nil {
			return err
		}
	}
	return nil
}

// Stop ends all of it.
func (a *Airflow) Stop() error {
	var errs []error
	for _, v := range slices.Backward(a.procs) {
		errs = append(errs, v.Stop(5*time.Second))
	}
	return errors.Join(errs...)
}

func (a *Airflow) waitHealthy(ctx context.Context) error {
	var last error
	for {
		for _, p := range a.procs {
			if err := p.Err(); err != nil {
				return fmt.Errorf("%w\n%s", err, p.Tail(3000))
			}
		}
		var health map[string]struct {
			Status string `json:"status"`
		}
		if last = a.call(ctx, http.MethodGet, "/api/v2/monitor/health", nil, &health); last == nil {
			if health["metadatabase"].Status == "healthy" && health["scheduler"].Status == "healthy" && health["dag_processor"].Status == "healthy" {
				return nil
			}
			last = fmt.Errorf("health is %v", health)
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("wait for Airflow to be healthy: %w; last: %w", ctx.Err(), last)
		case <-time.After(300 * time.Millisecond):
		}
	}
}

func environment(venv Venv, c Config, passwords string, ports []int) []string {
	base := "http://127.0.0.1:" + strconv.Itoa(ports[0])
	transport, _ := json.Marshal(map[string]string{"type": "http", "url": c.OpenLineage, "endpoint": "api/v1/lineage"})
	parallel := max(c.Parallel, 2)
	set := map[string]string{
		"AIRFLOW_HOME":                                           c.Home,
		"AIRFLOW__CORE__DAGS_FOLDER":                             c.Dags,
		"AIRFLOW__CORE__LOAD_EXAMPLES":                           "False",
		"AIRFLOW__CORE__EXECUTOR":                                "LocalExecutor",
		"AIRFLOW__CORE__PARALLELISM":                             strconv.Itoa(parallel),
		"AIRFLOW__CORE__MAX_ACTIVE_TASKS_PER_DAG":                strconv.Itoa(parallel),
		"AIRFLOW__CORE__EXECUTION_API_SERVER_URL":                base + "/execution/",
		"AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS":               User + ":admin",
		"AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE":      passwords,
		"AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION":             "False",
		"AIRFLOW__API__HOST":                                     "127.0.0.1",
		"AIRFLOW__API__PORT":                                     strconv.Itoa(ports[0]),
		"AIRFLOW__API__BASE_URL":                                 base,
		"AIRFLOW__API__WORKERS":                                  "1",
		"AIRFLOW__API__SECRET_KEY":                               rand.Text(),
		"AIRFLOW__API_AUTH__JWT_SECRET":                          rand.Text() + rand.Text(),
		"AIRFLOW__LOGGING__WORKER_LOG_SERVER_PORT":               strconv.Itoa(ports[1]),
		"AIRFLOW__LOGGING__TRIGGER_LOG_SERVER_PORT":              strconv.Itoa(ports[2]),
		"AIRFLOW__SCHEDULER__SCHEDULER_HEALTH_CHECK_SERVER_PORT": strconv.Itoa(ports[3]),
		"AIRFLOW__SCHEDULER__SCHEDULER_HEARTBEAT_SEC":            "1",
		"AIRFLOW__SCHEDULER__JOB_HEARTBEAT_SEC":                  "2",
		"AIRFLOW__SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME":          "0.3",
		"AIRFLOW__DAG_PROCESSOR__REFRESH_INTERVAL":               "5",
		"AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL":      "30",
		"AIRFLOW__DAG_PROCESSOR__PARSING_PROCESSES":              "1",
		"AIRFLOW__TRIGGERER__JOB_HEARTBEAT_SEC":                  "2",
		"AIRFLOW__USAGE_DATA_COLLECTION__ENABLED":                "False",
		"SCARF_ANALYTICS":                                        "false",
		"DO_NOT_TRACK":                                           "true",
		"AIRFLOW__OPENLINEAGE__TRANSPORT":                        string(transport),
		"AIRFLOW__OPENLINEAGE__NAMESPACE":                        c.Namespace,
		// The provider runs its listener in a fork with a timeout; the default of 10 s
		// is short where two cores run everything.
		"AIRFLOW__OPENLINEAGE__EXECUTION_TIMEOUT": "30",
		// A task whose start Airflow's API does not confirm in 5 s fails, which on two
		// busy cores would be a fault that nobody ordered.
		"AIRFLOW__WORKERS__EXECUTION_API_TIMEOUT": "60",
		"PYTHONDONTWRITEBYTECODE":                 "1",
		"PATH":                                    venv.bin("") + string(os.PathListSeparator) + os.Getenv("PATH"),
	}
	if c.OpenLineage == "" {
		delete(set, "AIRFLOW__OPENLINEAGE__TRANSPORT")
		set["AIRFLOW__OPENLINEAGE__DISABLED"] = "True"
	}
	if c.Database != "" {
		set["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"] = c.Database
	}
	maps.Copy(set, c.Env)
	var env []string
	for _, kv := range os.Environ() {
		name, _, _ := strings.Cut(kv, "=")
		// Settings of an Airflow that the person may use must not reach this one.
		if _, ours := set[name]; !ours && !strings.HasPrefix(name, "AIRFLOW") && name != "PYTHONPATH" && name != "VIRTUAL_ENV" {
			env = append(env, kv)
		}
	}
	for k, v := range set {
		env = append(env, k+"="+v)
	}
	return env
}
