package airflow

import (
	"errors"
	"fmt"
	"net/url"
	"time"

	"go.opentelemetry.io/collector/config/confighttp"
	"go.opentelemetry.io/collector/config/configopaque"
)

// Config says where an Airflow installation is and how to log in there. It is
// meant to be squashed into a component's configuration.
type Config struct {
	// ClientConfig is the connection; its endpoint is Airflow's base URL, without /api/v2.
	ClientConfig confighttp.ClientConfig `mapstructure:",squash"`
	// Username and Password are exchanged for a token at /auth/token.
	Username string              `mapstructure:"username"`
	Password configopaque.String `mapstructure:"password"`
	// Token is a bearer token made elsewhere, instead of username and password.
	Token configopaque.String `mapstructure:"token"`
	// RateLimit is the highest average number of requests in a second.
	RateLimit float64 `mapstructure:"rate_limit"`
	// RateBurst is how many requests may be sent at once before RateLimit holds.
	RateBurst int `mapstructure:"rate_burst"`
	// MaxResponseSize is the largest answer that is read, in bytes after decompression.
	MaxResponseSize int64 `mapstructure:"max_response_size"`
}

// DefaultConfig returns the defaults: 10 s for a request, 20 requests a second
// with bursts of 40, answers of at most 16 MiB. The endpoint has no default.
func DefaultConfig() Config {
	cc := confighttp.NewDefaultClientConfig()
	cc.Timeout = 10 * time.Second
	return Config{ClientConfig: cc, RateLimit: 20, RateBurst: 40, MaxResponseSize: 16 << 20}
}

// Validate checks what can be checked without calling Airflow.
func (c *Config) Validate() error {
	var errs []error
	if c.ClientConfig.Endpoint == "" {
		errs = append(errs, errors.New("endpoint: must be Airflow's base URL, such as http://localhost:8080"))
	} else if u, err := url.Parse(c.ClientConfig.Endpoint); err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" {
		errs = append(errs, errors.New("endpoint: must be an http or https URL with a host"))
	} else if u.User != nil {
		errs = append(errs, errors.New("endpoint: must not contain credentials, use username and password"))
	} else if u.RawQuery != "" || u.Fragment != "" {
		errs = append(errs, errors.New("endpoint: must not have a query or fragment"))
	}
	if c.ClientConfig.Timeout <= 0 {
		errs = append(errs, errors.New("timeout: must be more than 0, so that a server that hangs is given up on"))
	}
	if (c.Username == "") != (c.Password == "") {
		errs = append(errs, errors.New("username and password: set both or neither"))
	}
	if c.Token != "" && c.Username != "" {
		errs = append(errs, errors.New("token: cannot be combined with username and password"))
	}
	if c.ClientConfig.Auth.HasValue() && (c.Token != "" || c.Username != "") {
		errs = append(errs, errors.New("auth: cannot be combined with username or token"))
	}
	if c.RateLimit <= 0 {
		errs = append(errs, fmt.Errorf("rate_limit: must be more than 0 requests a second, is %v", c.RateLimit))
	}
	if c.RateBurst < 1 {
		errs = append(errs, fmt.Errorf("rate_burst: must be at least 1, is %d", c.RateBurst))
	}
	if c.MaxResponseSize < 1<<10 {
		errs = append(errs, fmt.Errorf("max_response_size: must be at least 1024 bytes, is %d", c.MaxResponseSize))
	}
	return errors.Join(errs...)
}
