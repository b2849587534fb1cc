// Package reliability is how the connector and the exporter reach the
// reliability extension in the same process. Both find it by its component ID
// through component.Host and assert one of these interfaces.
package reliability

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/pdata/plog"

	"github.com/otelcol-selfheal/otelcol-selfheal/internal/action"
	"github.com/otelcol-selfheal/otelcol-selfheal/internal/observation"
)

var (
	// ErrStaleFence: another executor has leased the plan since. Stop, send nothing.
	ErrStaleFence = errors.New("the lease was taken over")
	// ErrRefused: the extension forbids the call now (kill switch, silence,
	// cooldown, policy, resource busy). Send nothing; the plan goes back by itself.
	ErrRefused = errors.New("the call is refused")
	// ErrNotDurable: the intent could not be written. Send nothing.
	ErrNotDurable = errors.New("the intent could not be stored")
)

// Intake takes what the connector saw.
type Intake interface {
	// Observe stores observations and their effect on incidents. It returns only
	// after all of it is durable, or an error and none of it is; an ID seen before
	// changes nothing. Safe for concurrent use.
	Observe(ctx context.Context, seen []observation.Observation) error

	// Subscribe registers a sink for incident transitions and signed audit
	// checkpoints. Records are delivered in order, at least once: when sink returns
	// an error the same records come again later. At most one sink per subscriber
	// ID; stop ends the subscription and waits for a delivery under way.
	Subscribe(subscriber component.ID, sink func(context.Context, plog.Logs) error) (stop func())
}

// Dispatcher hands out what was decided to those who can do it.
type Dispatcher interface {
	// Register tells what an executor can do now. Called at start and whenever
	// something changes (a platform goes down, acting is switched on); the last call counts.
	Register(executor string, can []action.Capability)
	// Unregister withdraws everything of an executor.
	Unregister(executor string)

	// Ready receives a value when there may be something to lease. It may be
	// missed or come for nothing: poll now and then as well.
	Ready() <-chan struct{}

	// Lease gives at most most plans that executor registered for and whose time
	// has come, each for ttl.
	Lease(ctx context.Context, executor string, most int, ttl time.Duration) ([]action.Lease, error)
	// Renew extends a lease.
	Renew(ctx context.Context, l action.Lease, ttl time.Duration) (action.Lease, error)
	// Begin makes the intent durable and audited. Unless it returns nil, no call
	// may leave. ErrStaleFence, ErrRefused, ErrNotDurable or a context error.
	Begin(ctx context.Context, l action.Lease, in action.Intent) error
	// Complete reports the result. It is idempotent for the same fence.
	Complete(ctx context.Context, l action.Lease, r action.Result) error
	// Release gives a lease back without a result: the platform is down, or a
	// limit of the executor's own was hit. The plan may be leased again after wait.
	Release(ctx context.Context, l action.Lease, why string, wait time.Duration) error
}

// Extension is what the reliability extension implements.
type Extension interface {
	component.Component
	Intake
	Dispatcher
}

// Find returns the extension with the given ID, or an error that tells what is
// configured wrongly.
func Find(host component.Host, id component.ID) (Extension, error) {
	ext, ok := host.GetExtensions()[id]
	if !ok {
		return nil, fmt.Errorf("reliability: extension %q is not in service::extensions", id)
	}
	r, ok := ext.(Extension)
	if !ok {
		return nil, fmt.Errorf("reliability: extension %q is not a reliability extension", id)
	}
	return r, nil
}
