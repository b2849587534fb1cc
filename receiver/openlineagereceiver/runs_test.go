package openlineagereceiver

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/otelcol-selfheal/otelcol-selfheal/internal/vocab"
	"github.com/otelcol-selfheal/otelcol-selfheal/receiver/openlineagereceiver/internal/spans"
)

func timing(s ptrace.Span) string {
	v, _ := s.Attributes().Get(vocab.RunTiming)
	return v.Str()
}

func TestWhenARunBecomesASpan(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		events     []object
		start, end int // minutes after noon
		timing     string
		status     ptrace.StatusCode
		durations  int
	}{
		"in order":            {[]object{runEvent("START", runA, 0), runEvent("RUNNING", runA, 1), runEvent("COMPLETE", runA, 2)}, 0, 2, "exact", ptrace.StatusCodeOk, 1},
		"two starts":          {[]object{runEvent("START", runA, 1), runEvent("START", runA, 0), runEvent("COMPLETE", runA, 2)}, 0, 2, "exact", ptrace.StatusCodeOk, 1},
		"the end alone":       {[]object{runEvent("FAIL", runA, 2)}, 2, 2, "start_unknown", ptrace.StatusCodeError, 0},
		"the start last":      {[]object{runEvent("COMPLETE", runA, 2), runEvent("START", runA, 0)}, 2, 2, "start_unknown", ptrace.StatusCodeOk, 0},
		"clocks disagree":     {[]object{runEvent("START", runA, 5), runEvent("ABORT", runA, 2)}, 2, 2, "clocks_disagree", ptrace.StatusCodeError, 0},
		"two ends":            {[]object{runEvent("START", runA, 0), runEvent("FAIL", runA, 2), runEvent("COMPLETE", runA, 3)}, 0, 2, "exact", ptrace.StatusCodeError, 1},
		"words after the end": {[]object{runEvent("START", runA, 0), runEvent("COMPLETE", runA, 2), runEvent("OTHER", runA, 3)}, 0, 2, "exact", ptrace.StatusCodeOk, 1},
		"no length":           {[]object{runEvent("START", runA, 2), runEvent("COMPLETE", runA, 2)}, 2, 2, "exact", ptrace.StatusCodeOk, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHarness(t)
			for _, e := range c.events {
				h.send(e)
			}
			require.Len(t, h.records(), len(c.events), "every event is a record")
			require.Len(t, h.spans(), 1)
			s := h.spans()[0]
			assert.Equal(t, noon.Add(time.Duration(c.start)*time.Minute), s.StartTimestamp().AsTime())
			assert.Equal(t, noon.Add(time.Duration(c.end)*time.Minute), s.EndTimestamp().AsTime())
			assert.Equal(t, c.timing, timing(s))
			assert.Equal(t, c.status, s.Status().Code())
			assert.Len(t, h.points(), c.durations, "only runs whose length is known have one")
		})
	}
}

func TestARunThatNeverEndsIsGivenUp(t *testing.T) {
	t.Parallel()
	h := newHarness(t, func(c *Config) { c.RunTimeout = time.Hour })
	h.send(runEvent("START", runA, 0))
	h.wait(59 * time.Minute)
	h.send(runEvent("RUNNING", runA, 59))
	h.wait(59 * time.Minute)
	require.NoError(t, h.receiver.sink.sweep(t.Context()))
	require.Empty(t, h.spans(), "it was heard of less than an hour ago")

	// When the hour is over, and the pipeline refuses once
	h.wait(time.Minute)
	h.refuse(nil, errBusy, nil)
	require.Error(t, h.receiver.sink.sweep(t.Context()))
	h.refuse(nil, nil, nil)
	for range 2 {
		require.NoError(t, h.receiver.sink.sweep(t.Context()))
	}
	require.Len(t, h.spans(), 1)
	s := h.spans()[0]
	assert.Equal(t, "unfinished", timing(s))
	assert.Equal(t, ptrace.StatusCodeError, s.Status().Code())
	assert.Contains(t, s.Status().Message(), "within 1h0m0s")
	assert.Equal(t, noon.Add(59*time.Minute), s.EndTimestamp().AsTime())

	// Then a late end is told, and makes no second span.
	h.send(runEvent("COMPLETE", runA, 120))
	require.Len(t, h.spans(), 1)
	require.Len(t, h.records(), 3)
}

func TestParentAndRootMakeTheTree(t *testing.T) {
	t.Parallel()
	parent := func(run, root string) func(object) {
		f := facet("run", object{"runId": run}, "job", object{"namespace": "shop", "name": "dag"})
		if root != "" {
			f["root"] = object{"run": object{"runId": root}, "job": object{"namespace": "shop", "name": "dag"}}
		}
		return with("run", "facets", object{"parent": f})
	}
	// Given two collectors that each hear a part
	one, two := newHarness(t), newHarness(t)
	one.send(runEvent("COMPLETE", runA, 1))
	one.send(runEvent("COMPLETE", runB, 1, parent(strings.ToUpper(runA), "")))
	two.send(runEvent("COMPLETE", runC, 1, parent(runB, runA)))
	a, b, c := one.spans()[0], one.spans()[1], two.spans()[0]
	// Then they agree on the tree.
	assert.Equal(t, spans.TraceID(runA), a.TraceID())
	assert.Equal(t, a.TraceID(), b.TraceID())
	assert.Equal(t, a.TraceID(), c.TraceID())
	assert.True(t, a.ParentSpanID().IsEmpty())
	assert.Equal(t, a.SpanID(), b.ParentSpanID())
	assert.Equal(t, b.SpanID(), c.ParentSpanID())
	lr := two.records()[0]
	assert.Equal(t, c.TraceID(), lr.TraceID())
	assert.Equal(t, c.SpanID(), lr.SpanID())
}

func TestAFailureBecomesAnException(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	h.send(runEvent("FAIL", runA, 1, with("run", "facets", object{"errorMessage": facet(
		"message", "cannot log in to http://bob:hunter2@db", "programmingLanguage", "python",
		"stackTrace", "Traceback (most recent call last):\n  File \"/opt/dags/a.py\", line 7, in load\n    go()\nValueError: bad")})))
	s := h.spans()[0]
	require.Equal(t, 1, s.Events().Len())
	assert.Equal(t, "exception", s.Events().At(0).Name())
	for _, attrs := range []map[string]any{s.Events().At(0).Attributes().AsRaw(), h.records()[0].Attributes().AsRaw()} {
		assert.Equal(t, "ValueError", attrs[vocab.ExceptionType])
		assert.Equal(t, "/opt/dags/a.py", attrs[vocab.CodeFilePath])
		assert.Equal(t, int64(7), attrs[vocab.CodeLineNumber])
		assert.NotContains(t, attrs[vocab.ExceptionMessage], "hunter2")
	}
	assert.Equal(t, "ERROR", h.records()[0].SeverityText())
	assert.NotContains(t, s.Status().Message(), "hunter2")
	assert.NotContains(t, h.records()[0].Body().AsString(), "hunter2")
}

func TestDatasetsOfASpanAreBounded(t *testing.T) {
	t.Parallel()
	h := newHarness(t, func(c *Config) { c.Memory.RunDatasets = 2 })
	var in []any
	for _, n := range []string{"a", "b", "c", "d"} {
		in = append(in, object{"namespace": "n", "name": n})
	}
	h.send(runEvent("START", runA, 0, with("inputs", in)))
	h.send(runEvent("COMPLETE", runA, 1, with("inputs", in[:1])))
	s := h.spans()[0]
	list, _ := s.Attributes().Get(vocab.PipelineInputs)
	assert.Equal(t, []any{object{"namespace": "n", "name": "a"}, object{"namespace": "n", "name": "b"}}, list.Slice().AsRaw())
	assert.Equal(t, uint32(2), s.DroppedAttributesCount())
	list, _ = h.records()[0].Attributes().Get(vocab.PipelineInputs)
	assert.Equal(t, 4, list.Slice().Len(), "the record has all")
}

func TestTheMemoryOfRunsIsBounded(t *testing.T) {
	t.Parallel()
	h := newHarness(t, func(c *Config) { c.Memory.Runs = 1 })
	h.send(runEvent("START", runA, 0))
	h.send(runEvent("START", runB, 1))
	require.Equal(t, 1, h.receiver.sink.tracker.Running())
	h.send(runEvent("COMPLETE", runA, 2))
	assert.Equal(t, "start_unknown", timing(h.spans()[0]))
	m, err := h.telemetry.GetMetric("otelcol_openlineage_forgotten")
	require.NoError(t, err)
	assert.NotNil(t, m)
}
