package airflow

import (
	"encoding/json"
	"errors"
	"io"
	"iter"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func all[T any](t *testing.T, seq iter.Seq2[Page[T], error]) []T {
	t.Helper()
	var items []T
	for page, err := range seq {
		require.NoError(t, err)
		items = append(items, page.Items...)
	}
	return items
}

func TestHealth(t *testing.T) {
	t.Parallel()
	c := newTestClient(t, play(t, "GET", "/api/v2/monitor/health", "health.json", 200), nil)
	h, err := c.Health(t.Context())
	require.NoError(t, err)
	assert.Equal(t, "healthy", h.Scheduler.Status)
	assert.Equal(t, 2026, h.Scheduler.Heartbeat.Year())
	assert.Equal(t, 2026, h.DAGProcessor.Heartbeat.Year())
	assert.Equal(t, 2026, h.Triggerer.Heartbeat.Year())
	assert.False(t, h.ServerTime.IsZero())
}

func TestReadOne(t *testing.T) {
	t.Parallel()
	run := "/api/v2/dags/shop/dagRuns/run1"
	t.Run("DAG", func(t *testing.T) {
		t.Parallel()
		d, err := newTestClient(t, play(t, "GET", "/api/v2/dags/shop", "dag.json", 200), nil).DAG(t.Context(), "shop")
		require.NoError(t, err)
		assert.Equal(t, []string{"data-team"}, d.Owners)
		assert.False(t, d.Paused)
	})
	t.Run("tasks", func(t *testing.T) {
		t.Parallel()
		tasks, err := newTestClient(t, play(t, "GET", "/api/v2/dags/shop/tasks", "tasks.json", 200), nil).Tasks(t.Context(), "shop")
		require.NoError(t, err)
		assert.Equal(t, map[string][]string{"double": {"extract"}, "flaky": {"extract"}, "load": {"double"}}, Upstream(tasks))
		assert.Equal(t, []string{"double", "flaky", "load"}, Downstream(tasks, "extract"))
		assert.Equal(t, "data-team", tasks[0].Owner)
		assert.True(t, tasks[0].Mapped)
	})
	t.Run("run", func(t *testing.T) {
		t.Parallel()
		r, err := newTestClient(t, play(t, "GET", run, "dag_run.json", 200), nil).DAGRun(t.Context(), "shop", "run1")
		require.NoError(t, err)
		assert.Equal(t, StateFailed, r.State)
		assert.False(t, r.EndDate.IsZero())
		assert.True(t, r.LogicalDate.IsZero())
	})
	t.Run("task instance", func(t *testing.T) {
		t.Parallel()
		ti, err := newTestClient(t, play(t, "GET", run+"/taskInstances/flaky", "task_instance.json", 200), nil).TaskInstance(t.Context(), "shop", "run1", "flaky", NotMapped)
		require.NoError(t, err)
		assert.Equal(t, 4, ti.TryNumber)
		assert.Equal(t, StateFailed, ti.State)
	})
	t.Run("tries", func(t *testing.T) {
		t.Parallel()
		tries, err := newTestClient(t, play(t, "GET", run+"/taskInstances/flaky/tries", "tries.json", 200), nil).TaskInstanceTries(t.Context(), "shop", "run1", "flaky", NotMapped)
		require.NoError(t, err)
		require.Len(t, tries, 4)
		// Try 1 failed with one retry left, try 2 without.
		assert.Equal(t, []int{1, 1, 2, 1}, []int{tries[0].TryNumber, tries[0].MaxTries, tries[1].TryNumber, tries[1].MaxTries})
	})
	t.Run("mapped", func(t *testing.T) {
		t.Parallel()
		_, err := newTestClient(t, play(t, "GET", run+"/taskInstances/double/2", "task_instance.json", 200), nil).TaskInstance(t.Context(), "shop", "run1", "double", 2)
		require.ErrorContains(t, err, "not about what was asked")
	})
	t.Run("why the scheduler failed a try", func(t *testing.T) {
		t.Parallel()
		uri := "/api/v2/eventLogs?dag_id=odd&included_events=heartbeat+timeout&included_events=state+mismatch&included_events=stuck+in+queued+tries+exceeded&limit=5&map_index=-1&order_by=-when&run_id=o1&task_id=sensor&try_number=1"
		c := newTestClient(t, play(t, "GET", uri, "event_logs.json", 200), nil)
		events, err := c.SchedulerVerdicts(t.Context(), "odd", "o1", "sensor", NotMapped, 1)
		require.NoError(t, err)
		require.Len(t, events, 1)
		assert.Equal(t, "state mismatch", events[0].Event)
		assert.Contains(t, events[0].Extra, "finished with state success")
		_, err = newTestClient(t, func(w http.ResponseWriter, _ *http.Request) { answer(w, 200, []byte("{}")) }, nil).SchedulerVerdicts(t.Context(), "d", "r", "t", 0, 1)
		assert.Equal(t, "malformed", Kind(err))
	})
	t.Run("not found", func(t *testing.T) {
		t.Parallel()
		_, err := newTestClient(t, play(t, "GET", "/api/v2/dags/nosuch", "not_found.json", 404), nil).DAG(t.Context(), "nosuch")
		assert.True(t, IsNotFound(err))
	})
	t.Run("names are escaped", func(t *testing.T) {
		t.Parallel()
		_, err := newTestClient(t, play(t, "GET", "/api/v2/dags/a%2Fb%3Fc/dagRuns/m__2026-11-24T08:19:20+00:00", "dag_run.json", 200), nil).DAGRun(t.Context(), "a/b?c", "m__2026-11-24T08:19:20+00:00")
		require.ErrorContains(t, err, "not about what was asked")
	})
}

func TestLists(t *testing.T) {
	t.Parallel()
	t.Run("dags", func(t *testing.T) {
		t.Parallel()
		dags := all(t, newTestClient(t, play(t, "GET", "/api/v2/dags?limit=100&order_by=dag_id", "dags.json", 200), nil).DAGs(t.Context(), 0))
		require.Len(t, dags, 3)
		assert.Equal(t, "late.daily", dags[0].ID)
		assert.False(t, dags[0].NextRunAfter.IsZero())
		assert.True(t, dags[1].NextRunAfter.IsZero())
	})
	t.Run("pools", func(t *testing.T) {
		t.Parallel()
		pools := all(t, newTestClient(t, play(t, "GET", "/api/v2/pools?limit=10&order_by=id", "pools.json", 200), nil).Pools(t.Context(), 10))
		require.Len(t, pools, 2)
		assert.Equal(t, 128, pools[0].Slots)
	})
	t.Run("import errors", func(t *testing.T) {
		t.Parallel()
		errs := all(t, newTestClient(t, play(t, "GET", "/api/v2/importErrors?limit=10&order_by=id", "import_errors.json", 200), nil).ImportErrors(t.Context(), 10))
		require.Len(t, errs, 1)
		assert.Contains(t, errs[0].StackTrace, "ModuleNotFoundError")
	})
	t.Run("assets", func(t *testing.T) {
		t.Parallel()
		assets := all(t, newTestClient(t, play(t, "GET", "/api/v2/assets?limit=10&order_by=id", "assets.json", 200), nil).Assets(t.Context(), 10))
		require.Len(t, assets, 1)
		assert.Equal(t, []TaskReference{{DAGID: "shop", TaskID: "extract"}}, assets[0].ProducingTasks)
	})
	t.Run("runs with every filter", func(t *testing.T) {
		t.Parallel()
		at := time.Date(2026, 11, 24, 8, 0, 0, 0, time.UTC)
		uri := "/api/v2/dags/shop/dagRuns?cursor=&end_date_gte=2026-11-24T08%3A00%3A00Z&limit=7&order_by=-start_date&start_date_gte=2026-11-24T08%3A00%3A00Z&state=queued&state=running&updated_at_gte=2026-11-24T08%3A00%3A00Z"
		runs := all(t, newTestClient(t, play(t, "GET", uri, "dag_runs.json", 200), nil).DAGRuns(t.Context(), Filter{
			DAGID: "shop", UpdatedSince: at, StartedSince: at, EndedSince: at, States: []string{StateQueued, StateRunning}, OrderBy: "-start_date", PageSize: 7,
		}))
		assert.Len(t, runs, 4)
	})
	t.Run("pages by cursor", func(t *testing.T) {
		t.Parallel()
		first, second := recorded(t, "task_instances_page1.json"), recorded(t, "task_instances_page2.json")
		var page struct {
			Next string `json:"next_cursor"`
		}
		require.NoError(t, json.Unmarshal(first, &page))
		c := newTestClient(t, func(w http.ResponseWriter, r *http.Request) {
			switch q := r.URL.Query(); {
			case r.URL.Path != "/api/v2/dags/~/dagRuns/~/taskInstances" || !q.Has("cursor"):
				answer(w, 404, nil)
			case q.Get("cursor") == "":
				answer(w, 200, first)
			case q.Get("cursor") == page.Next:
				answer(w, 200, second)
			}
		}, nil)
		tis := all(t, c.TaskInstances(t.Context(), Filter{}))
		whole := struct {
			Items []TaskInstance `json:"task_instances"`
		}{}
		require.NoError(t, json.Unmarshal(recorded(t, "task_instances.json"), &whole))
		assert.Equal(t, whole.Items, tis)
	})
	t.Run("continued after a page", func(t *testing.T) {
		t.Parallel()
		c := newTestClient(t, func(w http.ResponseWriter, r *http.Request) {
			switch q := r.URL.Query(); {
			case q.Get("offset") == "2" && !q.Has("cursor"):
				answer(w, 200, []byte(`{"dag_runs":[{"dag_run_id":"c"}],"total_entries":3}`))
			case q.Get("cursor") == "abc":
				answer(w, 200, []byte(`{"dag_runs":[{"dag_run_id":"d"}],"total_entries":3,"next_cursor":null}`))
			}
		}, nil)
		assert.Equal(t, "c", all(t, c.DAGRuns(t.Context(), Filter{After: "offset:2"}))[0].ID)
		assert.Equal(t, "d", all(t, c.DAGRuns(t.Context(), Filter{After: "abc"}))[0].ID)
		for page, err := range newTestClient(t, play(t, "GET", "/api/v2/dags/~/dagRuns/~/taskInstances?cursor=&limit=5&order_by=id", "task_instances_page1.json", 200), nil).TaskInstances(t.Context(), Filter{PageSize: 5}) {
			require.NoError(t, err)
			assert.NotEmpty(t, page.Next)
			break
		}
	})
	t.Run("pages by offset where there is no cursor", func(t *testing.T) {
		t.Parallel()
		c := newTestClient(t, func(w http.ResponseWriter, r *http.Request) {
			switch r.URL.Query().Get("offset") {
			case "":
				answer(w, 200, []byte(`{"dag_runs":[{"dag_run_id":"a"},{"dag_run_id":"b"}],"total_entries":3}`))
			case "2":
				answer(w, 200, []byte(`{"dag_runs":[{"dag_run_id":"c"}],"total_entries":3}`))
			}
		}, nil)
		assert.Len(t, all(t, c.DAGRuns(t.Context(), Filter{})), 3)
	})
	for name, body := range map[string]string{
		"no list":               `{"total_entries":0}`,
		"null":                  `{"dag_runs":null}`,
		"dates that are none":   `{"dag_runs":[{"start_date":"yesterday"}]}`,
		"the same cursor again": `{"dag_runs":[{}],"next_cursor":"c"}`,
		"a cursor without end":  `{"dag_runs":[{}],"next_cursor":"` + strings.Repeat("c", 5000) + `"}`,
		"a number as cursor":    `{"dag_runs":[{}],"next_cursor":1}`,
		"a text as total":       `{"dag_runs":[{}],"total_entries":"x"}`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newTestClient(t, func(w http.ResponseWriter, _ *http.Request) { answer(w, 200, []byte(body)) }, nil)
			calls := 0
			var last error
			for _, err := range c.DAGRuns(t.Context(), Filter{}) {
				calls++
				last = err
			}
			assert.Equal(t, "malformed", Kind(last))
			assert.LessOrEqual(t, calls, 3)
		})
	}
	t.Run("a name that means all", func(t *testing.T) {
		t.Parallel()
		c := newTestClient(t, func(http.ResponseWriter, *http.Request) { t.Error("sent") }, nil)
		for _, err := range c.TaskInstances(t.Context(), Filter{DAGID: "~"}) {
			assert.Equal(t, "invalid", Kind(err))
		}
	})
}

func TestTaskLog(t *testing.T) {
	t.Parallel()
	uri := "/api/v2/dags/shop/dagRuns/run1/taskInstances/flaky/logs/1?full_content=true&map_index=-1"
	limits := LogLimits{MaxBytes: 1 << 20, MaxLines: 3, MaxLine: 20}
	t.Run("the exception and its cause", func(t *testing.T) {
		t.Parallel()
		log, err := newTestClient(t, play(t, "GET", uri, "log.ndjson", 200), nil).TaskLog(t.Context(), "shop", "run1", "flaky", NotMapped, 1, limits)
		require.NoError(t, err)
		require.NotNil(t, log.Exception)
		assert.Equal(t, "RuntimeError", log.Exception.Type)
		assert.Equal(t, "load failed", log.Exception.Message)
		require.Len(t, log.Exception.Causes, 1)
		assert.Equal(t, "ValueError", log.Exception.Causes[0].Type)
		assert.Equal(t, Frame{File: "/opt/airflow/dags/shop.py", Line: 19, Function: "flaky"}, log.Exception.Frames[len(log.Exception.Frames)-1])
		trace := log.Exception.Stacktrace()
		assert.Less(t, strings.Index(trace, "ValueError: invalid literal"), strings.Index(trace, "RuntimeError: load failed"))
		assert.Contains(t, trace, "  File \"/opt/airflow/dags/shop.py\", line 19, in flaky\n")
		require.Len(t, log.Lines, 3)
		assert.Equal(t, "Task failed with exc", log.Lines[0].Event)
		assert.False(t, log.Truncated)
	})
	t.Run("longer than is read", func(t *testing.T) {
		t.Parallel()
		small := limits
		small.MaxBytes = 2000
		log, err := newTestClient(t, play(t, "GET", uri, "log.ndjson", 200), nil).TaskLog(t.Context(), "shop", "run1", "flaky", NotMapped, 1, small)
		require.NoError(t, err)
		assert.True(t, log.Truncated)
		assert.Nil(t, log.Exception)
		assert.NotEmpty(t, log.Lines)
	})
	lines := func(body string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/x-ndjson")
			_, _ = io.WriteString(w, body)
		}
	}
	t.Run("a task that writes what it likes", func(t *testing.T) {
		t.Parallel()
		body := `{"event":"a","error_detail":"mine"}` + "\n" + `{"event":"b","error_detail":[]}` + "\n" +
			`{"event":"` + strings.Repeat("x", maxRecord) + `"}` + "\n" + `{"event":"c","exit_code":3,"signal_name":"SIGKILL","error_detail":[{"exc_type":"E","exc_value":"v","exceptions":[[{"exc_type":"M","exc_value":"m"}],[]]}]}` + "\n" + `{"event":"d"}`
		log, err := newTestClient(t, lines(body), nil).TaskLog(t.Context(), "d", "r", "t", 0, 1, LogLimits{MaxBytes: 4 << 20, MaxLines: 9, MaxLine: 9})
		require.NoError(t, err)
		assert.Equal(t, "E", log.Exception.Type)
		assert.Equal(t, []Exception{{Type: "M", Message: "m"}}, log.Exception.Group)
		assert.Contains(t, log.Exception.Stacktrace(), "member M: m")
		assert.Len(t, log.Lines, 4)
	})
	t.Run("no JSON", func(t *testing.T) {
		t.Parallel()
		_, err := newTestClient(t, lines("{\"event\":\"a\"}\nTraceback"), nil).TaskLog(t.Context(), "d", "r", "t", 0, 1, limits)
		assert.Equal(t, "malformed", Kind(err))
	})
}

func TestClear(t *testing.T) {
	t.Parallel()
	var sent map[string]any
	body := recorded(t, "clear_dry_run.json")
	c := newTestClient(t, func(w http.ResponseWriter, r *http.Request) {
		raw, _ := io.ReadAll(r.Body)
		if r.URL.Path != "/api/v2/dags/shop/clearTaskInstances" || json.Unmarshal(raw, &sent) != nil {
			answer(w, 404, nil)
			return
		}
		answer(w, 200, body)
	}, nil)
	cleared, err := c.ClearTaskInstances(t.Context(), "shop", ClearRequest{
		RunID: "run1", Tasks: []TaskRef{{"double", 2}, {"flaky", NotMapped}}, OnlyFailed: true, IncludeDownstream: true, ResetDAGRun: true, RefuseRunning: true, Note: "n",
	})
	require.NoError(t, err)
	assert.Len(t, cleared, 2)
	// Everything is explicit, above all dry_run, which is true in Airflow where it is left out.
	assert.Equal(t, map[string]any{
		"dry_run": false, "dag_run_id": "run1", "task_ids": []any{[]any{"double", 2.0}, "flaky"}, "only_failed": true, "only_running": false,
		"include_upstream": false, "include_downstream": true, "include_future": false, "include_past": false,
		"reset_dag_runs": true, "prevent_running_task": true, "note": "n",
	}, sent)
}

func TestClearWithAnAnswerThatSaysNothingIsUnclear(t *testing.T) {
	t.Parallel()
	c := newTestClient(t, func(w http.ResponseWriter, _ *http.Request) { answer(w, 200, []byte(`{}`)) }, nil)
	_, err := c.ClearTaskInstances(t.Context(), "shop", ClearRequest{RunID: "run1", AllTasks: true})
	assert.True(t, IsUnclear(err))
}

func TestTrigger(t *testing.T) {
	t.Parallel()
	var sent string
	body := recorded(t, "trigger.json")
	c := newTestClient(t, func(w http.ResponseWriter, r *http.Request) {
		raw, _ := io.ReadAll(r.Body)
		sent = string(raw)
		answer(w, 200, body)
	}, nil)
	run, err := c.TriggerDAGRun(t.Context(), "late.daily", TriggerRequest{
		RunID: "selfheal__1", LogicalDate: time.Date(2026, 10, 1, 0, 0, 0, 0, time.UTC), Conf: map[string]any{"a": 1}, Note: "n",
	})
	require.NoError(t, err)
	assert.Equal(t, StateQueued, run.State)
	assert.JSONEq(t, `{"dag_run_id":"selfheal__1","logical_date":"2026-10-01T00:00:00Z","conf":{"a":1},"note":"n"}`, sent)

	_, err = c.TriggerDAGRun(t.Context(), "late.daily", TriggerRequest{RunID: "another"})
	assert.True(t, IsUnclear(err))
	assert.JSONEq(t, `{"dag_run_id":"another","logical_date":null}`, sent)
}

func TestErrorText(t *testing.T) {
	t.Parallel()
	e := &Error{Method: "GET", Path: "/api/v2/x", Status: 500, Detail: printable("a\x00\nb\xff" + strings.Repeat("x", 1000)), Err: errors.New("cause")}
	assert.True(t, strings.HasPrefix(e.Error(), "airflow: GET /api/v2/x: status 500: a  b"))
	assert.Less(t, len(e.Error()), 600)
	assert.Equal(t, "other", Kind(io.EOF))
	assert.False(t, IsUnclear(nil))
	assert.False(t, IsRetryable(nil))
}
