package airflowreceiver

import (
	"flag"
	"path/filepath"
	"testing"

	"github.com/open-telemetry/opentelemetry-collector-contrib/pkg/golden"
	"github.com/open-telemetry/opentelemetry-collector-contrib/pkg/pdatatest/plogtest"
	"github.com/open-telemetry/opentelemetry-collector-contrib/pkg/pdatatest/pmetrictest"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/plog"
)

var update = flag.Bool("update", false, "write the expected files anew")

// TestRecorded plays back what a real Airflow 3.3.2 answered: a run in which one of
// three mapped tasks failed and another task failed twice with a retry, was
// cleared, and failed twice again; a file that cannot be imported; a scheduled DAG.
func TestRecorded(t *testing.T) {
	b := newBench(t, nil)
	b.airflow.play()
	b.poll()
	require.NoError(t, b.err)

	got := plog.NewLogs()
	for _, l := range b.logs {
		l.ResourceLogs().At(0).CopyTo(got.ResourceLogs().AppendEmpty())
	}
	require.Len(t, b.metrics, 1)
	logsFile, metricsFile := filepath.Join("testdata", "recorded", "logs.yaml"), filepath.Join("testdata", "recorded", "metrics.yaml")
	if *update {
		require.NoError(t, golden.WriteLogs(t, logsFile, got))
		require.NoError(t, golden.WriteMetrics(t, metricsFile, b.metrics[0], golden.SkipMetricTimestampNormalization()))
	}
	want, err := golden.ReadLogs(logsFile)
	require.NoError(t, err)
	require.NoError(t, plogtest.CompareLogs(want, got, plogtest.IgnoreResourceLogsOrder()))
	wantMetrics, err := golden.ReadMetrics(metricsFile)
	require.NoError(t, err)
	require.NoError(t, pmetrictest.CompareMetrics(wantMetrics, b.metrics[0], pmetrictest.IgnoreResourceMetricsOrder(), pmetrictest.IgnoreMetricsOrder(),
		pmetrictest.IgnoreMetricDataPointsOrder(), pmetrictest.IgnoreStartTimestamp(), pmetrictest.IgnoreScopeVersion()))

	text := string(mustMarshal(t, got))
	for _, secret := range []string{"hunter2", "token=abc"} {
		assert.NotContains(t, text, secret)
	}

	// A second poll has nothing to add: all has ended.
	assert.Empty(t, b.poll())
	assert.Empty(t, b.logs)
}

func mustMarshal(t *testing.T, l plog.Logs) []byte {
	t.Helper()
	raw, err := (&plog.JSONMarshaler{}).MarshalLogs(l)
	require.NoError(t, err)
	return raw
}
