package airflowreceiver

import (
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/consumer/consumertest"
	"go.opentelemetry.io/collector/receiver/receivertest"

	"github.com/otelcol-selfheal/otelcol-selfheal/receiver/airflowreceiver/internal/metadata"
)

func TestOnePollServesBothSignals(t *testing.T) {
	t.Parallel()
	a := newFakeAirflow(t)
	a.task("running", 1)
	factory := NewFactory()
	cfg := factory.CreateDefaultConfig().(*Config)
	cfg.Airflow.ClientConfig.Endpoint = a.url
	cfg.CollectionInterval = time.Second
	logs, metrics := new(consumertest.LogsSink), new(consumertest.MetricsSink)
	set := receivertest.NewNopSettings(metadata.Type)
	l, err := factory.CreateLogs(t.Context(), set, cfg, logs)
	require.NoError(t, err)
	m, err := factory.CreateMetrics(t.Context(), set, cfg, metrics)
	require.NoError(t, err)
	host := componenttest.NewNopHost()
	require.NoError(t, l.Start(t.Context(), host))
	require.NoError(t, m.Start(t.Context(), host))
	assert.Eventually(t, func() bool { return logs.LogRecordCount() >= 2 && len(metrics.AllMetrics()) >= 2 }, 10*time.Second, 10*time.Millisecond)
	require.NoError(t, l.Shutdown(t.Context()))
	require.NoError(t, m.Shutdown(t.Context()))
	assert.InDelta(t, len(metrics.AllMetrics()), a.count("/api/v2/pools"), 1)
}

func TestShutdownEndsAPollThatHangs(t *testing.T) {
	t.Parallel()
	a := newFakeAirflow(t)
	hung := make(chan struct{}, 1)
	a.fault = func(_ http.ResponseWriter, r *http.Request) bool {
		hung <- struct{}{}
		<-r.Context().Done()
		return true
	}
	factory := NewFactory()
	cfg := factory.CreateDefaultConfig().(*Config)
	cfg.Airflow.ClientConfig.Endpoint = a.url
	r, err := factory.CreateLogs(t.Context(), receivertest.NewNopSettings(metadata.Type), cfg, consumertest.NewNop())
	require.NoError(t, err)
	require.NoError(t, r.Start(t.Context(), componenttest.NewNopHost()))
	<-hung
	began := time.Now()
	require.NoError(t, r.Shutdown(t.Context()))
	require.NoError(t, r.Shutdown(t.Context()))
	assert.Less(t, time.Since(began), 5*time.Second)
}
