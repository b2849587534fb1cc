package reliabilityextension

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/extension/extensiontest"
	"go.opentelemetry.io/collector/pdata/plog"

	"github.com/otelcol-selfheal/otelcol-selfheal/extension/reliabilityextension/internal/metadata"
	"github.com/otelcol-selfheal/otelcol-selfheal/internal/entity"
	"github.com/otelcol-selfheal/otelcol-selfheal/internal/observation"
	"github.com/otelcol-selfheal/otelcol-selfheal/internal/reliability"
	"github.com/otelcol-selfheal/otelcol-selfheal/internal/vocab"
)

func config(t *testing.T) *Config {
	t.Helper()
	cfg := createDefaultConfig().(*Config)
	cfg.Directory = filepath.Join(t.TempDir(), "state")
	cfg.HTTP.NetAddr.Endpoint = "127.0.0.1:0"
	cfg.CheckpointInterval = time.Second
	return cfg
}

func start(t *testing.T, cfg *Config) reliability.Extension {
	t.Helper()
	ext, err := NewFactory().Create(t.Context(), extensiontest.NewNopSettings(metadata.Type), cfg)
	require.NoError(t, err)
	require.NoError(t, ext.Start(t.Context(), componenttest.NewNopHost()))
	t.Cleanup(func() { require.NoError(t, ext.Shutdown(context.Background())) })
	return ext.(reliability.Extension)
}

func trouble() []observation.Observation {
	return []observation.Observation{{
		ID: "1", Kind: observation.RunState, Polarity: observation.Problem, Source: "airflow", Time: time.Now(),
		Entity: entity.Ref{Kind: entity.Job, Namespace: "default", Name: "d.t"},
		Run:    &observation.Run{ID: "d/r/t", Phase: observation.PhaseFailed, Attempt: 1, Confirmed: true},
	}}
}

func TestTransitionsAndCheckpointsLeaveThroughTheSubscriber(t *testing.T) {
	t.Parallel()
	ext := start(t, config(t))
	var mu sync.Mutex
	var events []string
	refuse := true
	stop := ext.Subscribe(component.MustNewID("classification"), func(_ context.Context, l plog.Logs) error {
		mu.Lock()
		defer mu.Unlock()
		if refuse {
			refuse = false
			return errors.New("the pipeline is full")
		}
		records := l.ResourceLogs().At(0).ScopeLogs().At(0).LogRecords()
		for n := range records.Len() {
			events = append(events, records.At(n).EventName())
		}
		return nil
	})
	defer stop()
	require.NoError(t, ext.Observe(t.Context(), trouble()))
	require.Eventually(t, func() bool {
		mu.Lock()
		defer mu.Unlock()
		return strings.Contains(strings.Join(events, " "), vocab.EventIncident) && strings.Contains(strings.Join(events, " "), vocab.EventAuditCheckpoint)
	}, 20*time.Second, 20*time.Millisecond)
}

func TestASecondProcessIsRefused(t *testing.T) {
	t.Parallel()
	cfg := config(t)
	start(t, cfg)
	second, err := NewFactory().Create(t.Context(), extensiontest.NewNopSettings(metadata.Type), cfg)
	require.NoError(t, err)
	require.ErrorContains(t, second.Start(t.Context(), componenttest.NewNopHost()), cfg.Directory)
	require.NoError(t, second.Shutdown(t.Context()))
}

func TestStateSurvivesARestartAndIsPrivate(t *testing.T) {
	t.Parallel()
	cfg := config(t)
	ext, err := NewFactory().Create(t.Context(), extensiontest.NewNopSettings(metadata.Type), cfg)
	require.NoError(t, err)
	require.NoError(t, ext.Start(t.Context(), componenttest.NewNopHost()))
	require.NoError(t, ext.(reliability.Extension).Observe(t.Context(), trouble()))
	require.NoError(t, ext.Shutdown(t.Context()))
	require.NoError(t, ext.Shutdown(t.Context()), "shutting down twice is no error")

	again := start(t, cfg).(*reliabilityExtension)
	assert.Len(t, again.engine.Status().Active, 1)
	entries, err := os.ReadDir(cfg.Directory)
	require.NoError(t, err)
	for _, e := range entries {
		info, err := e.Info()
		require.NoError(t, err)
		assert.Zero(t, info.Mode().Perm()&0o022, e.Name())
	}
	for _, secret := range []string{"admin.token", "audit.key", "state.db"} {
		info, err := os.Stat(filepath.Join(cfg.Directory, secret))
		require.NoError(t, err)
		assert.Equal(t, os.FileMode(0o600), info.Mode().Perm(), secret)
	}
}

func TestAFolderThatCannotBeUsedIsAnErrorAtStart(t *testing.T) {
	t.Parallel()
	cfg := config(t)
	file := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	cfg.Directory = filepath.Join(file, "state")
	ext, err := NewFactory().Create(t.Context(), extensiontest.NewNopSettings(metadata.Type), cfg)
	require.NoError(t, err)
	require.ErrorContains(t, ext.Start(t.Context(), componenttest.NewNopHost()), "directory:")
	require.NoError(t, ext.Shutdown(t.Context()))
}

func TestTheAPIListensOnLoopbackAlone(t *testing.T) {
	t.Parallel()
	assert.True(t, strings.HasPrefix(createDefaultConfig().(*Config).HTTP.NetAddr.Endpoint, "127.0.0.1:"))
}
