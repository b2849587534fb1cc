package openlineagereceiver

import (
	"errors"
	"fmt"
	"time"

	"go.opentelemetry.io/collector/config/confighttp"
	"go.opentelemetry.io/collector/confmap"

	"github.com/otelcol-selfheal/otelcol-selfheal/receiver/openlineagereceiver/internal/metadata"
)

// Config of the receiver. The server's keys stand at the top level.
type Config struct {
	// HTTP has a name, because an embedded one would read the whole config with its own Unmarshal.
	HTTP                          confighttp.ServerConfig `mapstructure:",squash"`
	metadata.MetricsBuilderConfig `mapstructure:",squash"`

	// ServiceName is service.name of all that the receiver says.
	ServiceName string `mapstructure:"service_name"`
	// PlatformInstance is the name of the installation that sends events.
	// Receivers of the same installation, and actions on it, use the same.
	PlatformInstance string `mapstructure:"platform_instance"`
	// RunTimeout after which a run of which nothing more is heard counts as unfinished.
	RunTimeout time.Duration `mapstructure:"run_timeout"`
	// MaxRequestsInFlight are handled at once; more are told to come again.
	MaxRequestsInFlight int `mapstructure:"max_requests_in_flight"`

	Limits Limits `mapstructure:"limits"`
	Memory Memory `mapstructure:"memory"`

	// prevent unkeyed literal initialization
	_ struct{}
}

// Limits bound one event or batch. Beyond them it is refused with 4xx, except for the last two.
type Limits struct {
	Depth       int `mapstructure:"depth"`
	StringBytes int `mapstructure:"string_bytes"`
	Keys        int `mapstructure:"keys"`
	Values      int `mapstructure:"values"`
	Datasets    int `mapstructure:"datasets"`
	BatchEvents int `mapstructure:"batch_events"`
	// TextBytes that are kept of one text in the body of a record.
	TextBytes int `mapstructure:"text_bytes"`
	// ScrubBytes of text are searched for secrets in one event; texts beyond are masked.
	ScrubBytes int `mapstructure:"scrub_bytes"`

	// prevent unkeyed literal initialization
	_ struct{}
}

// Memory bounds what is remembered between events. What was longest not heard of gives way.
type Memory struct {
	Events   int           `mapstructure:"events"`
	EventAge time.Duration `mapstructure:"event_age"`
	Runs     int           `mapstructure:"runs"`
	// RunDatasets are remembered of one run's inputs, and as many of its outputs.
	RunDatasets int           `mapstructure:"run_datasets"`
	Schemas     int           `mapstructure:"schemas"`
	SchemaAge   time.Duration `mapstructure:"schema_age"`

	// prevent unkeyed literal initialization
	_ struct{}
}

// minTextBytes leaves room for the mark of a cut.
const minTextBytes = 64

var _ confmap.Validator = (*Config)(nil)

// Validate names each key that cannot be used.
func (c *Config) Validate() error {
	var errs []error
	refuse := func(bad bool, key, want string) {
		if bad {
			errs = append(errs, fmt.Errorf("%s: want %s", key, want))
		}
	}
	refuse(c.HTTP.NetAddr.Endpoint == "", "endpoint", "an address to listen on, such as 127.0.0.1:4319")
	refuse(c.HTTP.MaxRequestBodySize < 0, "max_request_body_size", "a number of bytes, or 0 for the default")
	refuse(c.ServiceName == "", "service_name", "a name, such as openlineage")
	refuse(c.PlatformInstance == "", "platform_instance", "a name, such as default")
	refuse(c.RunTimeout < time.Second, "run_timeout", "at least 1s")
	for _, n := range []struct {
		key   string
		value int
	}{
		{"max_requests_in_flight", c.MaxRequestsInFlight},
		{"limits::depth", c.Limits.Depth},
		{"limits::string_bytes", c.Limits.StringBytes},
		{"limits::keys", c.Limits.Keys},
		{"limits::values", c.Limits.Values},
		{"limits::datasets", c.Limits.Datasets},
		{"limits::batch_events", c.Limits.BatchEvents},
		{"limits::scrub_bytes", c.Limits.ScrubBytes},
		{"memory::events", c.Memory.Events},
		{"memory::runs", c.Memory.Runs},
		{"memory::run_datasets", c.Memory.RunDatasets},
		{"memory::schemas", c.Memory.Schemas},
	} {
		refuse(n.value < 1, n.key, "a positive number")
	}
	refuse(c.Limits.Depth > maxDepth, "limits::depth", fmt.Sprintf("at most %d", maxDepth))
	refuse(c.Limits.TextBytes < minTextBytes, "limits::text_bytes", fmt.Sprintf("at least %d", minTextBytes))
	refuse(c.Memory.EventAge <= 0, "memory::event_age", "a positive duration")
	refuse(c.Memory.SchemaAge <= 0, "memory::schema_age", "a positive duration")
	return errors.Join(errs...)
}

// maxDepth keeps the stack small, whatever the config says.
const maxDepth = 1000
