package classificationconnector

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/connector"
	"go.opentelemetry.io/collector/connector/connectortest"
	"go.opentelemetry.io/collector/pdata/plog"

	"github.com/otelcol-selfheal/otelcol-selfheal/connector/classificationconnector/internal/metadata"
	"github.com/otelcol-selfheal/otelcol-selfheal/internal/observation"
	"github.com/otelcol-selfheal/otelcol-selfheal/internal/reliability"
)

var errDisk = errors.New("disk full")

// fakeReliability takes observations as the extension does: all of a call or nothing,
// an ID once.
type fakeReliability struct {
	reliability.Extension

	mu         sync.Mutex
	seen       []observation.Observation
	ids        map[string]bool
	failing    bool
	calls      int
	sinks      map[component.ID]func(context.Context, plog.Logs) error
	subscribed int
}

func (f *fakeReliability) Start(context.Context, component.Host) error { return nil }
func (f *fakeReliability) Shutdown(context.Context) error              { return nil }

func (f *fakeReliability) Observe(_ context.Context, seen []observation.Observation) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.calls++
	if f.failing {
		return errDisk
	}
	for _, o := range seen {
		if !f.ids[o.ID] {
			f.ids[o.ID] = true
			f.seen = append(f.seen, o)
		}
	}
	return nil
}

func (f *fakeReliability) Subscribe(id component.ID, sink func(context.Context, plog.Logs) error) func() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.subscribed++
	f.sinks[id] = sink
	return func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		delete(f.sinks, id)
	}
}

func (f *fakeReliability) fail(on bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.failing = on
}

func (f *fakeReliability) taken() []observation.Observation {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]observation.Observation(nil), f.seen...)
}

func (f *fakeReliability) sink() func(context.Context, plog.Logs) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, s := range f.sinks {
		return s
	}
	return nil
}

type host struct {
	component.Host
	extensions map[component.ID]component.Component
}

func (h host) GetExtensions() map[component.ID]component.Component { return h.extensions }

func newFake() (*fakeReliability, component.Host) {
	f := &fakeReliability{ids: map[string]bool{}, sinks: map[component.ID]func(context.Context, plog.Logs) error{}}
	return f, host{componenttest.NewNopHost(), map[component.ID]component.Component{component.MustNewID("reliability"): f}}
}

// noon is when the tests read what they read.
var noon = time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)

func settings(tel *componenttest.Telemetry) connector.Settings {
	set := connectortest.NewNopSettings(metadata.Type)
	set.ID = component.NewID(metadata.Type)
	if tel != nil {
		set.TelemetrySettings = tel.NewTelemetrySettings()
	}
	return set
}

// start starts a connector on a fake extension.
func start(t testing.TB, tel *componenttest.Telemetry, change func(*Config)) (*classification, *fakeReliability) {
	cfg := createDefaultConfig().(*Config)
	if change != nil {
		change(cfg)
	}
	require.NoError(t, cfg.Validate())
	c, err := newClassification(settings(tel), cfg)
	require.NoError(t, err)
	c.reader.Now = func() time.Time { return noon }
	f, h := newFake()
	require.NoError(t, c.Start(context.Background(), h))                       //nolint:usetesting // also for benchmarks
	t.Cleanup(func() { require.NoError(t, c.Shutdown(context.Background())) }) //nolint:usetesting // t.Context is over in a cleanup
	return c, f
}
