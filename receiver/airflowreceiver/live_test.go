package airflowreceiver

import (
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/config/configopaque"
	"go.opentelemetry.io/collector/consumer/consumertest"
	"go.opentelemetry.io/collector/receiver/receivertest"

	"github.com/otelcol-selfheal/otelcol-selfheal/internal/vocab"
	"github.com/otelcol-selfheal/otelcol-selfheal/receiver/airflowreceiver/internal/metadata"
)

// TestLive polls a real Airflow, named by SELFHEAL_AIRFLOW_URL with
// SELFHEAL_AIRFLOW_USER and SELFHEAL_AIRFLOW_PASSWORD. It changes nothing there.
func TestLive(t *testing.T) {
	url := os.Getenv("SELFHEAL_AIRFLOW_URL")
	if url == "" {
		t.Skip("SELFHEAL_AIRFLOW_URL is not set")
	}
	cfg := createDefaultConfig().(*Config)
	cfg.Airflow.ClientConfig.Endpoint = url
	cfg.Airflow.Username = os.Getenv("SELFHEAL_AIRFLOW_USER")
	cfg.Airflow.Password = configopaque.String(os.Getenv("SELFHEAL_AIRFLOW_PASSWORD"))
	cfg.Airflow.ClientConfig.Headers.Set("Connection", "close") // so that none outlives the test
	cfg.Lookback = 24 * time.Hour
	p, err := newPoller(receivertest.NewNopSettings(metadata.Type), cfg)
	require.NoError(t, err)
	logs, metrics := new(consumertest.LogsSink), new(consumertest.MetricsSink)
	p.logs, p.metrics = logs, metrics
	require.NoError(t, p.open(t.Context(), componenttest.NewNopHost()))
	t.Cleanup(func() { assert.NoError(t, p.Shutdown(t.Context())) })

	require.NoError(t, p.poll(t.Context()))
	events := map[string]int{}
	for _, batch := range logs.AllLogs() {
		records := batch.ResourceLogs().At(0).ScopeLogs().At(0).LogRecords()
		for i := range records.Len() {
			events[records.At(i).EventName()]++
			uid, ok := records.At(i).Attributes().Get("log.record.uid")
			assert.True(t, ok && len(uid.Str()) == 32)
			if testing.Verbose() {
				t.Log(records.At(i).EventName(), records.At(i).SeverityText(), records.At(i).Attributes().AsRaw())
			}
		}
	}
	t.Log(events, metrics.DataPointCount(), "points")
	assert.Positive(t, events[vocab.EventPipelineDefinition])
	assert.Positive(t, metrics.DataPointCount())

	// A second poll finds nothing new about what has ended.
	before := logs.LogRecordCount()
	open := 0
	for _, e := range p.ledger.Unseen(time.Unix(1<<40, 0), true, 1000) {
		t.Log("open", e)
		open++
	}
	open += len(p.ledger.Unseen(time.Unix(1<<40, 0), false, 1000))
	require.NoError(t, p.poll(t.Context()))
	assert.InDelta(t, open, logs.LogRecordCount()-before, float64(open)+2)
}
