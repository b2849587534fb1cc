package airflowreceiver

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componentstatus"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/extension/xextension/storage"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
)

type faultFunc func(w http.ResponseWriter, r *http.Request) bool

func status(code int, header ...string) faultFunc {
	return func(w http.ResponseWriter, _ *http.Request) bool {
		for i := 0; i+1 < len(header); i += 2 {
			w.Header().Set(header[i], header[i+1])
		}
		w.WriteHeader(code)
		return true
	}
}

func only(path string, f faultFunc) faultFunc {
	return func(w http.ResponseWriter, r *http.Request) bool {
		return strings.HasSuffix(r.URL.Path, path) && f(w, r)
	}
}

func half(w http.ResponseWriter, _ *http.Request) bool {
	w.Header().Set("Content-Type", "application/json")
	_, _ = io.WriteString(w, `{"task_instances":[{"dag_id":"d","dag_run_id"`)
	return true
}

// TestFailures puts a fault between the receiver and Airflow while a task fails.
// Whatever the fault, the failure is told once it is over, exactly once, and
// status and telemetry say what is the case.
func TestFailures(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		fault   faultFunc
		kind    string
		outcome string
		// told is true where the failure is told in spite of the fault.
		told bool
	}{
		"bad gateway":          {status(502), "server", "failed", false},
		"a proxy's page":       {func(w http.ResponseWriter, _ *http.Request) bool { _, _ = io.WriteString(w, "<html>"); return true }, "malformed", "failed", false},
		"half an answer":       {half, "malformed", "failed", false},
		"half a list":          {only("/taskInstances", half), "malformed", "partial", false},
		"cut off":              {func(http.ResponseWriter, *http.Request) bool { panic(http.ErrAbortHandler) }, "unreachable", "failed", false},
		"cut off at the tasks": {only("/taskInstances", func(http.ResponseWriter, *http.Request) bool { panic(http.ErrAbortHandler) }), "unreachable", "partial", false},
		"forbidden":            {only("/taskInstances", status(403)), "forbidden", "partial", false},
		"the login is gone":    {only("/auth/token", status(401)), "unauthorized", "failed", false},
		"pools break":          {only("/pools", status(500)), "server", "partial", true},
		"import errors break":  {only("/importErrors", half), "malformed", "partial", true},
		"DAGs break":           {only("/dags", status(500)), "server", "partial", true},
		"runs break":           {only("/dagRuns", status(500)), "server", "partial", true},
		"the monitor breaks":   {only("/monitor/health", half), "malformed", "partial", true},
		"the token is never enough": {func(w http.ResponseWriter, r *http.Request) bool {
			return r.URL.Path != "/auth/token" && status(401)(w, r)
		}, "unauthorized", "failed", false},
		"throttled without a number": {only("/taskInstances", status(429)), "throttled", "partial", false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, nil)
			a := b.airflow
			a.logs["d/r/t/-1/1"] = logOf("SourceError")
			failed := []state{{"d/r/t", "failed", 1, fatal, "SourceError"}}
			a.task("failed", 1, "end_date", a.now)

			a.mu.Lock()
			a.fault = tc.fault
			a.mu.Unlock()
			got := b.poll()
			if tc.told {
				assert.Equal(t, failed, got)
			} else {
				assert.Empty(t, got)
			}
			require.Error(t, b.err)
			assert.NotContains(t, b.err.Error(), "secret")
			assert.Positive(t, b.total("airflow_errors", tc.kind))
			assert.EqualValues(t, 1, b.total("airflow_polls", tc.outcome))
			assert.EqualValues(t, 0, b.up())

			// The login that was refused is not tried again for a while.
			b.clock = b.clock.Add(time.Minute)
			a.wait(time.Hour)
			b.poller.client = b.freshClient()
			a.mu.Lock()
			a.fault = nil
			a.mu.Unlock()
			got = b.poll()
			if tc.told {
				assert.Empty(t, got)
			} else {
				assert.Equal(t, failed, got)
			}
			require.NoError(t, b.err)
			assert.EqualValues(t, 1, b.total("airflow_polls", "complete"))
			assert.EqualValues(t, 1, b.up())
		})
	}
}

func TestAnExpiredTokenIsRenewed(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	a := b.airflow
	a.fault = func(w http.ResponseWriter, r *http.Request) bool {
		a.mu.Lock()
		expired := r.URL.Path != "/auth/token" && r.Header.Get("Authorization") == "Bearer t1" && a.now.Minute() > 27
		a.mu.Unlock()
		return expired && status(401)(w, r)
	}
	b.poll()
	a.wait(time.Minute)
	b.airflow.task("running", 1)
	assert.Len(t, b.poll(), 1)
	require.NoError(t, b.err)
	assert.Equal(t, 2, a.count("/auth/token"))
}

func TestRetryAfterIsKept(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	b.airflow.fault = status(429, "Retry-After", "40")
	b.poll()
	asked := b.airflow.count("/")
	b.airflow.fault = nil
	b.poll()
	b.poll()
	assert.Equal(t, asked, b.airflow.count("/"), "40 s are two polls")
	assert.EqualValues(t, 2, b.total("airflow_polls", "skipped"))
	b.poll()
	assert.Greater(t, b.airflow.count("/"), asked)
	require.NoError(t, b.err)
}

func TestAPollEndsBeforeTheNext(t *testing.T) {
	t.Parallel()
	b := newBench(t, func(c *Config) { c.CollectionInterval = 3 * time.Second })
	a := b.airflow
	a.now = time.Now().UTC()
	a.task("running", 1)
	a.run("running")
	a.fault = only("/dagRuns", func(_ http.ResponseWriter, r *http.Request) bool {
		<-r.Context().Done()
		return true
	})
	b.poller.now = time.Now
	began := time.Now()
	got := b.poll()
	assert.Less(t, time.Since(began), b.cfg.CollectionInterval)
	assert.Equal(t, []state{{"d/r/t", "running", 1, info, ""}}, got, "what was read before is delivered")
	require.Error(t, b.err, "a call that hangs is trouble")
	assert.EqualValues(t, 1, b.total("airflow_errors", "timeout"))
}

func TestMuchWorkIsNoTrouble(t *testing.T) {
	t.Parallel()
	b := newBench(t, func(c *Config) {
		c.CollectionInterval = 2 * time.Second
		c.Airflow.RateLimit, c.Airflow.RateBurst = 10, 12
	})
	a := b.airflow
	// The rate limit runs on the real clock, so Airflow's and the receiver's do too.
	b.poller.now = time.Now
	a.now = time.Now().UTC()
	for i := range 40 {
		name := "t" + strings.Repeat("x", i)
		a.logs["d/r/"+name+"/-1/1"] = logOf("SourceError")
		a.task("failed", 1, "task_id", name, "end_date", a.now)
	}
	got := map[string]int{}
	for polls := 0; len(got) < 40; polls++ {
		require.Less(t, polls, 60, "%d of 40 runs were told", len(got))
		for _, s := range b.poll() {
			got[s.id]++
		}
		require.NoError(t, b.err)
	}
	for id, n := range got {
		assert.Equal(t, 1, n, id)
	}
	assert.Positive(t, b.total("airflow_bounds", "deadline"))
}

func TestRestartWithStorageRepeatsAndLosesNothing(t *testing.T) {
	t.Parallel()
	store := &memory{data: map[string][]byte{}}
	id := component.MustNewID("memory")
	b := newBench(t, nil)
	b.cfg.Storage = &id
	b.host = hostWith{id: store}
	b.open()
	a := b.airflow
	a.static["/api/v2/importErrors"] = `{"import_errors":[{"filename":"f.py","stack_trace":"E: x"}],"total_entries":1}`
	a.logs["d/r/t/-1/1"], a.logs["d/r/t/-1/2"] = logOf("FirstError"), logOf("SecondError")
	a.task("success", 1, "task_id", "old", "end_date", a.now)
	a.task("running", 1, "start_date", a.now)
	assert.Len(t, b.poll(), 2)

	// Down for a day, in which the task fails twice, and another is cleared and succeeds
	a.wait(24 * time.Hour)
	b.clock = b.clock.Add(24 * time.Hour)
	a.tries["d/r/t/-1"] = []map[string]any{try(1, 1, "failed", a.now.Add(-2*time.Hour)), try(2, 1, "failed", a.now.Add(-time.Hour))}
	a.task("failed", 2, "end_date", a.now.Add(-time.Hour))
	a.tasks[1].updated = a.now.Add(-time.Hour)
	a.tries["d/r/old/-1"] = []map[string]any{try(1, 0, "success", a.now.Add(-24*time.Hour)), try(2, 1, "success", a.now.Add(-time.Hour))}
	a.task("success", 2, "task_id", "old", "end_date", a.now.Add(-time.Hour))
	b.open()
	assert.ElementsMatch(t, []state{
		{"d/r/t", "retrying", 1, warn, "FirstError"}, {"d/r/t", "failed", 2, fatal, "SecondError"}, {"d/r/old", "succeeded", 2, info, ""},
	}, b.poll())
	assert.Empty(t, b.records("data.platform.import_error"))
	b.open()
	assert.Empty(t, b.poll())
}

func TestRestartWithoutStorageSaysTheSameAgain(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	a := b.airflow
	a.logs["d/r/t/-1/1"] = logOf("SourceError")
	a.task("failed", 1, "end_date", a.now)
	a.run("failed", "end_date", a.now)
	first := b.poll()
	uids := b.uids()
	require.Len(t, first, 2)
	a.wait(10 * time.Minute)
	b.open()
	assert.Equal(t, first, b.poll())
	assert.Equal(t, uids, b.uids(), "so the same can be known for the same")
}

func TestStorageTrouble(t *testing.T) {
	t.Parallel()
	id := component.MustNewID("memory")
	store := &memory{data: map[string][]byte{}}
	b := newBench(t, nil)
	b.cfg.Storage = &id
	b.host = hostWith{id: store}
	b.open()
	b.airflow.task("success", 1, "end_date", b.airflow.now)
	store.err = errors.New("disk full")
	assert.Len(t, b.poll(), 1)
	require.ErrorContains(t, b.err, "disk full")
	assert.EqualValues(t, 1, b.total("airflow_errors", "storage"))
	store.err = nil
	assert.Empty(t, b.poll(), "it is remembered in memory")
	require.NoError(t, b.err)
	b.open()
	assert.Empty(t, b.poll(), "and was saved later")

	store.data["entries"] = []byte("{half")
	b.open()
	assert.Len(t, b.poll(), 1, "what cannot be read is begun anew")

	for name, host := range map[string]hostWith{"no extension": {}, "no storage extension": {id: nopComponent{}}} {
		p := b.poller
		require.ErrorContains(t, p.open(t.Context(), host), name)
	}
	store.err = errors.New("locked")
	require.ErrorContains(t, b.poller.open(t.Context(), hostWith{id: store}), "locked")
}

func TestStatusFollowsAirflow(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	host := &statusHost{Host: componenttest.NewNopHost()}
	b.host = host
	b.open()
	b.poll()
	b.poll()
	b.airflow.fault = status(500)
	b.poll()
	b.poll()
	b.airflow.fault = nil
	b.poll()
	assert.Equal(t, []componentstatus.Status{
		componentstatus.StatusOK, componentstatus.StatusRecoverableError, componentstatus.StatusOK,
	}, host.seen)
}

// up is what the receiver's gauge says.
func (b *bench) up() int64 {
	b.t.Helper()
	m, err := b.tel.GetMetric("otelcol_airflow_up")
	require.NoError(b.t, err)
	return m.Data.(metricdata.Gauge[int64]).DataPoints[0].Value
}

type statusHost struct {
	component.Host
	mu   sync.Mutex
	seen []componentstatus.Status
}

func (h *statusHost) Report(e *componentstatus.Event) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.seen = append(h.seen, e.Status())
}

type hostWith map[component.ID]component.Component

func (h hostWith) GetExtensions() map[component.ID]component.Component { return h }

type nopComponent struct {
	component.StartFunc
	component.ShutdownFunc
}

// memory is a storage extension of one client.
type memory struct {
	nopComponent
	data map[string][]byte
	err  error
}

func (m *memory) GetClient(context.Context, component.Kind, component.ID, string) (storage.Client, error) {
	return m, m.err
}

func (m *memory) Get(_ context.Context, key string) ([]byte, error) { return m.data[key], m.err }
func (m *memory) Set(_ context.Context, key string, value []byte) error {
	m.data[key] = value
	return m.err
}
func (m *memory) Delete(_ context.Context, key string) error { delete(m.data, key); return m.err }
func (m *memory) Close(context.Context) error                { return nil }

func (m *memory) Batch(_ context.Context, ops ...*storage.Operation) error {
	if m.err != nil {
		return m.err
	}
	for _, op := range ops {
		switch op.Type {
		case storage.Get:
			op.Value = m.data[op.Key]
		case storage.Set:
			m.data[op.Key] = op.Value
		case storage.Delete:
			delete(m.data, op.Key)
		}
	}
	return nil
}
