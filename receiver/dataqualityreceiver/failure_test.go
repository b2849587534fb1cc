package dataqualityreceiver

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"github.com/otelcol-selfheal/otelcol-selfheal/internal/vocab"
	"github.com/otelcol-selfheal/otelcol-selfheal/receiver/dataqualityreceiver/internal/dialect"
)

// points of a counter of the receiver's own; none where it has not counted.
func (r *rig) points(t *testing.T, name string) []metricdata.DataPoint[int64] {
	t.Helper()
	got, err := r.telemetry.GetMetric(name)
	if err != nil {
		return nil
	}
	return got.Data.(metricdata.Sum[int64]).DataPoints
}

// failures counts by error.type.
func (r *rig) failures(t *testing.T) map[string]int64 {
	t.Helper()
	counts := map[string]int64{}
	for _, p := range r.points(t, "otelcol_dataquality.probe.errors") {
		kind, _ := p.Attributes.Value(attribute.Key(vocab.ErrorType))
		counts[kind.AsString()] += p.Value
	}
	return counts
}

func TestOneTableOfManyFails(t *testing.T) {
	t.Parallel()
	w := newWarehouse(t, createOrders, `CREATE TABLE other (id INTEGER)`, `CREATE TABLE base (n INTEGER)`, `CREATE VIEW broken AS SELECT n FROM base`, `DROP TABLE base`)
	r := newRig(t, w.config(
		TableConfig{Name: "absent", TimestampColumn: "at"},
		TableConfig{Name: "broken"},
		TableConfig{Name: "orders", TimestampColumn: "gone"},
		TableConfig{Name: "other"},
	), nil)
	for range 3 {
		got := r.next(t)
		assert.NotContains(t, got, "absent")
		assert.NotContains(t, got["broken"], vocab.FactRows)
		assert.Equal(t, []float64{0}, got["orders"][vocab.FactRows], "the parts that can be measured are")
		assert.NotContains(t, got["orders"], vocab.FactStaleness)
		assert.Equal(t, []float64{0}, got["other"][vocab.FactRows], "the rest goes on")
	}
	assert.Equal(t, map[string]int64{"table_missing": 3, "query_failed": 3, "column_missing": 3}, r.failures(t))
	assert.Len(t, r.own.All(), 3, "what fails at each poll is logged once")

	w.exec(t, `CREATE TABLE absent (id INTEGER, at TEXT)`)
	assert.Equal(t, []float64{0}, r.next(t)["absent"][vocab.FactRows])
	assert.Equal(t, 1, r.own.FilterMessageSnippet("whole again").Len())
}

func TestADatabaseThatIsGone(t *testing.T) {
	t.Parallel()
	w := newWarehouse(t, createOrders)
	cfg := w.config(orders, TableConfig{Name: "other"})
	cfg.Databases["absent"] = DatabaseConfig{Driver: "sqlite", Datasource: opaque(w.path + ".absent"), Tables: []TableConfig{{Name: "a"}, {Name: "b"}}}
	r := newRig(t, cfg, nil)
	for range 2 {
		assert.Contains(t, r.next(t), "orders", "the other database is measured")
	}
	assert.Equal(t, map[string]int64{"unreachable": 4, "table_missing": 2}, r.failures(t), "every table counts")
	assert.Equal(t, 1, r.own.FilterMessageSnippet("Cannot measure a database").Len())
	assert.Contains(t, r.down, "absent")
}

// stuck is a dialect whose catalogue does not answer before release is closed,
// whatever becomes of the context.
type stuck struct {
	dialect.Dialect
	release chan struct{}
}

func (s stuck) Shape(_ context.Context, q dialect.Querier, t dialect.Table) (dialect.Shape, error) {
	<-s.release
	return s.Dialect.Shape(context.Background(), q, t)
}

func TestADriverThatNeverComesBack(t *testing.T) {
	t.Parallel()
	w := newWarehouse(t, createOrders)
	cfg := w.config(orders, TableConfig{Name: "other"})
	cfg.QueryTimeout = 10 * time.Millisecond
	r := newRig(t, cfg, nil)
	release := make(chan struct{})
	r.withDialect(func(d dialect.Dialect) dialect.Dialect { return stuck{d, release} })
	assert.Empty(t, r.next(t))
	assert.Empty(t, r.next(t), "no second call goes in while the first is out")
	assert.Equal(t, map[string]int64{"hanging": 4}, r.failures(t))
	close(release)
	require.Eventually(t, func() bool { return !r.databases[0].guard.occupied() }, 5*time.Second, time.Millisecond)
	r.databases[0].timeout = 10 * time.Second
	assert.Contains(t, r.next(t), "orders", "it is measured again as soon as it comes back")
}

func TestShutdownDoesNotWaitForADriver(t *testing.T) {
	t.Parallel()
	w := newWarehouse(t, createOrders)
	cfg := w.config(orders)
	cfg.InitialDelay = 0
	r := newRig(t, cfg, nil)
	release := make(chan struct{})
	r.withDialect(func(d dialect.Dialect) dialect.Dialect { return stuck{d, release} })
	require.NoError(t, r.databases[0].close()) // Start opens another
	require.NoError(t, r.Start(t.Context(), r.host))
	require.Eventually(t, r.databases[0].guard.occupied, 5*time.Second, time.Millisecond)
	begin := time.Now()
	require.NoError(t, r.Shutdown(t.Context()))
	assert.Less(t, time.Since(begin), 5*time.Second, "query_timeout is 10 s")
	close(release)
	require.Eventually(t, func() bool { return !r.databases[0].guard.occupied() }, 5*time.Second, time.Millisecond)
}

func TestAStatementThatTakesTooLong(t *testing.T) {
	t.Parallel()
	w := newWarehouse(t, createOrders,
		`CREATE VIEW endless AS WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 10000000000) SELECT i FROM n`)
	cfg := w.config(TableConfig{Name: "endless"}, orders)
	r := newRig(t, cfg, nil)
	r.databases[0].timeout = 100 * time.Millisecond
	got := r.next(t)
	assert.NotContains(t, got["endless"], vocab.FactRows)
	assert.Contains(t, got, "orders", "a slow table does not take the others with it")
	assert.Equal(t, map[string]int64{"timeout": 1}, r.failures(t))
}

func TestThePollsTimeout(t *testing.T) {
	t.Parallel()
	w := newWarehouse(t, createOrders)
	cfg := w.config(orders)
	cfg.Timeout = time.Nanosecond
	r := newRig(t, cfg, nil)
	assert.Empty(t, r.next(t))
	assert.Equal(t, map[string]int64{"unreachable": 1}, r.failures(t))
}

// Nothing that a table holds may leave, also not through errors.
func TestNoDataValueLeaves(t *testing.T) {
	t.Parallel()
	secrets := []string{"4111111111111111", "jane.doe@example.com", "078-05-1120", "MRN-00482913"}
	w := newWarehouse(t, `CREATE TABLE people (card INTEGER, mail TEXT, ssn TEXT, record TEXT)`,
		`INSERT INTO people VALUES (4111111111111111, 'jane.doe@example.com', '078-05-1120', 'MRN-00482913')`,
		`CREATE VIEW poisoned AS SELECT json_extract('{}', mail) AS x FROM people`,
		`CREATE VIEW poisoned_too AS SELECT json_extract('{}', card || '') AS x FROM people`)
	var tables []TableConfig
	for _, column := range []string{"card", "mail", "ssn", "record"} {
		tables = append(tables, TableConfig{Name: "people", TimestampColumn: column, LoadColumn: column, Key: []string{column}})
	}
	tables = append(tables, TableConfig{Name: "poisoned", LoadColumn: "x"}, TableConfig{Name: "poisoned_too", LoadColumn: "x"})
	store := &memory{}
	cfg := w.config(tables...)
	for i := range tables {
		tables[i].Dataset = fmt.Sprint("table ", i)
	}
	r := newRig(t, cfg, store)
	var emitted []byte
	for range 3 {
		r.next(t)
		for _, md := range r.metrics.AllMetrics() {
			text, err := (&pmetric.JSONMarshaler{}).MarshalMetrics(md)
			require.NoError(t, err)
			emitted = append(emitted, text...)
		}
		w.exec(t, `ALTER TABLE people ADD COLUMN c`+r.clock.now().Format("150405")+` TEXT DEFAULT 'jane.doe@example.com'`)
	}
	assert.Contains(t, string(emitted), vocab.DatasetLoadID, "the loads are told")
	assert.Positive(t, r.failures(t)["query_failed"], "errors were provoked")
	for _, ld := range r.logs.AllLogs() {
		text, err := (&plog.JSONMarshaler{}).MarshalLogs(ld)
		require.NoError(t, err)
		emitted = append(emitted, text...)
	}
	for _, entry := range r.own.All() {
		emitted = append(emitted, entry.Message...)
		for _, field := range entry.Context {
			emitted = append(emitted, field.String...)
			if err, ok := field.Interface.(error); ok {
				emitted = append(emitted, err.Error()...)
			}
		}
	}
	for _, state := range store.kept {
		emitted = append(emitted, state...)
	}
	for _, secret := range secrets {
		assert.NotContains(t, string(emitted), secret)
	}
}
