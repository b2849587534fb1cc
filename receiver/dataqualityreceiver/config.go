package dataqualityreceiver

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/config/configopaque"
	"go.opentelemetry.io/collector/scraper/scraperhelper"

	"github.com/otelcol-selfheal/otelcol-selfheal/internal/entity"
	"github.com/otelcol-selfheal/otelcol-selfheal/receiver/dataqualityreceiver/internal/dialect"
	"github.com/otelcol-selfheal/otelcol-selfheal/receiver/dataqualityreceiver/internal/dialect/postgresql"
	"github.com/otelcol-selfheal/otelcol-selfheal/receiver/dataqualityreceiver/internal/dialect/sqlite"
	"github.com/otelcol-selfheal/otelcol-selfheal/receiver/dataqualityreceiver/internal/metadata"
)

// Config is the configuration of the receiver.
type Config struct {
	scraperhelper.ControllerConfig `mapstructure:",squash"`
	metadata.MetricsBuilderConfig  `mapstructure:",squash"`

	// Databases by name. The name is the service.name of what is measured there.
	Databases map[string]DatabaseConfig `mapstructure:"databases"`
	// QueryTimeout bounds the measurement of one table.
	QueryTimeout time.Duration `mapstructure:"query_timeout"`
	// LockTimeout bounds the wait for a lock that another session holds.
	LockTimeout time.Duration `mapstructure:"lock_timeout"`
	// MaxTables bounds the tables of all databases together.
	MaxTables int `mapstructure:"max_tables"`
	// MaxLoads is how many of the newest loads of a table are looked at.
	MaxLoads int `mapstructure:"max_loads"`
	// Storage is the storage extension that remembers columns and loads across
	// restarts; nil: they are learned anew.
	Storage *component.ID `mapstructure:"storage"`
}

// DatabaseConfig names a database and its tables.
type DatabaseConfig struct {
	// Driver is postgresql or sqlite.
	Driver string `mapstructure:"driver"`
	// Datasource is a URL or keyword string (PostgreSQL), or the path of a file (SQLite).
	Datasource configopaque.String `mapstructure:"datasource"`
	// Namespace replaces the namespace that the data source tells.
	Namespace string `mapstructure:"namespace"`
	// Tables to measure.
	Tables []TableConfig `mapstructure:"tables"`
}

// TableConfig names a table and the roles of its columns.
type TableConfig struct {
	Name string `mapstructure:"name"`
	// Schema is "public" on PostgreSQL where it is left out; SQLite has none.
	Schema string `mapstructure:"schema"`
	// Dataset replaces the dataset's name.
	Dataset string `mapstructure:"dataset"`
	// TimestampColumn says how new a row is.
	TimestampColumn string `mapstructure:"timestamp_column"`
	// TimeZone is the IANA zone of times that have no offset; UTC where it is left out.
	TimeZone string `mapstructure:"time_zone"`
	// LoadColumn says which load brought a row.
	LoadColumn string `mapstructure:"load_column"`
	// Key names the columns that together stand once only.
	Key []string `mapstructure:"key"`
}

// A new engine is its folder and a line here.
var dialects = map[string]dialect.Dialect{
	"postgresql": postgresql.Dialect{},
	"sqlite":     sqlite.Dialect{},
}

func createDefaultConfig() component.Config {
	controller := scraperhelper.NewDefaultControllerConfig()
	controller.CollectionInterval = 15 * time.Second
	return &Config{
		ControllerConfig:     controller,
		MetricsBuilderConfig: metadata.NewDefaultMetricsBuilderConfig(),
		QueryTimeout:         10 * time.Second,
		LockTimeout:          time.Second,
		MaxTables:            100,
		MaxLoads:             8,
	}
}

// Validate names the key of each error.
func (c *Config) Validate() error {
	var errs []error
	if c.CollectionInterval <= 0 {
		errs = append(errs, errors.New("collection_interval: must be positive"))
	}
	if c.QueryTimeout < time.Millisecond {
		errs = append(errs, errors.New("query_timeout: must be 1ms or more"))
	}
	if c.LockTimeout < time.Millisecond {
		errs = append(errs, errors.New("lock_timeout: must be 1ms or more"))
	}
	if c.MaxLoads < 1 || c.MaxLoads > 1000 {
		errs = append(errs, errors.New("max_loads: must be from 1 to 1000"))
	}
	if len(c.Databases) == 0 {
		errs = append(errs, errors.New("databases: name at least one"))
	}
	tables := 0
	owner := map[entity.Ref]string{}
	for _, name := range slices.Sorted(maps.Keys(c.Databases)) {
		db := c.Databases[name]
		tables += len(db.Tables)
		errs = append(errs, db.validate("databases::"+name, owner)...)
	}
	if tables > c.MaxTables {
		errs = append(errs, fmt.Errorf("max_tables: %d tables are configured and %d allowed", tables, c.MaxTables))
	}
	return errors.Join(errs...)
}

func (c DatabaseConfig) validate(key string, owner map[entity.Ref]string) []error {
	var errs []error
	fail := func(at string, err error) { errs = append(errs, fmt.Errorf("%s::%s: %w", key, at, err)) }
	d, ok := dialects[c.Driver]
	if !ok {
		fail("driver", fmt.Errorf("%q is none of %s", c.Driver, strings.Join(slices.Sorted(maps.Keys(dialects)), ", ")))
		return errs
	}
	location, err := d.Locate(string(c.Datasource))
	if err != nil {
		fail("datasource", err)
		return errs
	}
	if len(c.Tables) == 0 {
		fail("tables", errors.New("name at least one"))
	}
	for i, t := range c.Tables {
		at := fmt.Sprintf("tables::%d", i)
		if err := t.validate(d); err != nil {
			fail(at, err)
			continue
		}
		ref := c.ref(d, location, t)
		if err := ref.Validate(); err != nil {
			fail(at, err)
		}
		if other, taken := owner[ref]; taken {
			fail(at, fmt.Errorf("%s is already measured by %s; give one of them another dataset name", ref, other))
		}
		owner[ref] = key + "::" + at
	}
	return errs
}

func (c TableConfig) validate(d dialect.Dialect) error {
	if c.Name == "" {
		return errors.New("name: must be set")
	}
	if strings.ContainsRune(c.Name+c.Schema+c.TimestampColumn+c.LoadColumn+strings.Join(c.Key, ""), 0) {
		return errors.New("a name holds a NUL character")
	}
	if slices.Contains(c.Key, "") {
		return errors.New("key: a column has no name")
	}
	if _, err := time.LoadLocation(c.TimeZone); err != nil {
		return fmt.Errorf("time_zone: %q is no IANA time zone", c.TimeZone)
	}
	return d.Check(c.table())
}

func (c TableConfig) table() dialect.Table {
	return dialect.Table{Schema: c.Schema, Name: c.Name, Timestamp: c.TimestampColumn, Load: c.LoadColumn, Key: c.Key}
}

// ref is the dataset that the table is.
func (c DatabaseConfig) ref(d dialect.Dialect, location dialect.Location, t TableConfig) entity.Ref {
	ref := entity.Ref{Kind: entity.Dataset, Namespace: location.Namespace, Name: d.EntityName(location, t.table())}
	if c.Namespace != "" {
		ref.Namespace = c.Namespace
	}
	if t.Dataset != "" {
		ref.Name = t.Dataset
	}
	return ref
}
