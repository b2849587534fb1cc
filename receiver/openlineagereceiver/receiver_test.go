package openlineagereceiver

import (
	"bytes"
	"compress/gzip"
	"context"
	"net"
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/consumer/consumertest"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/receiver/receivertest"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"go.opentelemetry.io/otel/sdk/metric/metricdata/metricdatatest"

	"github.com/otelcol-selfheal/otelcol-selfheal/receiver/openlineagereceiver/internal/metadata"
	"github.com/otelcol-selfheal/otelcol-selfheal/receiver/openlineagereceiver/internal/metadatatest"
)

func freePort(t *testing.T) string {
	t.Helper()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	addr := l.Addr().String()
	require.NoError(t, l.Close())
	return addr
}

func post(t *testing.T, url string, body []byte, encoding string) (int, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, bytes.NewReader(body))
	require.NoError(t, err)
	req.Header.Set("Content-Type", "application/json")
	if encoding != "" {
		req.Header.Set("Content-Encoding", encoding)
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Do(req)
	require.NoError(t, err)
	defer func() { require.NoError(t, resp.Body.Close()) }()
	var text bytes.Buffer
	_, err = text.ReadFrom(resp.Body)
	require.NoError(t, err)
	return resp.StatusCode, text.String()
}

func zipped(t *testing.T, body []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	_, err := w.Write(body)
	require.NoError(t, err)
	require.NoError(t, w.Close())
	return out.Bytes()
}

func TestOneServerForAllSignals(t *testing.T) {
	t.Parallel()
	factory := NewFactory()
	cfg := factory.CreateDefaultConfig().(*Config)
	cfg.HTTP.NetAddr.Endpoint = freePort(t)
	cfg.HTTP.MaxRequestBodySize = 1 << 20
	set := receivertest.NewNopSettings(metadata.Type)
	logs, traces, metrics := &consumertest.LogsSink{}, &consumertest.TracesSink{}, &consumertest.MetricsSink{}
	lr, err := factory.CreateLogs(t.Context(), set, cfg, logs)
	require.NoError(t, err)
	tr, err := factory.CreateTraces(t.Context(), set, cfg, traces)
	require.NoError(t, err)
	mr, err := factory.CreateMetrics(t.Context(), set, cfg, metrics)
	require.NoError(t, err)
	host := componenttest.NewNopHost()
	require.NoError(t, lr.Start(t.Context(), host))
	require.NoError(t, tr.Start(t.Context(), host))
	require.NoError(t, mr.Start(t.Context(), host))

	url := "http://" + cfg.HTTP.NetAddr.Endpoint
	code, text := post(t, url+pathSingle, encode(t, runEvent("START", runA, 0)), "")
	require.Equal(t, http.StatusOK, code, text)
	code, text = post(t, url+pathBatch, zipped(t, encode(t, []any{runEvent("COMPLETE", runA, 1)})), "gzip")
	require.Equal(t, http.StatusNoContent, code, text)
	assert.Equal(t, 2, logs.LogRecordCount())
	assert.Equal(t, 1, traces.SpanCount())
	assert.Equal(t, 1, metrics.DataPointCount())

	huge := bytes.Repeat([]byte(" "), 2<<20)
	code, text = post(t, url+pathSingle, huge, "")
	assert.Equal(t, http.StatusRequestEntityTooLarge, code)
	assert.Contains(t, text, "max_request_body_size")
	code, text = post(t, url+pathSingle, zipped(t, huge), "gzip")
	assert.Equal(t, http.StatusRequestEntityTooLarge, code, text)
	code, _ = post(t, url+pathSingle, []byte("no gzip"), "gzip")
	assert.Equal(t, http.StatusBadRequest, code)

	ctx := context.WithoutCancel(t.Context())
	require.NoError(t, lr.Shutdown(ctx))
	code, _ = post(t, url+pathSingle, encode(t, runEvent("START", runB, 0)), "")
	require.Equal(t, http.StatusOK, code, "two signals are still up")
	require.NoError(t, tr.Shutdown(ctx))
	require.NoError(t, mr.Shutdown(ctx))
}

func TestAPortThatIsTakenFailsTheStart(t *testing.T) {
	t.Parallel()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer func() { require.NoError(t, l.Close()) }()
	factory := NewFactory()
	cfg := factory.CreateDefaultConfig().(*Config)
	cfg.HTTP.NetAddr.Endpoint = l.Addr().String()
	r, err := factory.CreateLogs(t.Context(), receivertest.NewNopSettings(metadata.Type), cfg, consumertest.NewNop())
	require.NoError(t, err)
	require.ErrorContains(t, r.Start(t.Context(), componenttest.NewNopHost()), "address already in use")
	require.NoError(t, r.Shutdown(t.Context()))
}

func TestRequestsBeyondTheBoundAreToldToComeAgain(t *testing.T) {
	t.Parallel()
	h := newHarness(t, func(c *Config) { c.MaxRequestsInFlight = 1 })
	inside, leave := make(chan struct{}), make(chan struct{})
	next, err := consumer.NewLogs(func(context.Context, plog.Logs) error {
		close(inside)
		<-leave
		return nil
	})
	require.NoError(t, err)
	h.receiver.sink.logs = next
	first := make(chan int)
	body := encode(t, runEvent("START", runA, 0))
	go func() { first <- h.post(pathSingle, body).Code }()
	<-inside
	w := h.post(pathSingle, encode(t, runEvent("START", runB, 0)))
	assert.Equal(t, http.StatusServiceUnavailable, w.Code)
	assert.Equal(t, "1", w.Header().Get("Retry-After"))
	close(leave)
	assert.Equal(t, http.StatusOK, <-first)
	metadatatest.AssertEqualOpenlineageRequestsRefused(t, h.telemetry, []metricdata.DataPoint[int64]{{Value: 1}}, metricdatatest.IgnoreTimestamp())
}

func TestOwnTelemetryCountsOutcomes(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	h.send(runEvent("START", runA, 0))
	h.send(runEvent("START", runA, 0))
	h.post(pathSingle, []byte("{}"))
	h.refuse(errBusy, nil, nil)
	h.post(pathSingle, encode(t, runEvent("START", runB, 0)))
	of := func(outcome string) metricdata.DataPoint[int64] {
		return metricdata.DataPoint[int64]{Value: 1, Attributes: attribute.NewSet(attribute.String("outcome", outcome))}
	}
	metadatatest.AssertEqualOpenlineageEvents(t, h.telemetry,
		[]metricdata.DataPoint[int64]{of("accepted"), of("duplicate"), of("invalid"), of("retry")}, metricdatatest.IgnoreTimestamp())
	metadatatest.AssertEqualOpenlineageRunsRunning(t, h.telemetry, []metricdata.DataPoint[int64]{{Value: 2}}, metricdatatest.IgnoreTimestamp())
}
