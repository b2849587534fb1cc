package airflow

import (
	"context"
	"maps"
	"net/http"
	"slices"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/config/configmiddleware"
	"go.opentelemetry.io/collector/extension/extensionmiddleware"
)

// innermost gets hold of the transport that confighttp makes: what confighttp
// wraps around it hides that its idle connections can be closed.
type innermost struct{ transport http.RoundTripper }

var _ extensionmiddleware.HTTPClient = (*innermost)(nil)

// join makes i the middleware that is next to the transport, and returns the
// extensions with it. The caller's configuration and extensions stay as they are.
func (i *innermost) join(cfg *Config, extensions map[component.ID]component.Component) map[component.ID]component.Component {
	id := component.MustNewIDWithName("airflow_client", "innermost")
	all := make(map[component.ID]component.Component, len(extensions)+1)
	maps.Copy(all, extensions)
	all[id] = i
	cfg.ClientConfig.Middlewares = append(slices.Clone(cfg.ClientConfig.Middlewares), configmiddleware.Config{ID: id})
	return all
}

// GetHTTPRoundTripper remembers the transport and leaves it as it is.
func (i *innermost) GetHTTPRoundTripper(context.Context) (extensionmiddleware.WrapHTTPRoundTripperFunc, error) {
	return func(_ context.Context, base http.RoundTripper) (http.RoundTripper, error) {
		i.transport = base
		return base, nil
	}, nil
}

// Start does nothing: it is no extension that the collector runs.
func (*innermost) Start(context.Context, component.Host) error { return nil }

// Shutdown does nothing.
func (*innermost) Shutdown(context.Context) error { return nil }
