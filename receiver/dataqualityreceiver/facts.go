package dataqualityreceiver

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"math"
	"slices"
	"strconv"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"

	"github.com/otelcol-selfheal/otelcol-selfheal/internal/vocab"
	"github.com/otelcol-selfheal/otelcol-selfheal/receiver/dataqualityreceiver/internal/dialect"
	"github.com/otelcol-selfheal/otelcol-selfheal/receiver/dataqualityreceiver/internal/load"
	"github.com/otelcol-selfheal/otelcol-selfheal/receiver/dataqualityreceiver/internal/metadata"
	"github.com/otelcol-selfheal/otelcol-selfheal/receiver/dataqualityreceiver/internal/schema"
	"github.com/otelcol-selfheal/otelcol-selfheal/receiver/dataqualityreceiver/internal/state"
)

const (
	sourceName = "dataquality"
	// maxPending bounds the changes of one table that wait to be accepted.
	maxPending = 64
	// The attribute that makes a record the same however often it is sent.
	recordUID = "log.record.uid"
)

// record makes points of what was read and gives the ledger that holds once
// they are accepted. What was not read has no point.
func (r *qualityReceiver) record(ctx context.Context, d *database, t *table, got *reading) load.Ledger {
	mb, at := d.builder, pcommon.NewTimestampFromTime(got.at)
	ledger := t.known.Loads
	if got.shape != nil {
		mb.RecordDataDatasetColumnsDataPoint(at, int64(len(got.shape.Columns)))
	}
	if m := got.measured; m != nil {
		mb.RecordDataDatasetRowsDataPoint(at, m.Rows)
		if m.Size.Valid {
			mb.RecordDataDatasetSizeDataPoint(at, m.Size.Int64)
		}
		if m.Duplicates.Valid {
			mb.RecordDataDatasetDuplicatesDataPoint(at, m.Duplicates.Int64)
		}
		if newest, ok := newest(m, t.zone); ok {
			mb.RecordDataDatasetNewestDataPoint(at, newest)
			// A row from the future is as new as can be, and no newer.
			mb.RecordDataStalenessAgeDataPoint(at, max(0, seconds(got.at)-newest))
		}
		ledger = r.recordLoads(ctx, d, t, m, at)
	}
	rb := mb.NewResourceBuilder()
	rb.SetServiceName(d.name)
	rb.SetDataSourceName(sourceName)
	rb.SetDbSystemName(d.dialect.System())
	rb.SetDataDatasetNamespace(t.ref.Namespace)
	rb.SetDataDatasetName(t.ref.Name)
	mb.EmitForResource(metadata.WithResource(rb.Emit()))
	return ledger
}

func (r *qualityReceiver) recordLoads(ctx context.Context, d *database, t *table, m *dialect.Measurement, at pcommon.Timestamp) load.Ledger {
	if t.Load == "" {
		return t.known.Loads
	}
	counts := make([]load.Count, len(m.Loads))
	for i, l := range m.Loads {
		counts[i] = load.Count{ID: load.ID(l.ID, l.Type, t.zone, t.key), Rows: l.Rows}
	}
	next, stated, overrun := t.known.Loads.Observe(counts, d.window)
	if overrun {
		r.telemetry.DataqualityLoadOverruns.Add(ctx, 1, d.label)
	}
	for i, c := range stated {
		// All loads are one series to the detector, and no two points of a
		// series have one time: the nanosecond keeps their order.
		d.builder.RecordDataDatasetLoadRowsDataPoint(at+pcommon.Timestamp(i), c.Rows, c.ID)
	}
	return next
}

// newest is the later of the times with and without an offset, in Unix seconds.
func newest(m *dialect.Measurement, zone *time.Location) (float64, bool) {
	latest, ok := m.Zoned.Float64, m.Zoned.Valid
	if m.Local.Valid {
		if local := inZone(m.Local.Float64, zone); !ok || local > latest {
			latest, ok = local, true
		}
	}
	return latest, ok && !math.IsNaN(latest) && !math.IsInf(latest, 0)
}

// inZone takes the clock face that wall shows in UTC and gives the Unix seconds
// at which a clock in zone shows it.
func inZone(wall float64, zone *time.Location) float64 {
	whole, part := math.Modf(wall)
	face := time.Unix(int64(whole), 0).UTC()
	year, month, day := face.Date()
	return float64(time.Date(year, month, day, face.Hour(), face.Minute(), face.Second(), 0, zone).Unix()) + part
}

func seconds(at time.Time) float64 {
	return float64(at.Unix()) + float64(at.Nanosecond())/1e9
}

// compare looks for changed columns and reports whether there is something to
// remember. A table that is seen for the first time has not changed.
func (r *qualityReceiver) compare(ctx context.Context, d *database, t *table, got *reading) bool {
	current, before := got.shape.Schema(), t.known.Columns
	hash := schema.Hash(current)
	was := schema.Hash(before)
	if before != nil && hash == was {
		return false
	}
	t.known.Columns = current
	change := schema.Compare(before, current)
	if before == nil || change.IsZero() || r.logs == nil {
		return true
	}
	pending := append(slices.Clone(t.known.Pending), state.Change{Change: change, Hash: hash, At: got.at, UID: uid(t.key, was, hash, got.at)})
	if excess := len(pending) - maxPending; excess > 0 {
		pending = pending[excess:]
		r.telemetry.DataqualitySchemaDroppedEvents.Add(ctx, int64(excess), d.label)
	}
	t.known.Pending = pending
	return true
}

// uid differs for a change that comes, goes and comes again.
func uid(key, was, hash string, at time.Time) string {
	sum := sha256.Sum256([]byte(key + "\x00" + was + "\x00" + hash + "\x00" + strconv.FormatInt(at.UnixNano(), 10)))
	return hex.EncodeToString(sum[:16])
}

// changes makes a record of each change that waits.
func (d *database) changes(now time.Time) plog.Logs {
	ld := plog.NewLogs()
	var records plog.LogRecordSlice
	for _, t := range d.tables {
		for _, change := range t.known.Pending {
			if ld.ResourceLogs().Len() == 0 {
				rl := ld.ResourceLogs().AppendEmpty()
				resource := rl.Resource().Attributes()
				resource.PutStr(vocab.ServiceName, d.name)
				resource.PutStr(vocab.DataSourceName, sourceName)
				resource.PutStr(vocab.DBSystemName, d.dialect.System())
				scope := rl.ScopeLogs().AppendEmpty()
				scope.Scope().SetName(metadata.ScopeName)
				records = scope.LogRecords()
			}
			t.describe(change, records.AppendEmpty(), now)
		}
	}
	return ld
}

func (t *table) describe(change state.Change, record plog.LogRecord, now time.Time) {
	record.SetEventName(vocab.EventSchemaChanged)
	record.SetTimestamp(pcommon.NewTimestampFromTime(change.At))
	record.SetObservedTimestamp(pcommon.NewTimestampFromTime(now))
	record.SetSeverityNumber(plog.SeverityNumberInfo)
	if len(change.Dropped)+len(change.Retyped) > 0 { // what others may rely on
		record.SetSeverityNumber(plog.SeverityNumberWarn)
	}
	attributes := record.Attributes()
	attributes.PutStr(recordUID, change.UID)
	attributes.PutStr(vocab.DatasetNamespace, t.ref.Namespace)
	attributes.PutStr(vocab.DatasetName, t.ref.Name)
	attributes.PutStr(vocab.SchemaHash, change.Hash)
	putList(attributes, vocab.SchemaAdded, change.Added)
	putList(attributes, vocab.SchemaDropped, change.Dropped)
	putList(attributes, vocab.SchemaRetyped, change.Retyped)
}

func putList(attributes pcommon.Map, name string, columns []string) {
	if len(columns) == 0 {
		return
	}
	list := attributes.PutEmptySlice(name)
	for _, c := range columns {
		list.AppendEmpty().SetStr(c)
	}
}
