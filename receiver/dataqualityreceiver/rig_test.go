package dataqualityreceiver

import (
	"context"
	"database/sql"
	"fmt"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/config/configopaque"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/consumer/consumertest"
	"go.opentelemetry.io/collector/extension/xextension/storage"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/receiver"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"github.com/otelcol-selfheal/otelcol-selfheal/internal/vocab"
	"github.com/otelcol-selfheal/otelcol-selfheal/receiver/dataqualityreceiver/internal/dialect"
	"github.com/otelcol-selfheal/otelcol-selfheal/receiver/dataqualityreceiver/internal/metadata"
)

func opaque(s string) configopaque.String { return configopaque.String(s) }

// start of every test's clock.
var epoch = time.Date(2026, 11, 24, 8, 0, 0, 0, time.UTC)

// rig is a receiver whose polls the test makes.
type rig struct {
	*qualityReceiver
	clock     *clock
	metrics   consumertest.MetricsSink
	logs      consumertest.LogsSink
	telemetry *componenttest.Telemetry
	own       *observer.ObservedLogs // what the receiver logged
	refuse    error                  // what both consumers answer
}

func newRig(t *testing.T, cfg *Config, store *memory) *rig {
	t.Helper()
	core, own := observer.New(zapcore.DebugLevel)
	r := &rig{clock: &clock{at: epoch}, telemetry: componenttest.NewTelemetry(), own: own}
	set := receiver.Settings{ID: component.NewID(metadata.Type), TelemetrySettings: r.telemetry.NewTelemetrySettings(), BuildInfo: component.NewDefaultBuildInfo()}
	set.Logger = zap.New(core)
	made, err := newReceiver(cfg, set, r.clock.now)
	require.NoError(t, err)
	r.qualityReceiver = made
	made.metrics, made.logs = gate{r}, gate{r}
	made.host = componenttest.NewNopHost()
	if store != nil {
		made.store.Client = store
	}
	for _, d := range made.databases {
		require.NoError(t, d.open(cfg))
		for _, table := range d.tables {
			table.known, err = made.store.Load(t.Context(), table.key)
			require.NoError(t, err)
		}
	}
	t.Cleanup(func() {
		for _, d := range made.databases {
			require.NoError(t, d.close())
		}
		require.NoError(t, r.telemetry.Shutdown(context.Background()))
	})
	return r
}

// clock is read by drivers that have been left behind, too.
type clock struct {
	mu sync.Mutex
	at time.Time
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *clock) advance(by time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(by)
}

// gate refuses what the rig says and else passes it on.
type gate struct{ r *rig }

func (gate) Capabilities() consumer.Capabilities { return consumer.Capabilities{} }

func (g gate) ConsumeMetrics(ctx context.Context, md pmetric.Metrics) error {
	if g.r.refuse != nil {
		return g.r.refuse
	}
	return g.r.metrics.ConsumeMetrics(ctx, md)
}

func (g gate) ConsumeLogs(ctx context.Context, ld plog.Logs) error {
	if g.r.refuse != nil {
		return g.r.refuse
	}
	return g.r.logs.ConsumeLogs(ctx, ld)
}

// next advances the clock by one interval and polls every database. It gives
// what that sent, by dataset and metric; several points are in order.
func (r *rig) next(t *testing.T) facts {
	t.Helper()
	r.clock.advance(r.cfg.CollectionInterval)
	r.metrics.Reset()
	for _, d := range r.databases {
		r.poll(t.Context(), d)
	}
	got := facts{}
	for _, md := range r.metrics.AllMetrics() {
		for _, rm := range md.ResourceMetrics().All() {
			name, _ := rm.Resource().Attributes().Get(vocab.DatasetName)
			points := map[string][]float64{}
			for _, m := range rm.ScopeMetrics().At(0).Metrics().All() {
				for _, p := range m.Gauge().DataPoints().All() {
					value := p.DoubleValue()
					if p.ValueType() == pmetric.NumberDataPointValueTypeInt {
						value = float64(p.IntValue())
					}
					points[m.Name()] = append(points[m.Name()], value)
				}
			}
			got[name.Str()] = points
		}
	}
	return got
}

type facts map[string]map[string][]float64

// events gives the records since the last call.
func (r *rig) events() []plog.LogRecord {
	var all []plog.LogRecord
	for _, ld := range r.logs.AllLogs() {
		for _, rl := range ld.ResourceLogs().All() {
			for _, record := range rl.ScopeLogs().At(0).LogRecords().All() {
				all = append(all, record)
			}
		}
	}
	r.logs.Reset()
	return all
}

// warehouse is a SQLite file with a writer.
type warehouse struct {
	path string
	db   *sql.DB
}

func newWarehouse(t testing.TB, statements ...string) *warehouse {
	t.Helper()
	w := &warehouse{path: filepath.Join(t.TempDir(), "w.db")}
	var err error
	w.db, err = sql.Open("sqlite", "file:"+w.path+"?_pragma=journal_mode(WAL)&_pragma=busy_timeout(10000)")
	require.NoError(t, err)
	w.db.SetMaxOpenConns(1)
	t.Cleanup(func() { _ = w.db.Close() })
	w.exec(t, statements...)
	return w
}

func (w *warehouse) exec(t testing.TB, statements ...string) {
	t.Helper()
	for _, statement := range statements {
		_, err := w.db.ExecContext(t.Context(), statement)
		require.NoError(t, err, statement)
	}
}

// load brings rows of one load, each with the time of the load.
func (w *warehouse) load(t testing.TB, id string, rows int, at time.Time) {
	t.Helper()
	w.exec(t, fmt.Sprintf(`WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < %d)
		INSERT INTO orders (id, batch, at) SELECT i, '%s', '%s' FROM n`, rows, id, at.Format("2006-01-02T15:04:05Z07:00")))
}

const createOrders = `CREATE TABLE orders (id INTEGER, batch TEXT, at TEXT)`

// config measures tables of the warehouse under their own names.
func (w *warehouse) config(tables ...TableConfig) *Config {
	cfg := createDefaultConfig().(*Config)
	for i := range tables {
		tables[i].Dataset = tables[i].Name
	}
	cfg.Databases = map[string]DatabaseConfig{"warehouse": {Driver: "sqlite", Datasource: opaque(w.path), Namespace: "sqlite://", Tables: tables}}
	return cfg
}

var orders = TableConfig{Name: "orders", TimestampColumn: "at", LoadColumn: "batch", Key: []string{"id", "batch"}}

// memory is a storage client that outlives receivers.
type memory struct {
	mu   sync.Mutex
	kept map[string][]byte
	fail error
}

var _ storage.Client = (*memory)(nil)

func (m *memory) Get(_ context.Context, key string) ([]byte, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.kept[key], m.fail
}

func (m *memory) Set(_ context.Context, key string, value []byte) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.fail != nil {
		return m.fail
	}
	if m.kept == nil {
		m.kept = map[string][]byte{}
	}
	m.kept[key] = value
	return nil
}

func (m *memory) Delete(_ context.Context, key string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.kept, key)
	return m.fail
}

func (m *memory) Batch(context.Context, ...*storage.Operation) error { return m.fail }
func (m *memory) Close(context.Context) error                        { return nil }

// withDialect makes the databases of a rig use another dialect.
func (r *rig) withDialect(change func(dialect.Dialect) dialect.Dialect) {
	for _, d := range r.databases {
		d.dialect = change(d.dialect)
	}
}
