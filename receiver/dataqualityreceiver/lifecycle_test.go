package dataqualityreceiver

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/consumer/consumertest"
	"go.opentelemetry.io/collector/extension/extensiontest"
	"go.opentelemetry.io/collector/extension/xextension/storage"
	"go.opentelemetry.io/collector/receiver/receivertest"

	"github.com/open-telemetry/opentelemetry-collector-contrib/extension/storage/filestorage"

	"github.com/otelcol-selfheal/otelcol-selfheal/receiver/dataqualityreceiver/internal/metadata"
)

type host map[component.ID]component.Component

func (h host) GetExtensions() map[component.ID]component.Component { return h }

// Both signals come from one set of polls, and a real storage extension lets
// the next process know what this one saw.
func TestBothSignalsWithARealStorage(t *testing.T) {
	t.Parallel()
	w := newWarehouse(t, createOrders)
	folder := t.TempDir()
	id := component.MustNewID("file_storage")
	session := func(during func(metrics *consumertest.MetricsSink, logs *consumertest.LogsSink)) {
		factory := filestorage.NewFactory()
		storing := factory.CreateDefaultConfig().(*filestorage.Config)
		storing.Directory = folder
		extension, err := factory.Create(t.Context(), extensiontest.NewNopSettings(factory.Type()), storing)
		require.NoError(t, err)
		require.NoError(t, extension.Start(t.Context(), componenttest.NewNopHost()))

		cfg := w.config(orders)
		cfg.CollectionInterval, cfg.InitialDelay, cfg.Storage = 10*time.Millisecond, 0, &id
		f := NewFactory()
		set := receivertest.NewNopSettings(metadata.Type)
		set.ID = component.NewID(metadata.Type) // the same in both sessions
		var metrics consumertest.MetricsSink
		var logs consumertest.LogsSink
		forMetrics, err := f.CreateMetrics(t.Context(), set, cfg, &metrics)
		require.NoError(t, err)
		forLogs, err := f.CreateLogs(t.Context(), set, cfg, &logs)
		require.NoError(t, err)
		assert.Same(t, forMetrics, forLogs)
		h := host{id: extension.(storage.Extension)}
		require.NoError(t, forMetrics.Start(t.Context(), h))
		require.NoError(t, forLogs.Start(t.Context(), h))
		during(&metrics, &logs)
		require.NoError(t, forLogs.Shutdown(t.Context()))
		require.NoError(t, forMetrics.Shutdown(t.Context()))
		require.NoError(t, extension.Shutdown(t.Context()))
	}
	session(func(metrics *consumertest.MetricsSink, logs *consumertest.LogsSink) {
		require.Eventually(t, func() bool { return len(metrics.AllMetrics()) > 2 }, 10*time.Second, time.Millisecond)
		assert.Zero(t, logs.LogRecordCount())
	})
	w.exec(t, `ALTER TABLE orders ADD COLUMN note TEXT`)
	session(func(_ *consumertest.MetricsSink, logs *consumertest.LogsSink) {
		require.Eventually(t, func() bool { return logs.LogRecordCount() > 0 }, 10*time.Second, time.Millisecond)
	})
}

func TestStartNamesTheStorageThatIsMissing(t *testing.T) {
	t.Parallel()
	w := newWarehouse(t, createOrders)
	cfg := w.config(orders)
	id := component.MustNewID("file_storage")
	cfg.Storage = &id
	r := newRig(t, cfg, nil)
	require.ErrorContains(t, r.Start(t.Context(), host{}), "storage: there is no extension file_storage")
	require.ErrorContains(t, r.Start(t.Context(), host{id: componentOnly{}}), "storage: extension file_storage stores nothing")
	require.NoError(t, r.Shutdown(t.Context()))
}

type componentOnly struct{ component.Component }
