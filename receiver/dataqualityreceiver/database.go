package dataqualityreceiver

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"go.opentelemetry.io/collector/receiver"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/otelcol-selfheal/otelcol-selfheal/internal/entity"
	"github.com/otelcol-selfheal/otelcol-selfheal/receiver/dataqualityreceiver/internal/dialect"
	"github.com/otelcol-selfheal/otelcol-selfheal/receiver/dataqualityreceiver/internal/metadata"
	"github.com/otelcol-selfheal/otelcol-selfheal/receiver/dataqualityreceiver/internal/state"
)

// Sessions call themselves this, so that an administrator knows whose they are.
const application = "otelcol-selfheal"

// database is one database and what is known of its tables. Only its own loop
// uses it.
type database struct {
	name    string
	cfg     DatabaseConfig
	dialect dialect.Dialect
	tables  []*table
	timeout time.Duration // of one table
	window  int           // loads
	builder *metadata.MetricsBuilder
	label   metric.MeasurementOption // of the receiver's own metrics

	pool  *sql.DB
	guard guard
	down  dialect.Kind // why it could not be measured at all; "": it could
}

type table struct {
	dialect.Table
	ref    entity.Ref
	zone   *time.Location // of times without an offset
	key    string         // in the store
	known  state.Table
	failed string // how the last poll failed; "": it did not
}

func newDatabase(name string, cfg *Config, set receiver.Settings) (*database, error) {
	c := cfg.Databases[name]
	d := &database{
		name: name, cfg: c, dialect: dialects[c.Driver], timeout: cfg.QueryTimeout, window: cfg.MaxLoads,
		builder: metadata.NewMetricsBuilder(cfg.MetricsBuilderConfig, set),
		label:   metric.WithAttributeSet(attribute.NewSet(attribute.String("database", name))),
	}
	if d.dialect == nil {
		return nil, fmt.Errorf("driver: %q is not known", c.Driver)
	}
	location, err := d.dialect.Locate(string(c.Datasource))
	if err != nil {
		return nil, fmt.Errorf("datasource: %w", err)
	}
	for _, t := range c.Tables {
		zone, err := time.LoadLocation(t.TimeZone)
		if err != nil {
			return nil, fmt.Errorf("time_zone: %w", err)
		}
		ref := c.ref(d.dialect, location, t)
		d.tables = append(d.tables, &table{Table: t.table(), ref: ref, zone: zone, key: ref.String()})
	}
	return d, nil
}

func (d *database) open(cfg *Config) error {
	pool, err := d.dialect.Open(string(d.cfg.Datasource), dialect.Limits{Query: cfg.QueryTimeout, Lock: cfg.LockTimeout, Application: application})
	if err != nil {
		return fmt.Errorf("datasource: %w", err)
	}
	d.pool = pool
	return nil
}

func (d *database) close() error { return d.pool.Close() }

// reading is what one poll found out about one table.
type reading struct {
	at       time.Time // just before the table was scanned
	shape    *dialect.Shape
	measured *dialect.Measurement
	failures []dialect.Failure
}

// measure bounds read by time, also where the driver keeps no time.
func (d *database) measure(ctx context.Context, t *table, now func() time.Time) *reading {
	ctx, cancel := context.WithTimeout(ctx, d.timeout)
	defer cancel()
	got := &reading{at: now()}
	if err := d.guard.do(ctx, func(ctx context.Context) { got.failures = d.read(ctx, t.Table, got, now) }); err != nil {
		return &reading{at: now(), failures: []dialect.Failure{d.dialect.Explain(err)}}
	}
	return got
}

// read fills got as far as it comes.
func (d *database) read(ctx context.Context, t dialect.Table, got *reading, now func() time.Time) []dialect.Failure {
	tx, err := d.pool.BeginTx(ctx, &sql.TxOptions{ReadOnly: true})
	if err != nil {
		return []dialect.Failure{d.unanswered(err)}
	}
	defer func() { _ = tx.Rollback() }() // nothing was written
	shape, err := d.dialect.Shape(ctx, tx, t)
	switch {
	case errors.Is(err, dialect.ErrTableMissing):
		return []dialect.Failure{dialect.ExplainAny(err)}
	case err != nil:
		return []dialect.Failure{d.unanswered(err)}
	}
	got.shape = &shape
	statement, failures := dialect.Statement(d.dialect, t, shape, d.window)
	got.at = now()
	measured, err := dialect.Read(ctx, tx, statement)
	if err != nil {
		return append(failures, d.dialect.Explain(err))
	}
	got.measured = &measured
	return failures
}

// unanswered explains why not even the catalogue could be read. When that takes
// too long the fault lies with the database, and its other tables need not wait as well.
func (d *database) unanswered(err error) dialect.Failure {
	failure := d.dialect.Explain(err)
	if failure.Kind == dialect.Timeout {
		return dialect.Failure{Kind: dialect.Unreachable, Text: "not even the catalogue could be read within query_timeout"}
	}
	return failure
}
