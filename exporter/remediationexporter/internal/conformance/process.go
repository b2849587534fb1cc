package conformance

import (
	"context"
	"runtime"
	"sync"
	"time"

	"go.opentelemetry.io/collector/component/componenttest"
	"go.uber.org/zap"

	"github.com/otelcol-selfheal/otelcol-selfheal/exporter/remediationexporter/internal/execution"
	"github.com/otelcol-selfheal/otelcol-selfheal/exporter/remediationexporter/internal/metadata"
	"github.com/otelcol-selfheal/otelcol-selfheal/exporter/remediationexporter/internal/platform"
	"github.com/otelcol-selfheal/otelcol-selfheal/internal/action"
	"github.com/otelcol-selfheal/otelcol-selfheal/internal/reliability"
)

// process is a collector that can be killed: from then on it does nothing more,
// writes nothing and sends nothing, wherever it stood.
type process struct {
	*Store
	adapter platform.Adapter
	ctx     context.Context
	cancel  context.CancelFunc

	mu    sync.Mutex
	dieAt int // the step at which it dies, from 1; 0: never
	steps int
	dead  bool
}

var _ reliability.Dispatcher = (*process)(nil)

func newProcess(s *Store, a platform.Adapter, dieAt int) *process {
	p := &process{Store: s, adapter: a, dieAt: dieAt}
	p.ctx, p.cancel = context.WithCancel(context.Background())
	return p
}

// step is a point between two deeds; a process that dies there, or is dead,
// goes no further.
func (p *process) step() {
	p.mu.Lock()
	p.steps++
	if p.steps == p.dieAt {
		p.dead = true
	}
	dead := p.dead
	p.mu.Unlock()
	if dead {
		p.cancel()
		runtime.Goexit()
	}
}

// kill ends it from outside.
func (p *process) kill() {
	p.mu.Lock()
	p.dead = true
	p.mu.Unlock()
	p.cancel()
}

func (p *process) isDead() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.dead
}

// run lets it do one round of leasing and executing.
func (p *process) run(set execution.Settings, site execution.Site, clock execution.Clock) {
	tel, err := metadata.NewTelemetryBuilder(componenttest.NewNopTelemetrySettings())
	if err != nil {
		panic(err)
	}
	site.Adapter = p
	e := execution.New(set, p, []execution.Site{site}, clock, tel, zap.NewNop())
	done := make(chan struct{})
	go func() {
		defer close(done)
		e.Round(p.ctx, p.ctx)
	}()
	<-done
	e.Wait()
	p.cancel()
}

func (p *process) Lease(ctx context.Context, executor string, most int, ttl time.Duration) ([]action.Lease, error) {
	p.step()
	l, err := p.Store.Lease(ctx, executor, most, ttl)
	p.step()
	return l, err
}

func (p *process) Begin(ctx context.Context, l action.Lease, in action.Intent) error {
	p.step()
	err := p.Store.Begin(ctx, l, in)
	p.step()
	return err
}

func (p *process) Complete(ctx context.Context, l action.Lease, r action.Result) error {
	p.step()
	err := p.Store.Complete(ctx, l, r)
	p.step()
	return err
}

func (p *process) Release(ctx context.Context, l action.Lease, why string, wait time.Duration) error {
	p.step()
	err := p.Store.Release(ctx, l, why, wait)
	p.step()
	return err
}

func (p *process) Actions() []action.Type { return p.adapter.Actions() }

func (p *process) Ping(ctx context.Context) error { return p.adapter.Ping(ctx) }

func (p *process) Read(ctx context.Context, plan action.Plan) (platform.State, error) {
	p.step()
	s, err := p.adapter.Read(ctx, plan)
	p.step()
	return s, err
}

func (p *process) Judge(plan action.Plan, now platform.State) (why, detail string) {
	return p.adapter.Judge(plan, now)
}

func (p *process) Compare(plan action.Plan, before, now platform.State) platform.Effect {
	return p.adapter.Compare(plan, before, now)
}

func (p *process) Call(ctx context.Context, plan action.Plan, before platform.State) (platform.State, error) {
	p.step()
	s, err := p.adapter.Call(ctx, plan, before)
	p.step()
	return s, err
}
