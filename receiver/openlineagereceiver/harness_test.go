package openlineagereceiver

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/consumer/consumertest"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/receiver/receivertest"

	"github.com/otelcol-selfheal/otelcol-selfheal/receiver/openlineagereceiver/internal/metadata"
)

var noon = time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)

// pipelines are three pipelines that can refuse.
type pipelines struct {
	logs    consumertest.LogsSink
	traces  consumertest.TracesSink
	metrics consumertest.MetricsSink

	mu                        sync.Mutex
	logsErr, tracesErr, mxErr error
}

func (p *pipelines) refuse(logs, traces, metrics error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.logsErr, p.tracesErr, p.mxErr = logs, traces, metrics
}

func (p *pipelines) errs() (logs, traces, metrics error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.logsErr, p.tracesErr, p.mxErr
}

type harness struct {
	*pipelines
	tb        testing.TB
	telemetry *componenttest.Telemetry
	receiver  *lineageReceiver
	handler   http.Handler

	mu  sync.Mutex
	now time.Time
}

func (h *harness) clock() time.Time {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.now
}

func (h *harness) wait(d time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.now = h.now.Add(d)
}

func newHarness(tb testing.TB, change ...func(*Config)) *harness {
	tb.Helper()
	cfg := defaultConfig().(*Config)
	for _, c := range change {
		c(cfg)
	}
	require.NoError(tb, cfg.Validate())
	h := &harness{pipelines: &pipelines{}, tb: tb, now: noon, telemetry: componenttest.NewTelemetry()}
	tb.Cleanup(func() { require.NoError(tb, h.telemetry.Shutdown(context.WithoutCancel(tb.Context()))) })
	set := receivertest.NewNopSettings(metadata.Type)
	set.TelemetrySettings = h.telemetry.NewTelemetrySettings()
	r, err := newReceiver(set, cfg, h.clock)
	require.NoError(tb, err)
	h.receiver = r
	r.sink.logs, err = consumer.NewLogs(func(ctx context.Context, ld plog.Logs) error {
		if err, _, _ := h.errs(); err != nil {
			return err
		}
		return h.logs.ConsumeLogs(ctx, ld)
	})
	require.NoError(tb, err)
	r.sink.traces, err = consumer.NewTraces(func(ctx context.Context, td ptrace.Traces) error {
		if _, err, _ := h.errs(); err != nil {
			return err
		}
		return h.traces.ConsumeTraces(ctx, td)
	})
	require.NoError(tb, err)
	r.sink.metrics, err = consumer.NewMetrics(func(ctx context.Context, md pmetric.Metrics) error {
		if _, _, err := h.errs(); err != nil {
			return err
		}
		return h.metrics.ConsumeMetrics(ctx, md)
	})
	require.NoError(tb, err)
	h.handler = newHandler(r.sink, cfg)
	return h
}

// post sends a body and gives the answer.
func (h *harness) post(path string, body []byte) *httptest.ResponseRecorder {
	h.tb.Helper()
	req := httptest.NewRequestWithContext(h.tb.Context(), http.MethodPost, path, bytes.NewReader(body))
	req.Header.Set("Content-Type", "application/json")
	w := httptest.NewRecorder()
	h.handler.ServeHTTP(w, req)
	return w
}

// send sends one event that must be accepted.
func (h *harness) send(event any) {
	h.tb.Helper()
	w := h.post(pathSingle, encode(h.tb, event))
	require.Equal(h.tb, http.StatusOK, w.Code, w.Body.String())
}

func encode(tb testing.TB, v any) []byte {
	tb.Helper()
	b, err := json.Marshal(v)
	require.NoError(tb, err)
	return b
}

func (h *harness) records() []plog.LogRecord {
	var out []plog.LogRecord
	for _, ld := range h.logs.AllLogs() {
		for _, rl := range ld.ResourceLogs().All() {
			for _, sl := range rl.ScopeLogs().All() {
				for _, lr := range sl.LogRecords().All() {
					out = append(out, lr)
				}
			}
		}
	}
	return out
}

func (h *harness) spans() []ptrace.Span {
	var out []ptrace.Span
	for _, td := range h.traces.AllTraces() {
		for _, rs := range td.ResourceSpans().All() {
			for _, ss := range rs.ScopeSpans().All() {
				for _, s := range ss.Spans().All() {
					out = append(out, s)
				}
			}
		}
	}
	return out
}

// point is one metric point with what it is about.
type point struct {
	name  string
	on    string // name of the resource's dataset or job
	attrs map[string]any
	value float64
}

func (h *harness) points() []point {
	var out []point
	for _, md := range h.metrics.AllMetrics() {
		for _, rm := range md.ResourceMetrics().All() {
			about, ok := rm.Resource().Attributes().Get("data.dataset.name")
			if !ok {
				about, _ = rm.Resource().Attributes().Get("data.pipeline.name")
			}
			for _, sm := range rm.ScopeMetrics().All() {
				for _, m := range sm.Metrics().All() {
					for _, dp := range m.Gauge().DataPoints().All() {
						v := dp.DoubleValue()
						if dp.ValueType() == pmetric.NumberDataPointValueTypeInt {
							v = float64(dp.IntValue())
						}
						out = append(out, point{m.Name(), about.Str(), dp.Attributes().AsRaw(), v})
					}
				}
			}
		}
	}
	return out
}

const (
	runA = "11111111-1111-4111-8111-111111111111"
	runB = "22222222-2222-4222-8222-222222222222"
	runC = "33333333-3333-4333-8333-333333333333"
)

type object = map[string]any

// runEvent is a minimal event; minute counts from noon.
func runEvent(kind, run string, minute int, change ...func(object)) object {
	e := object{
		"eventType": kind, "eventTime": noon.Add(time.Duration(minute) * time.Minute).Format(time.RFC3339),
		"producer": "https://example.com/p", "schemaURL": "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunEvent",
		"run": object{"runId": run, "facets": object{}}, "job": object{"namespace": "shop", "name": "orders", "facets": object{}},
	}
	for _, c := range change {
		c(e)
	}
	return e
}

func facet(kv ...any) object {
	o := object{"_producer": "https://example.com/p", "_schemaURL": "https://example.com/s"}
	for i := 0; i < len(kv); i += 2 {
		o[kv[i].(string)] = kv[i+1]
	}
	return o
}

func with(path ...any) func(object) {
	return func(o object) {
		keys, value := path[:len(path)-1], path[len(path)-1]
		for _, k := range keys[:len(keys)-1] {
			o = o[k.(string)].(object)
		}
		o[keys[len(keys)-1].(string)] = value
	}
}

func readAll(tb testing.TB, path string) []byte {
	tb.Helper()
	b, err := os.ReadFile(path)
	require.NoError(tb, err)
	return b
}
