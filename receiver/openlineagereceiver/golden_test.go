package openlineagereceiver

import (
	"encoding/json"
	"flag"
	"net/http"
	"path/filepath"
	"testing"

	"github.com/open-telemetry/opentelemetry-collector-contrib/pkg/golden"
	"github.com/open-telemetry/opentelemetry-collector-contrib/pkg/pdatatest/plogtest"
	"github.com/open-telemetry/opentelemetry-collector-contrib/pkg/pdatatest/pmetrictest"
	"github.com/open-telemetry/opentelemetry-collector-contrib/pkg/pdatatest/ptracetest"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/ptrace"
)

var update = flag.Bool("update", false, "write the expected files anew")

// TestGolden replays what real senders sent, event by event in the order of
// arrival, and compares all that came of it.
func TestGolden(t *testing.T) {
	t.Parallel()
	inputs, err := filepath.Glob("testdata/*/*/input.json")
	require.NoError(t, err)
	require.NotEmpty(t, inputs)
	for _, input := range inputs {
		dir := filepath.Dir(input)
		t.Run(dir, func(t *testing.T) {
			t.Parallel()
			var events []json.RawMessage
			require.NoError(t, json.Unmarshal(readAll(t, input), &events))
			h := newHarness(t)
			for i, e := range events {
				w := h.post(pathSingle, e)
				require.Equal(t, http.StatusOK, w.Code, "event %d: %s", i, w.Body)
			}
			logs, traces, metrics := plog.NewLogs(), ptrace.NewTraces(), pmetric.NewMetrics()
			for _, ld := range h.logs.AllLogs() {
				ld.ResourceLogs().MoveAndAppendTo(logs.ResourceLogs())
			}
			for _, td := range h.traces.AllTraces() {
				td.ResourceSpans().MoveAndAppendTo(traces.ResourceSpans())
			}
			for _, md := range h.metrics.AllMetrics() {
				md.ResourceMetrics().MoveAndAppendTo(metrics.ResourceMetrics())
			}
			compareGolden(t, dir, logs, traces, metrics)
		})
	}
}

func compareGolden(t *testing.T, dir string, logs plog.Logs, traces ptrace.Traces, metrics pmetric.Metrics) {
	t.Helper()
	logsFile, tracesFile, metricsFile := filepath.Join(dir, "logs.yaml"), filepath.Join(dir, "traces.yaml"), filepath.Join(dir, "metrics.yaml")
	if *update {
		require.NoError(t, golden.WriteLogsToFile(logsFile, logs))
		require.NoError(t, golden.WriteTracesToFile(tracesFile, traces))
		require.NoError(t, golden.WriteMetricsToFile(metricsFile, metrics, golden.SkipMetricTimestampNormalization()))
	}
	for _, file := range []string{logsFile, tracesFile} {
		require.NotContains(t, string(readAll(t, file)), "hunter2", "a password got into %s", file)
	}
	wantLogs, err := golden.ReadLogs(logsFile)
	require.NoError(t, err)
	require.NoError(t, plogtest.CompareLogs(wantLogs, logs, plogtest.IgnoreResourceLogsOrder()))
	wantTraces, err := golden.ReadTraces(tracesFile)
	require.NoError(t, err)
	require.NoError(t, ptracetest.CompareTraces(wantTraces, traces, ptracetest.IgnoreResourceSpansOrder()))
	wantMetrics, err := golden.ReadMetrics(metricsFile)
	require.NoError(t, err)
	require.NoError(t, pmetrictest.CompareMetrics(wantMetrics, metrics, pmetrictest.IgnoreStartTimestamp(), pmetrictest.IgnoreResourceMetricsOrder()))
}
