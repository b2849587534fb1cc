package airflowreceiver

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/consumer/consumererror"
	"go.opentelemetry.io/collector/pdata/plog"

	"github.com/otelcol-selfheal/otelcol-selfheal/internal/vocab"
)

const (
	info  = plog.SeverityNumberInfo
	warn  = plog.SeverityNumberWarn
	fatal = plog.SeverityNumberError
)

// logOf is a log that ends in an exception.
func logOf(class string) string {
	return `{"event":"trying","level":"info"}` + "\n" + `{"event":"Task failed with exception","level":"error","error_detail":[{"exc_type":"` + class + `","exc_value":"v","frames":[]}]}` + "\n"
}

func try(number, maxTries int, state string, end time.Time) map[string]any {
	return map[string]any{
		"try_number": number, "max_tries": maxTries, "state": state, "map_index": -1,
		"start_date": end.Add(-time.Minute).Format(time.RFC3339Nano), "end_date": end.Format(time.RFC3339Nano),
	}
}

func TestEachChangeOnceAndTheUnfinishedEachPoll(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	a := b.airflow
	const id = "d/r/t"
	a.logs["d/r/t/-1/1"], a.logs["d/r/t/-1/3"] = logOf("SourceError"), logOf("BugError")

	a.task("", 0)
	assert.Equal(t, []state{{id, "queued", 1, info, ""}}, b.poll(), "not scheduled yet")
	assert.Equal(t, []state{{id, "queued", 1, info, ""}}, b.poll(), "still not")
	a.task("queued", 1, "queued_when", a.now)
	assert.Equal(t, []state{{id, "queued", 1, info, ""}}, b.poll())
	a.task("running", 1, "start_date", a.now)
	assert.Equal(t, []state{{id, "running", 1, info, ""}}, b.poll())
	running := b.uids()
	assert.Equal(t, []state{{id, "running", 1, info, ""}}, b.poll(), "slow but healthy")
	assert.NotEqual(t, running, b.uids(), "a confirmation is an event of its own")
	a.task("up_for_retry", 1, "end_date", a.now)
	assert.Equal(t, []state{{id, "retrying", 1, warn, "SourceError"}}, b.poll(), "Airflow will try again by itself")
	assert.Equal(t, []state{{id, "retrying", 1, info, ""}}, b.poll(), "still waiting")
	a.task("running", 2, "start_date", a.now)
	assert.Equal(t, []state{{id, "running", 2, info, ""}}, b.poll())
	a.task("success", 2, "end_date", a.now)
	assert.Equal(t, []state{{id, "succeeded", 2, info, ""}}, b.poll())
	assert.Empty(t, b.poll())

	// Cleared by a person, and failed for good.
	a.task("", 2, "max_tries", 3)
	assert.Equal(t, []state{{id, "queued", 3, info, ""}}, b.poll(), "waits for its third try")
	a.task("failed", 3, "start_date", a.now, "end_date", a.now)
	assert.Equal(t, []state{{id, "failed", 3, fatal, "BugError"}}, b.poll())
	assert.Empty(t, b.poll())
	assert.Zero(t, a.count("/api/v2/dags/d/dagRuns/r/taskInstances/t/tries"), "nothing was missed, so nobody asked")
	require.NoError(t, b.err)

	a.task("upstream_failed", 3, "end_date", a.now, "id", "x")
	assert.Equal(t, []state{{id, "upstream_failed", 3, warn, ""}}, b.poll())
	first := b.uids()
	a.task("upstream_failed", 3, "id", "y")
	assert.Equal(t, []state{{id, "upstream_failed", 3, warn, ""}}, b.poll(), "cleared and reached again, with the dates of before")
	assert.NotEqual(t, first, b.uids())
	assert.Equal(t, a.now.Add(-b.cfg.CollectionInterval), b.records(vocab.EventPipelineRun)[0].Timestamp().AsTime())
	a.task("removed", 3, "end_date", a.now)
	assert.Equal(t, []state{{id, "skipped", 3, info, ""}}, b.poll())
	a.task("of a later version", 3)
	assert.Equal(t, []state{{id, "other", 3, info, ""}}, b.poll())
}

func TestTriesBetweenTwoPollsAreTold(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	a := b.airflow
	a.logs["d/r/t/-1/1"], a.logs["d/r/t/-1/2"] = logOf("FirstError"), logOf("SecondError")
	a.task("running", 1, "start_date", a.now)
	assert.Len(t, b.poll(), 1)

	// When it fails, is retried, fails for good, is cleared and succeeds within one interval
	first, second := a.now.Add(time.Second), a.now.Add(2*time.Second)
	a.tries["d/r/t/-1"] = []map[string]any{try(1, 1, "failed", first), try(2, 1, "failed", second), try(3, 3, "success", a.now)}
	a.task("success", 3, "start_date", a.now, "end_date", a.now)

	// Then each try has its record, with its own exception
	assert.Equal(t, []state{
		{"d/r/t", "retrying", 1, warn, "FirstError"},
		{"d/r/t", "failed", 2, fatal, "SecondError"},
		{"d/r/t", "succeeded", 3, info, ""},
	}, b.poll())
	at := b.records(vocab.EventPipelineRun)[0].Timestamp().AsTime()
	assert.Equal(t, first, at)
	assert.Empty(t, b.poll())
}

func TestAFailureThatWasClearedAtOnceIsTold(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	a := b.airflow
	a.task("running", 1, "start_date", a.now)
	b.poll()
	a.logs["d/r/t/-1/1"] = logOf("FirstError")
	a.tries["d/r/t/-1"] = []map[string]any{try(1, 0, "failed", a.now), try(1, 0, "", a.now)}
	a.task("", 1)
	assert.Equal(t, []state{{"d/r/t", "failed", 1, fatal, "FirstError"}, {"d/r/t", "queued", 2, info, ""}}, b.poll())
	assert.Equal(t, []state{{"d/r/t", "queued", 2, info, ""}}, b.poll())
}

func TestDAGRunsThatAreClearedAndFailAgain(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	a := b.airflow
	a.run("running", "start_date", a.now)
	assert.Equal(t, []state{{"d/r", "running", 0, info, ""}}, b.poll())
	a.run("failed", "end_date", a.now)
	assert.Equal(t, []state{{"d/r", "failed", 0, fatal, ""}}, b.poll())
	first := b.uids()
	assert.Empty(t, b.poll())
	a.run("failed", "end_date", a.now) // cleared, run again and failed between two polls
	assert.Equal(t, []state{{"d/r", "failed", 0, fatal, ""}}, b.poll())
	assert.NotEqual(t, first, b.uids())
}

func TestARecordSaysWhereTheRunIsAndWhoseItIs(t *testing.T) {
	t.Parallel()
	b := newBench(t, func(c *Config) { c.Instance, c.Namespace = "prod", "ns" })
	a := b.airflow
	a.static["/api/v2/dags"] = `{"dags":[{"dag_id":"d","is_paused":true,"owners":["b","a","b"]}],"total_entries":1}`
	a.static["/api/v2/dags/d/tasks"] = `{"tasks":[{"task_id":"t","owner":"c"}],"total_entries":1}`
	a.task("running", 2, "map_index", 3, "start_date", a.now)
	b.poll()
	r := b.records(vocab.EventPipelineRun)[0]
	got := r.Attributes().AsRaw()
	delete(got, "log.record.uid")
	assert.Equal(t, map[string]any{
		vocab.PipelineNamespace: "ns", vocab.PipelineName: "d.t", vocab.PipelineKind: "task",
		vocab.PipelineParentNamespace: "ns", vocab.PipelineParentName: "d",
		vocab.RunID: "d/r/t/3", vocab.RunState: "running", vocab.RunAttempt: int64(2), vocab.RunConfirmed: true,
		vocab.RunStartTime: "2026-11-24T08:27:00Z", vocab.RunURL: "https://airflow.example/dags/d/runs/r/tasks/t/mapped/3?try_number=2",
		vocab.PlatformKind: "airflow", vocab.PlatformInstance: "prod",
		vocab.AirflowDAGID: "d", vocab.AirflowDAGRunID: "r", vocab.AirflowTaskID: "t", vocab.AirflowMapIndex: int64(3), vocab.AirflowTryNumber: int64(2),
		vocab.PipelineOwner: "c", vocab.PipelinePaused: true,
	}, got)
	assert.Equal(t, b.clock.Add(-b.cfg.CollectionInterval), r.ObservedTimestamp().AsTime())
	assert.Equal(t, map[string]any{
		vocab.ServiceName: "airflow/prod", vocab.DataSourceName: "airflow", vocab.PlatformKind: "airflow", vocab.PlatformInstance: "prod",
	}, b.logs[0].ResourceLogs().At(0).Resource().Attributes().AsRaw())
}

func TestWhatWasRefusedComesAgain(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	a := b.airflow
	a.logs["d/r/t/-1/1"] = logOf("SourceError")
	a.static["/api/v2/dags"] = `{"dags":[{"dag_id":"d"}],"total_entries":1}`
	a.static["/api/v2/dags/d/tasks"] = `{"tasks":[{"task_id":"t"}],"total_entries":1}`
	a.static["/api/v2/importErrors"] = `{"import_errors":[{"filename":"f.py","stack_trace":"E: x"}],"total_entries":1}`
	a.task("failed", 1, "start_date", a.now, "end_date", a.now)
	a.run("failed", "end_date", a.now)

	b.refuse = errors.New("the queue is full")
	for range 3 {
		assert.Empty(t, b.poll())
	}
	require.ErrorContains(t, b.err, "the queue is full")
	assert.Positive(t, b.total("airflow_errors", "refused"))

	// Far longer than the overlap later, everything is still told.
	a.wait(time.Hour)
	b.refuse = nil
	assert.Equal(t, []state{{"d/r/t", "failed", 1, fatal, "SourceError"}, {"d/r", "failed", 0, fatal, ""}}, b.poll())
	assert.Len(t, b.records(vocab.EventPipelineDefinition), 2)
	assert.Len(t, b.records(vocab.EventImportError), 1)
	require.NoError(t, b.err)
	require.Len(t, b.metrics, 1)
	assert.Positive(t, b.metrics[0].DataPointCount())
	assert.Empty(t, b.poll())
}

func TestWhatIsRefusedForGoodIsNotSentAgain(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	b.airflow.task("success", 1, "end_date", b.airflow.now)
	b.refuse = consumererror.NewPermanent(errors.New("no"))
	b.poll()
	b.refuse = nil
	assert.Empty(t, b.poll())
	m, err := b.tel.GetMetric("otelcol_airflow_records_dropped")
	require.NoError(t, err)
	assert.EqualValues(t, 1, plain(m))
}

func TestAllIsToldInTheEndWhereBoundsHoldItBack(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		edit  func(*Config)
		bound string
	}{
		"pages":   {func(c *Config) { c.PageSize, c.MaxPages = 1, 1 }, "pages"},
		"details": {func(c *Config) { c.MaxDetails = 2 }, "details"},
		"both":    {func(c *Config) { c.PageSize, c.MaxPages, c.MaxDetails = 2, 1, 1 }, "pages"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, tc.edit)
			a := b.airflow
			want := map[state]int{}
			for i := range 7 {
				id := fmt.Sprintf("t%d", i)
				a.logs["d/r/"+id+"/-1/1"] = logOf("SourceError")
				a.task("failed", 1, "task_id", id, "end_date", a.now)
				want[state{"d/r/" + id, "failed", 1, fatal, "SourceError"}] = 1
			}
			got := map[state]int{}
			for range 10 {
				for _, s := range b.poll() {
					got[s]++
				}
				require.NoError(t, b.err)
			}
			assert.Equal(t, want, got)
			assert.Positive(t, b.total("airflow_bounds", tc.bound))
		})
	}
}

func TestALogThatCannotBeReadDoesNotHoldAFailureBackForEver(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	a := b.airflow
	a.task("failed", 1, "end_date", a.now)
	a.fault = func(w http.ResponseWriter, r *http.Request) bool {
		if !strings.Contains(r.URL.Path, "/logs/") {
			return false
		}
		w.WriteHeader(500)
		return true
	}
	assert.Empty(t, b.poll())
	assert.Empty(t, b.poll())
	assert.Equal(t, []state{{"d/r/t", "failed", 1, fatal, ""}}, b.poll())
	assert.EqualValues(t, 1, b.total("airflow_errors", "log_server"))
	assert.Empty(t, b.poll())
}

func TestATaskWithoutExceptionTellsItsLastError(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	a := b.airflow
	a.logs["d/r/t/-1/1"] = `{"event":"::group::x"}` + "\n" + `{"event":"Process terminated by signal -9","level":"critical"}` + "\n"
	a.task("failed", 1, "end_date", a.now)
	b.poll()
	r := b.records(vocab.EventPipelineRun)[0]
	message, _ := r.Attributes().Get(vocab.ExceptionMessage)
	assert.Equal(t, "Process terminated by signal -9", message.Str())
	assert.Equal(t, "Process terminated by signal -9", r.Body().Str())
}

func TestWhyTheSchedulerFailedATask(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	a := b.airflow
	a.logs["d/r/t/-1/1"] = `{"event":"working","level":"info"}` + "\n"
	a.static["/api/v2/eventLogs"] = recorded(t, "event_logs.json")
	a.task("failed", 1, "end_date", a.now)
	b.poll()
	require.NoError(t, b.err)
	r := b.records(vocab.EventPipelineRun)[0]
	message, _ := r.Attributes().Get(vocab.ExceptionMessage)
	assert.Contains(t, message.Str(), "state mismatch: Executor LocalExecutor")
	assert.Equal(t, "working", r.Body().Str())

	// Nobody needs to be asked where the log tells, and nobody has to be allowed to.
	a.logs["d/r/u/-1/1"] = logOf("SourceError")
	asked := a.count("/api/v2/eventLogs")
	a.task("failed", 1, "task_id", "u", "end_date", a.now)
	b.poll()
	assert.Equal(t, asked, a.count("/api/v2/eventLogs"))
	a.logs["d/r/v/-1/1"] = ""
	a.fault = only("/eventLogs", status(403))
	a.task("failed", 1, "task_id", "v", "end_date", a.now)
	assert.Equal(t, []state{{"d/r/v", "failed", 1, fatal, ""}}, b.poll())
	require.NoError(t, b.err)
}

func TestWhatIsInNoListIsAskedFor(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	a := b.airflow
	a.task("running", 1, "start_date", a.now)
	a.run("running", "start_date", a.now)
	b.poll()
	// When it ends, but the row's updated_at says that it did so long ago
	a.task("success", 1, "end_date", a.now)
	a.run("success", "end_date", a.now)
	a.tasks[0].updated, a.runs[0].updated = a.now.Add(-24*time.Hour), a.now.Add(-24*time.Hour)
	assert.Equal(t, []state{{"d/r/t", "succeeded", 1, info, ""}, {"d/r", "succeeded", 0, info, ""}}, b.poll())
	assert.Empty(t, b.poll())

	// And when it is deleted, that is its end
	a.task("running", 1, "task_id", "gone")
	a.run("running", "dag_run_id", "gone")
	b.poll()
	a.tasks, a.runs = a.tasks[:1], a.runs[:1]
	assert.Equal(t, []state{{"d/r/gone", "skipped", 0, info, ""}, {"d/gone", "skipped", 0, info, ""}}, b.poll())
	asked := a.count("/api/v2/dags/d/dagRuns/r/taskInstances/gone")
	assert.Positive(t, asked)
	b.poll()
	assert.Equal(t, asked, a.count("/api/v2/dags/d/dagRuns/r/taskInstances/gone"))
}

func TestOnlyChosenDAGs(t *testing.T) {
	t.Parallel()
	b := newBench(t, func(c *Config) { c.DAGs.Exclude = []string{"d"} })
	a := b.airflow
	a.play()
	a.task("running", 1)
	a.run("running")
	for _, s := range b.poll() {
		assert.NotContains(t, s.id, "d/r")
	}
	assert.NotEmpty(t, b.logs)
}

func TestHostileRows(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	a := b.airflow
	long := fmt.Sprintf("%01001d", 0)
	a.task("running", 1, "task_id", long)
	a.task("running", 1, "task_id", "")
	a.task("running", -1, "task_id", "a")
	a.task("running", 2_000_000, "task_id", "b")
	a.task("running", 1, "task_id", "c", "map_index", -5)
	a.run("running", "dag_run_id", "")
	a.task("success", 1, "task_id", "good", "start_date", "9999-12-31T23:59:59Z", "end_date", "0001-01-01T00:00:00Z")
	assert.Equal(t, []state{{"d/r/good", "succeeded", 1, info, ""}}, b.poll())
	assert.Equal(t, a.now.Add(-b.cfg.CollectionInterval), b.records(vocab.EventPipelineRun)[0].Timestamp().AsTime(), "Airflow's clock stands in")
	assert.Positive(t, b.total("airflow_errors", "malformed"))
}
