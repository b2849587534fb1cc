package anomalydetectionprocessor

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/open-telemetry/opentelemetry-collector-contrib/extension/storage/filestorage"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/consumer/consumertest"
	"go.opentelemetry.io/collector/extension/extensiontest"
	"go.opentelemetry.io/collector/extension/xextension/storage"
	"go.opentelemetry.io/collector/processor"
	"go.opentelemetry.io/collector/processor/processortest"

	"github.com/otelcol-selfheal/otelcol-selfheal/processor/anomalydetectionprocessor/internal/metadata"
)

var storageID = component.MustNewID("file_storage")

// disk is a host with a real file storage in a folder.
func disk(t *testing.T, dir string) host {
	t.Helper()
	f := filestorage.NewFactory()
	cfg := f.CreateDefaultConfig().(*filestorage.Config)
	cfg.Directory = dir
	set := extensiontest.NewNopSettings(f.Type())
	set.ID = storageID
	ext, err := f.Create(t.Context(), set, cfg)
	require.NoError(t, err)
	require.NoError(t, ext.Start(t.Context(), componenttest.NewNopHost()))
	t.Cleanup(func() { require.NoError(t, ext.Shutdown(context.Background())) })
	return host{ext: map[component.ID]component.Component{storageID: ext}}
}

// pipelines makes the processor of one ID for n pipelines and starts it.
func pipelines(t *testing.T, cfg *Config, h component.Host, n int) (list []processor.Metrics, stop func()) {
	t.Helper()
	f := NewFactory()
	set := processortest.NewNopSettings(metadata.Type)
	set.ID = component.NewID(metadata.Type)
	for range n {
		p, err := f.CreateMetrics(t.Context(), set, cfg, consumertest.NewNop())
		require.NoError(t, err)
		require.NoError(t, p.Start(t.Context(), h))
		list = append(list, p)
	}
	return list, func() {
		for _, p := range list {
			require.NoError(t, p.Shutdown(context.Background()))
		}
	}
}

func stored() *Config {
	cfg := defaults()
	cfg.Storage = &storageID
	return cfg
}

func TestAGracefulStopForgetsNothing(t *testing.T) {
	t.Parallel()
	h := disk(t, t.TempDir())
	list, stop := pipelines(t, stored(), h, 2)
	for n := range 40 {
		// Two pipelines of one ID share one detector: neither waits for the other's storage.
		md := gauge("m", epoch.Add(time.Duration(n)*time.Minute), 10)
		require.NoError(t, list[n%2].ConsumeMetrics(t.Context(), md))
	}
	stop()

	cfg := stored()
	list, stop = pipelines(t, cfg, h, 1)
	defer stop()
	shared, err := detectors.Get(cfg, func() (*detector, error) { return nil, errors.New("it is there") })
	require.NoError(t, err)
	assert.EqualValues(t, 1, shared.Value.fleet.Counts().Ready)
	require.NoError(t, list[0].ConsumeMetrics(t.Context(), gauge("m", epoch.Add(time.Hour), 99)))
	assert.EqualValues(t, 1, shared.Value.fleet.Counts().Anomalous, "it knows what is normal at once")
}

// broken is a storage whose client fails.
type broken struct{ component.Component }

func (broken) GetClient(context.Context, component.Kind, component.ID, string) (storage.Client, error) {
	return nil, errors.New("the disk is full")
}

func TestTelemetryFlowsOnWhenStorageFails(t *testing.T) {
	t.Parallel()
	h := host{ext: map[component.ID]component.Component{storageID: broken{}}}
	list, stop := pipelines(t, stored(), h, 1)
	require.NoError(t, list[0].ConsumeMetrics(t.Context(), gauge("m", epoch, 10)))
	stop()
}

func TestStorageThatIsNotThereIsAMistake(t *testing.T) {
	t.Parallel()
	p, err := NewFactory().CreateMetrics(t.Context(), processortest.NewNopSettings(metadata.Type), stored(), consumertest.NewNop())
	require.NoError(t, err)
	require.ErrorContains(t, p.Start(t.Context(), componenttest.NewNopHost()), `storage: extension "file_storage" is not configured`)
	require.NoError(t, p.Shutdown(context.Background()))
}
