//go:build platform

package dataqualityreceiver

import (
	"fmt"
	"testing"
	"time"

	"github.com/open-telemetry/opentelemetry-collector-contrib/pkg/golden"
	"github.com/open-telemetry/opentelemetry-collector-contrib/pkg/pdatatest/pmetrictest"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-selfheal/otelcol-selfheal/internal/vocab"
	"github.com/otelcol-selfheal/otelcol-selfheal/receiver/dataqualityreceiver/internal/dialect/postgresql/postgresqltest"
)

func TestPostgreSQL(t *testing.T) {
	t.Parallel()
	server := postgresqltest.Start(t)
	server.Exec(t,
		`CREATE ROLE reader LOGIN PASSWORD 'reader'`,
		`CREATE SCHEMA sales`, `GRANT USAGE ON SCHEMA sales TO reader`,
		`CREATE TABLE sales.orders (id bigint, batch timestamptz, at timestamptz, amount numeric(10,2))`,
		`CREATE TABLE denied (id int, mail text)`, `INSERT INTO denied VALUES (1, 'jane.doe@example.com')`,
		`GRANT SELECT ON sales.orders TO reader`,
		`CREATE VIEW poisoned AS SELECT CAST(mail AS integer) AS n FROM denied`, `GRANT SELECT ON poisoned TO reader`,
		`INSERT INTO sales.orders SELECT i, '2026-11-24 07:00:00+00', '2026-11-24 07:00:00+00', 1 FROM generate_series(1, 100) i`,
		`INSERT INTO sales.orders SELECT i, '2026-11-24 08:00:00+00', '2026-11-24 08:00:00+00', 1 FROM generate_series(1, 90) i`,
		`INSERT INTO sales.orders SELECT 1, '2026-11-24 08:00:00+00', NULL, 1 FROM generate_series(1, 3) i`)
	cfg := createDefaultConfig().(*Config)
	cfg.QueryTimeout = 500 * time.Millisecond
	cfg.Databases = map[string]DatabaseConfig{"shop": {
		Driver: "postgresql", Datasource: opaque(server.DSN("reader", "reader", "postgres")),
		Tables: []TableConfig{
			{Name: "denied"},
			{Name: "orders", Schema: "sales", TimestampColumn: "at", LoadColumn: "batch", Key: []string{"id", "batch"}},
			{Name: "poisoned", LoadColumn: "n"},
		},
	}}
	require.NoError(t, cfg.Validate())
	r := newRig(t, cfg, nil)
	r.next(t)
	got := r.next(t)
	assert.Equal(t, []float64{193}, got["postgres.sales.orders"][vocab.FactRows])
	assert.NotContains(t, got["postgres.public.denied"], vocab.FactRows)
	assert.Equal(t, map[string]int64{"permission_denied": 2, "query_failed": 2}, r.failures(t))
	for _, entry := range r.own.All() {
		assert.NotContains(t, fmt.Sprint(entry.Message, entry.ContextMap()), "jane.doe")
	}

	batch := r.metrics.AllMetrics()[0]
	for _, rm := range batch.ResourceMetrics().All() {
		namespace, _ := rm.Resource().Attributes().Get(vocab.DatasetNamespace)
		assert.Equal(t, fmt.Sprintf("postgres://127.0.0.1:%d", server.Port), namespace.Str())
		rm.Resource().Attributes().PutStr(vocab.DatasetNamespace, "postgres://127.0.0.1:5432") // as in the golden file
	}
	want, err := golden.ReadMetrics("testdata/postgresql/expected.yaml")
	require.NoError(t, err)
	require.NoError(t, pmetrictest.CompareMetrics(want, batch, pmetrictest.IgnoreTimestamp(), pmetrictest.IgnoreStartTimestamp(),
		pmetrictest.IgnoreMetricsOrder(), pmetrictest.IgnoreResourceMetricsOrder(), pmetrictest.IgnoreMetricValues(vocab.FactSize)))

	server.Exec(t, `ALTER TABLE sales.orders ALTER amount TYPE numeric(12,3)`, `ALTER TABLE sales.orders DROP COLUMN id`)
	r.next(t)
	events := r.events()
	require.Len(t, events, 1)
	retyped, _ := events[0].Attributes().Get(vocab.SchemaRetyped)
	assert.Equal(t, []any{"amount: numeric(10,2) -> numeric(12,3)"}, retyped.Slice().AsRaw())

	server.Stop(t) // the machine hangs
	begin := time.Now()
	assert.Empty(t, r.next(t), "no value rather than a wrong one")
	assert.Less(t, time.Since(begin), 5*time.Second)
	assert.NotEmpty(t, r.down)
	server.Continue(t)
	require.Eventually(t, func() bool { return len(r.next(t)) > 0 }, 20*time.Second, 100*time.Millisecond)
	assert.Empty(t, r.down)
}
