// Package execution carries out leased plans: it asks the target before it
// acts, begins durably, calls once, and reports what came of it. After a crash,
// or an answer that tells nothing, it asks the target again and never the same
// twice on trust.
package execution

import (
	"context"
	"fmt"
	"sync"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	"go.uber.org/zap"

	"github.com/otelcol-selfheal/otelcol-selfheal/exporter/remediationexporter/internal/metadata"
	"github.com/otelcol-selfheal/otelcol-selfheal/internal/action"
	"github.com/otelcol-selfheal/otelcol-selfheal/internal/incident"
	"github.com/otelcol-selfheal/otelcol-selfheal/internal/reliability"
)

// Settings of an Executor. All are positive.
type Settings struct {
	Name          string        // by which the extension knows this executor
	Act           []Scope       // where acting is switched on; empty: nowhere
	PollInterval  time.Duration // how long to wait for a wake-up
	LeaseTTL      time.Duration
	CallTimeout   time.Duration // of each request to a platform
	MaxConcurrent int           // plans under way at one instance
	MaxAttempts   int           // calls for one plan, of which all but the last had no effect
	RateLimit     int           // calls in an hour at one instance
	Cooldown      time.Duration // between two plans' calls on one resource
}

// Executor runs plans. Run it once.
type Executor struct {
	set   Settings
	disp  reliability.Dispatcher
	sites []*site
	clock Clock
	tel   *metadata.TelemetryBuilder
	log   *zap.Logger

	work       sync.WaitGroup
	registerMu sync.Mutex // the last Register must carry the newest state
}

// New makes an executor for the sites; their order is that of what it registers.
func New(set Settings, disp reliability.Dispatcher, sites []Site, clock Clock, tel *metadata.TelemetryBuilder, log *zap.Logger) *Executor {
	e := &Executor{set: set, disp: disp, clock: clock, tel: tel, log: log}
	for _, s := range sites {
		e.sites = append(e.sites, &site{
			Site:   s,
			limits: newLimits(set.RateLimit, set.Cooldown),
			slots:  make(chan struct{}, set.MaxConcurrent),
			detail: "not asked yet",
		})
	}
	return e
}

// Run leases and carries out plans until stop ends, then waits for those under
// way. The end of kill breaks those off as well; whatever call is in the air
// then has to be settled by the next holder of its lease.
func (e *Executor) Run(stop, kill context.Context, wake <-chan struct{}) {
	tick, end := e.clock.Tick(e.set.PollInterval)
	defer end()
	defer e.work.Wait()
	e.register()
	why := "start"
	for {
		e.count(e.tel.RemediationWakeups, attribute.String("reason", why))
		e.Round(stop, kill)
		select {
		case <-stop.Done():
			return
		case <-wake:
			why = "record"
		case <-e.disp.Ready():
			why = "ready"
		case <-tick:
			why = "poll"
		}
	}
}

// Round asks the platforms that were silent whether they are back, leases what
// may be leased now and starts to carry it out. Wait waits for the end of that.
func (e *Executor) Round(stop, kill context.Context) {
	e.ping(stop)
	free := 0
	for _, s := range e.sites {
		free += cap(s.slots) - len(s.slots)
	}
	if free == 0 || stop.Err() != nil {
		return
	}
	leases, err := e.disp.Lease(stop, e.set.Name, free, e.set.LeaseTTL)
	if err != nil {
		if stop.Err() == nil {
			e.log.Warn("Cannot lease plans from the reliability extension; they wait", zap.Error(err))
		}
		return
	}
	for _, l := range leases {
		e.count(e.tel.RemediationLeases, attribute.String("action", string(l.Plan.Action)))
		e.start(stop, kill, l)
	}
}

// start carries one plan out on its own goroutine, or gives it back where there
// is no room for it.
func (e *Executor) start(stop, kill context.Context, l action.Lease) {
	j := &job{e: e, site: e.site(l.Plan), plan: l.Plan, lease: l, stop: stop}
	if j.site == nil {
		// Leased though it was not registered: the extension judges again.
		j.report(kill, released(incident.ReasonNoExecutor, e.set.LeaseTTL))
		return
	}
	select {
	case j.site.slots <- struct{}{}:
	default:
		j.report(kill, released(incident.ReasonRateLimited, e.set.PollInterval))
		return
	}
	e.work.Go(func() {
		defer func() { <-j.site.slots }()
		j.run(kill)
	})
}

// Wait returns when nothing is under way.
func (e *Executor) Wait() { e.work.Wait() }

// ping asks each site that is silent and due, all at once.
func (e *Executor) ping(ctx context.Context) {
	var asked sync.WaitGroup
	for _, s := range e.sites {
		if s.dueForPing(e.clock.Now()) {
			asked.Go(func() {
				ctx, cancel := context.WithTimeout(ctx, e.set.CallTimeout)
				defer cancel()
				if err := s.Adapter.Ping(ctx); err != nil {
					e.silent(s, fmt.Errorf("cannot reach %s: %w", s.name(), err))
					return
				}
				e.answered(s)
			})
		}
	}
	asked.Wait()
}

func (e *Executor) answered(s *site) {
	if s.answered() {
		e.log.Info("The platform answers", zap.String("instance", s.name()))
		e.register()
	}
}

func (e *Executor) silent(s *site, why error) time.Duration {
	wait, changed := s.silent(e.clock.Now(), why)
	if changed {
		e.log.Warn("The platform does not answer; its plans wait", zap.String("instance", s.name()), zap.Error(why))
		e.register()
	}
	return wait
}

// register tells the extension what can be done now.
func (e *Executor) register() {
	e.registerMu.Lock()
	defer e.registerMu.Unlock()
	var can []action.Capability
	for _, s := range e.sites {
		reachable, detail := s.state()
		up := int64(0)
		if reachable {
			up = 1
		}
		e.tel.RemediationReachable.Record(context.Background(), up, metric.WithAttributes(attribute.String("instance", s.name())))
		for _, t := range s.Adapter.Actions() {
			can = append(can, action.Capability{
				Action: t, Platform: s.Platform, Instance: s.Instance,
				Act: patterns(e.set.Act, t), Reachable: reachable, Detail: detail,
			})
		}
	}
	e.disp.Register(e.set.Name, can)
}

// site finds where a plan is to be carried out, nil where that is not here.
func (e *Executor) site(t action.Plan) *site {
	for _, s := range e.sites {
		if s.Platform == t.Target.Kind && s.Instance == t.Target.Instance {
			return s
		}
	}
	return nil
}

func (e *Executor) count(c metric.Int64Counter, attrs ...attribute.KeyValue) {
	c.Add(context.Background(), 1, metric.WithAttributes(attrs...))
}
