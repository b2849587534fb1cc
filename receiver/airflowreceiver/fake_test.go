package airflowreceiver

import (
	"encoding/json"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// recordings are answers of a real Airflow 3.3.2.
const recordings = "../../internal/airflow/testdata"

// fakeAirflow answers as Airflow does, from rows that a test changes.
type fakeAirflow struct {
	t  *testing.T
	mu sync.Mutex
	// now is Airflow's clock.
	now    time.Time
	static map[string]string
	runs   []*row
	tasks  []*row
	tries  map[string][]map[string]any
	logs   map[string]string
	token  int
	// fault may answer in Airflow's place.
	fault func(w http.ResponseWriter, r *http.Request) bool
	// asked are the paths of the requests.
	asked []string
	url   string
}

type row struct {
	data    map[string]any
	updated time.Time
}

func newFakeAirflow(t *testing.T) *fakeAirflow {
	t.Helper()
	f := &fakeAirflow{
		t: t, now: time.Date(2026, 11, 24, 8, 27, 0, 0, time.UTC),
		static: map[string]string{
			"/api/v2/dags":         `{"dags":[],"total_entries":0}`,
			"/api/v2/pools":        `{"pools":[],"total_entries":0}`,
			"/api/v2/importErrors": `{"import_errors":[],"total_entries":0}`,
			"/api/v2/assets":       `{"assets":[],"total_entries":0}`,
			"/api/v2/eventLogs":    `{"event_logs":[],"total_entries":0}`,
		},
		tries: map[string][]map[string]any{}, logs: map[string]string{},
	}
	srv := httptest.NewServer(f)
	t.Cleanup(srv.Close)
	f.url = srv.URL
	return f
}

func recorded(t *testing.T, name string) string {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(recordings, name))
	require.NoError(t, err)
	return string(raw)
}

// play has the fake answer with everything that was recorded.
func (f *fakeAirflow) play() {
	f.t.Helper()
	for path, file := range map[string]string{
		"/api/v2/monitor/health": "health.json", "/api/v2/dags": "dags.json", "/api/v2/pools": "pools.json",
		"/api/v2/importErrors": "import_errors.json", "/api/v2/assets": "assets.json", "/api/v2/dags/shop/tasks": "tasks.json",
	} {
		f.static[path] = recorded(f.t, file)
	}
	for _, id := range []string{"late.daily", "slow"} {
		f.static["/api/v2/dags/"+id+"/tasks"] = `{"tasks":[],"total_entries":0}`
	}
	type lists struct {
		Runs  []map[string]any `json:"dag_runs"`
		Tasks []map[string]any `json:"task_instances"`
	}
	read := func(file string) (l lists) {
		require.NoError(f.t, json.Unmarshal([]byte(recorded(f.t, file)), &l))
		return l
	}
	for _, r := range read("dag_runs.json").Runs {
		f.runs = append(f.runs, &row{data: r, updated: f.now.Add(-10 * time.Minute)})
	}
	for _, r := range read("task_instances.json").Tasks {
		f.tasks = append(f.tasks, &row{data: r, updated: f.now.Add(-10 * time.Minute)})
	}
	f.tries["shop/run1/flaky/-1"] = read("tries.json").Tasks
	for try := 1; try <= 4; try++ {
		f.logs["shop/run1/flaky/-1/"+strconv.Itoa(try)] = recorded(f.t, "log.ndjson")
	}
	f.logs["shop/run1/double/2/1"] = `{"event":"Task failed with exception","level":"error","error_detail":[{"exc_type":"SourceError","exc_value":"orders answered 503 at http://user:hunter2@shop.example/api?token=abc","frames":[]}]}`
}

// set changes rows of a list, or adds one, and notes the time of the change.
func (f *fakeAirflow) set(list *[]*row, names []string, fields map[string]any) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, r := range *list {
		if slices.ContainsFunc(names, func(n string) bool { return r.data[n] != fields[n] }) {
			continue
		}
		maps.Copy(r.data, fields)
		r.updated = f.now
		return
	}
	*list = append(*list, &row{data: fields, updated: f.now})
}

// run sets the state of a DAG run of "d" whose ID is "r".
func (f *fakeAirflow) run(state string, more ...any) {
	fields := map[string]any{"dag_id": "d", "dag_run_id": "r", "state": state}
	f.set(&f.runs, []string{"dag_id", "dag_run_id"}, with(fields, more))
}

// task sets the state of task "t" of that run; an empty state is none.
func (f *fakeAirflow) task(state string, try int, more ...any) {
	fields := map[string]any{"dag_id": "d", "dag_run_id": "r", "task_id": "t", "map_index": -1, "state": state, "try_number": try}
	if state == "" {
		fields["state"] = nil
	}
	f.set(&f.tasks, []string{"dag_id", "dag_run_id", "task_id", "map_index"}, with(fields, more))
}

func with(fields map[string]any, more []any) map[string]any {
	for i := 0; i+1 < len(more); i += 2 {
		v := more[i+1]
		if t, ok := v.(time.Time); ok {
			v = t.Format(time.RFC3339Nano)
		}
		fields[more[i].(string)] = v
	}
	return fields
}

// wait moves Airflow's clock.
func (f *fakeAirflow) wait(d time.Duration) time.Time {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.now = f.now.Add(d)
	return f.now
}

func (f *fakeAirflow) count(prefix string) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	n := 0
	for _, a := range f.asked {
		if strings.HasPrefix(a, prefix) {
			n++
		}
	}
	return n
}

func (f *fakeAirflow) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	fault := f.fault
	f.asked = append(f.asked, r.URL.Path)
	f.mu.Unlock()
	if fault != nil && fault(w, r) {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	w.Header().Set("Date", f.now.Format(http.TimeFormat))
	w.Header().Set("Content-Type", "application/json")
	path := r.URL.Path
	part := strings.Split(strings.TrimPrefix(path, "/"), "/")
	switch {
	case path == "/auth/token":
		f.token++
		w.WriteHeader(http.StatusCreated)
		f.write(w, map[string]any{"access_token": "t" + strconv.Itoa(f.token)})
	case path == "/api/v2/monitor/health" && f.static[path] == "":
		at := f.now.Add(-2 * time.Second).Format(time.RFC3339Nano)
		f.write(w, map[string]any{
			"metadatabase":  map[string]any{"status": "healthy"},
			"scheduler":     map[string]any{"status": "healthy", "latest_scheduler_heartbeat": at},
			"dag_processor": map[string]any{"status": "healthy", "latest_dag_processor_heartbeat": at},
			"triggerer":     map[string]any{"status": nil, "latest_triggerer_heartbeat": nil},
		})
	case path == "/api/v2/dags/~/dagRuns":
		f.list(w, "dag_runs", f.runs, r.URL.Query())
	case path == "/api/v2/dags/~/dagRuns/~/taskInstances":
		f.list(w, "task_instances", f.tasks, r.URL.Query())
	case f.static[path] != "":
		_, _ = w.Write([]byte(f.static[path]))
	case len(part) == 6 && part[4] == "dagRuns":
		f.one(w, f.runs, map[string]any{"dag_id": part[3], "dag_run_id": part[5]})
	case len(part) >= 8 && part[6] == "taskInstances":
		f.instance(w, part, r.URL.Query())
	default:
		f.none(w)
	}
}

func (f *fakeAirflow) none(w http.ResponseWriter) {
	w.WriteHeader(http.StatusNotFound)
	_, _ = w.Write([]byte(`{"detail":"not found"}`))
}

func (f *fakeAirflow) write(w http.ResponseWriter, v any) {
	raw, err := json.Marshal(v)
	if err != nil {
		f.t.Error(err)
	}
	_, _ = w.Write(raw)
}

func (f *fakeAirflow) one(w http.ResponseWriter, rows []*row, want map[string]any) {
next:
	for _, r := range rows {
		for k, v := range want {
			if r.data[k] != v {
				continue next
			}
		}
		f.write(w, r.data)
		return
	}
	f.none(w)
}

// instance answers for one task instance: itself, its tries or a log.
func (f *fakeAirflow) instance(w http.ResponseWriter, part []string, q url.Values) {
	dag, run, task, rest, index := part[3], part[5], part[7], part[8:], -1
	if len(rest) > 0 {
		if n, err := strconv.Atoi(rest[0]); err == nil {
			index, rest = n, rest[1:]
		}
	}
	name := func(index int) string { return strings.Join([]string{dag, run, task, strconv.Itoa(index)}, "/") }
	switch {
	case len(rest) == 0:
		f.one(w, f.tasks, map[string]any{"dag_id": dag, "dag_run_id": run, "task_id": task, "map_index": index})
	case rest[0] == "tries":
		f.write(w, map[string]any{"task_instances": append([]map[string]any{}, f.tries[name(index)]...), "total_entries": len(f.tries[name(index)])})
	case rest[0] == "logs":
		n, _ := strconv.Atoi(q.Get("map_index"))
		log, ok := f.logs[name(n)+"/"+rest[1]]
		if !ok {
			f.none(w)
			return
		}
		w.Header().Set("Content-Type", "application/x-ndjson")
		_, _ = w.Write([]byte(log))
	}
}

// list filters and pages as Airflow does; its cursor is a number here.
func (f *fakeAirflow) list(w http.ResponseWriter, field string, rows []*row, q url.Values) {
	items := []map[string]any{}
	since, _ := time.Parse(time.RFC3339Nano, q.Get("updated_at_gte"))
	for _, r := range rows {
		state, _ := r.data["state"].(string)
		if state == "" {
			state = "none"
		}
		if r.updated.Before(since) || (q.Has("state") && !slices.Contains(q["state"], state)) {
			continue
		}
		items = append(items, r.data)
	}
	from, _ := strconv.Atoi(q.Get("cursor"))
	size, _ := strconv.Atoi(q.Get("limit"))
	from = min(from, len(items))
	to := min(from+size, len(items))
	var next any
	if to < len(items) {
		next = strconv.Itoa(to)
	}
	f.write(w, map[string]any{field: items[from:to], "total_entries": len(items), "next_cursor": next})
}
