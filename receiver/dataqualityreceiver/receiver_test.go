package dataqualityreceiver

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/open-telemetry/opentelemetry-collector-contrib/pkg/golden"
	"github.com/open-telemetry/opentelemetry-collector-contrib/pkg/pdatatest/pmetrictest"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/consumer/consumererror"
	"go.opentelemetry.io/collector/pdata/plog"

	"github.com/otelcol-selfheal/otelcol-selfheal/internal/vocab"
	"github.com/otelcol-selfheal/otelcol-selfheal/receiver/dataqualityreceiver/internal/metadata"
)

func TestAPollOfATable(t *testing.T) {
	t.Parallel()
	w := newWarehouse(t, createOrders, `CREATE TABLE empty (id INTEGER, at TEXT)`)
	w.load(t, "2026-11-24T07:00:00+00:00", 100, epoch.Add(-time.Hour))
	w.load(t, "2026-11-24T08:00:00+00:00", 90, epoch)
	w.exec(t, `INSERT INTO orders SELECT * FROM orders WHERE id <= 3 AND batch LIKE '%08:00%'`)
	r := newRig(t, w.config(orders, TableConfig{Name: "empty", TimestampColumn: "at"}), nil)
	r.next(t)
	r.next(t)
	require.Len(t, r.metrics.AllMetrics(), 1)
	got := r.metrics.AllMetrics()[0]
	const file = "testdata/sqlite/expected.yaml"
	want, err := golden.ReadMetrics(file)
	require.NoError(t, err)
	require.NoError(t, pmetrictest.CompareMetrics(want, got, pmetrictest.IgnoreTimestamp(), pmetrictest.IgnoreStartTimestamp(), pmetrictest.IgnoreMetricsOrder(), pmetrictest.IgnoreResourceMetricsOrder()))
}

func TestMetricsAreTheVocabularys(t *testing.T) {
	t.Parallel()
	facts := map[string]bool{}
	for _, name := range vocab.FactMetrics {
		facts[name] = true
	}
	for _, name := range []string{
		metadata.MetricsInfo.DataDatasetColumns.Name, metadata.MetricsInfo.DataDatasetDuplicates.Name, metadata.MetricsInfo.DataDatasetLoadRows.Name,
		metadata.MetricsInfo.DataDatasetNewest.Name, metadata.MetricsInfo.DataDatasetRows.Name, metadata.MetricsInfo.DataDatasetSize.Name,
		metadata.MetricsInfo.DataStalenessAge.Name,
	} {
		assert.True(t, facts[name], "%s is a fact", name)
	}
}

func TestAnEmptyTableHasNoAge(t *testing.T) {
	t.Parallel()
	w := newWarehouse(t, createOrders)
	got := newRig(t, w.config(orders), nil).next(t)["orders"]
	assert.Equal(t, []float64{0}, got[vocab.FactRows], "that there are none is true")
	assert.Equal(t, []float64{3}, got[vocab.FactColumns])
	assert.NotContains(t, got, vocab.FactNewest)
	assert.NotContains(t, got, vocab.FactStaleness)
}

func TestAge(t *testing.T) {
	t.Parallel()
	now := epoch.Add(15 * time.Second) // of the first poll
	for name, tc := range map[string]struct {
		value, zone string
		newest, age float64
	}{
		"with an offset":               {"2026-11-24T09:00:00+02:00", "", float64(epoch.Unix()) - 3600, 3615},
		"without an offset":            {"2026-11-24 07:59:00", "", float64(epoch.Unix()) - 60, 75},
		"in a zone":                    {"2026-11-24 08:59:00", "Europe/Berlin", float64(epoch.Unix()) - 60, 75},
		"an offset in spite of a zone": {"2026-11-24T07:59:00Z", "Europe/Berlin", float64(epoch.Unix()) - 60, 75},
		"from the future":              {"2026-11-25T08:00:00Z", "", float64(epoch.Unix()) + 86400, 0},
		"just now":                     {now.Format(time.RFC3339), "", float64(now.Unix()), 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWarehouse(t, createOrders, `INSERT INTO orders VALUES (1, 'a', '`+tc.value+`'), (2, 'a', NULL)`)
			table := orders
			table.TimeZone = tc.zone
			got := newRig(t, w.config(table), nil).next(t)["orders"]
			assert.InDeltaSlice(t, []float64{tc.newest}, got[vocab.FactNewest], 1e-3)
			assert.InDeltaSlice(t, []float64{tc.age}, got[vocab.FactStaleness], 1e-3)
		})
	}
}

func TestLoadsAreStatedWhenTheyAreCompleteAndWhenTheyChange(t *testing.T) {
	t.Parallel()
	w := newWarehouse(t, createOrders)
	w.load(t, "1", 100, epoch)
	r := newRig(t, w.config(orders), nil)
	stated := func() []float64 { t.Helper(); return r.next(t)["orders"][vocab.FactLoadRows] }
	assert.Empty(t, stated(), "it may still grow")
	assert.Equal(t, []float64{100}, stated())
	assert.Empty(t, stated(), "once is enough")
	w.load(t, "2", 10, epoch.Add(time.Minute))
	assert.Empty(t, stated())
	assert.Equal(t, []float64{10}, stated())
	w.load(t, "2", 90, epoch.Add(2*time.Minute)) // run again
	assert.Empty(t, stated())
	for range 3 {
		assert.Equal(t, []float64{100}, stated(), "on this poll and the two after it")
	}
	assert.Empty(t, stated())
}

// All loads of a table are one series: no two of its points may have one time.
func TestLoadsOfOnePollAreInOrder(t *testing.T) {
	t.Parallel()
	w := newWarehouse(t, createOrders)
	for i, id := range []string{"c", "a", "b"} {
		w.load(t, id, i+1, epoch.Add(time.Duration(i)*time.Minute))
	}
	r := newRig(t, w.config(orders), nil)
	r.next(t)
	assert.Equal(t, []float64{1, 2, 3}, r.next(t)["orders"][vocab.FactLoadRows], "oldest first")
	for _, m := range r.metrics.AllMetrics()[0].ResourceMetrics().At(0).ScopeMetrics().At(0).Metrics().All() {
		if m.Name() == vocab.FactLoadRows {
			points := m.Gauge().DataPoints()
			assert.Less(t, points.At(0).Timestamp(), points.At(1).Timestamp())
			assert.Less(t, points.At(1).Timestamp(), points.At(2).Timestamp())
		}
	}
}

func TestARefusedBatchLosesNothing(t *testing.T) {
	t.Parallel()
	w := newWarehouse(t, createOrders)
	w.load(t, "1", 100, epoch)
	r := newRig(t, w.config(orders), nil)
	r.next(t)
	r.refuse = errors.New("busy")
	w.exec(t, `ALTER TABLE orders ADD COLUMN note TEXT`)
	r.next(t)
	r.next(t)
	r.refuse = nil
	assert.Equal(t, []float64{100}, r.next(t)["orders"][vocab.FactLoadRows])
	assert.Len(t, r.events(), 1)
	r.next(t)
	assert.Empty(t, r.events())
}

func TestAChangeThatIsRefusedForGoodIsCounted(t *testing.T) {
	t.Parallel()
	w := newWarehouse(t, createOrders)
	r := newRig(t, w.config(orders), nil)
	r.next(t)
	w.exec(t, `ALTER TABLE orders ADD COLUMN note TEXT`)
	r.refuse = consumererror.NewPermanent(errors.New("no"))
	r.next(t)
	r.refuse = nil
	r.next(t)
	assert.Empty(t, r.events())
	assert.EqualValues(t, 1, r.sum(t, "otelcol_dataquality.schema.dropped_events"))
}

func TestChangesThatWaitAreBounded(t *testing.T) {
	t.Parallel()
	w := newWarehouse(t, createOrders)
	r := newRig(t, w.config(orders), nil)
	r.next(t)
	r.refuse = errors.New("busy")
	for range maxPending/2 + 1 {
		w.exec(t, `ALTER TABLE orders ADD COLUMN note TEXT`)
		r.next(t)
		w.exec(t, `ALTER TABLE orders DROP COLUMN note`)
		r.next(t)
	}
	r.refuse = nil
	r.next(t)
	assert.Len(t, r.events(), maxPending)
	assert.EqualValues(t, 2, r.sum(t, "otelcol_dataquality.schema.dropped_events"))
}

func TestColumnsThatChange(t *testing.T) {
	t.Parallel()
	w := newWarehouse(t, `CREATE TABLE orders (id INTEGER, amount REAL, note TEXT)`)
	r := newRig(t, w.config(TableConfig{Name: "orders"}), nil)
	r.next(t)
	assert.Empty(t, r.events(), "what is seen first has not changed")
	w.exec(t, `DROP TABLE orders`, `CREATE TABLE orders (id INTEGER, amount TEXT, paid INTEGER)`)
	r.next(t)
	events := r.events()
	require.Len(t, events, 1)
	e := events[0]
	assert.Equal(t, vocab.EventSchemaChanged, e.EventName())
	assert.Equal(t, plog.SeverityNumberWarn, e.SeverityNumber())
	assert.Equal(t, r.clock.now(), e.Timestamp().AsTime())
	assert.Equal(t, r.clock.now(), e.ObservedTimestamp().AsTime())
	got := e.Attributes().AsRaw()
	assert.Len(t, got[recordUID], 32)
	assert.Len(t, got[vocab.SchemaHash], 64)
	delete(got, recordUID)
	delete(got, vocab.SchemaHash)
	assert.Equal(t, map[string]any{
		vocab.DatasetNamespace: "sqlite://", vocab.DatasetName: "orders",
		vocab.SchemaAdded: []any{"paid INTEGER"}, vocab.SchemaDropped: []any{"note"}, vocab.SchemaRetyped: []any{"amount: REAL -> TEXT"},
	}, got)

	w.exec(t, `DROP TABLE orders`)
	r.next(t)
	assert.Empty(t, r.events(), "a table that is gone has lost no columns")
	w.exec(t, `CREATE TABLE orders (id INTEGER, amount TEXT, paid INTEGER, due TEXT)`)
	r.next(t)
	events = r.events()
	require.Len(t, events, 1)
	assert.Equal(t, plog.SeverityNumberInfo, events[0].SeverityNumber())
}

func TestWhatIsKnownSurvivesARestart(t *testing.T) {
	t.Parallel()
	w := newWarehouse(t, createOrders)
	w.load(t, "1", 100, epoch)
	store := &memory{}
	before := newRig(t, w.config(orders), store)
	before.next(t)
	before.next(t)

	w.exec(t, `ALTER TABLE orders DROP COLUMN id`)
	w.exec(t, `INSERT INTO orders (batch, at) VALUES ('2', '2026-11-24T09:00:00Z')`)
	after := newRig(t, w.config(orders), store)
	after.next(t)
	events := after.events()
	require.Len(t, events, 1, "what was dropped meanwhile is told")
	dropped, _ := events[0].Attributes().Get(vocab.SchemaDropped)
	assert.Equal(t, []any{"id"}, dropped.Slice().AsRaw())
	assert.Equal(t, []float64{1}, after.next(t)["orders"][vocab.FactLoadRows], "the new load alone, not the one stated before")
}

func TestAChangeNotYetSentSurvivesARestart(t *testing.T) {
	t.Parallel()
	w := newWarehouse(t, createOrders)
	store := &memory{}
	before := newRig(t, w.config(orders), store)
	before.next(t)
	w.exec(t, `ALTER TABLE orders ADD COLUMN note TEXT`)
	before.refuse = errors.New("busy")
	before.next(t)
	after := newRig(t, w.config(orders), store)
	after.next(t)
	assert.Len(t, after.events(), 1)
	again := newRig(t, w.config(orders), store)
	again.next(t)
	assert.Empty(t, again.events())
}

func TestStateThatCannotBeWrittenStopsNothing(t *testing.T) {
	t.Parallel()
	w := newWarehouse(t, createOrders)
	store := &memory{}
	r := newRig(t, w.config(orders), store)
	store.fail = errors.New("disk full")
	assert.Contains(t, r.next(t)["orders"], vocab.FactRows)
	assert.EqualValues(t, 1, r.sum(t, "otelcol_dataquality.state.errors"))
}

func TestLoadsThatNoPollSawAreCounted(t *testing.T) {
	t.Parallel()
	w := newWarehouse(t, createOrders)
	cfg := w.config(orders)
	cfg.MaxLoads = 2
	r := newRig(t, cfg, nil)
	w.load(t, "1", 1, epoch)
	r.next(t)
	for i, id := range []string{"2", "3", "4"} {
		w.load(t, id, 1, epoch.Add(time.Duration(i+1)*time.Minute))
	}
	r.next(t)
	assert.EqualValues(t, 1, r.sum(t, "otelcol_dataquality.load.overruns"))
}

// sum adds up the points of a counter of the receiver's own.
func (r *rig) sum(t *testing.T, name string) (total int64) {
	t.Helper()
	for _, p := range r.points(t, name) {
		total += p.Value
	}
	return total
}

func TestPollAfterShutdownSaysNothing(t *testing.T) {
	t.Parallel()
	w := newWarehouse(t, createOrders)
	r := newRig(t, w.config(orders), nil)
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	r.poll(ended, r.databases[0])
	assert.Empty(t, r.metrics.AllMetrics())
	assert.Empty(t, r.own.All())
}
