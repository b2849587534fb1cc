package classificationconnector

import (
	"context"
	"errors"
	"sync"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/connector"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/pipeline"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	"go.uber.org/zap"

	"github.com/otelcol-selfheal/otelcol-selfheal/connector/classificationconnector/internal/metadata"
	"github.com/otelcol-selfheal/otelcol-selfheal/connector/classificationconnector/internal/reading"
	"github.com/otelcol-selfheal/otelcol-selfheal/internal/observation"
	"github.com/otelcol-selfheal/otelcol-selfheal/internal/reliability"
	"github.com/otelcol-selfheal/otelcol-selfheal/internal/vocab"
)

// errFull: the sender keeps the batch and sends it again.
var errFull = errors.New("classification: the reliability extension cannot write its state and the backlog is full")

// retryEvery is how often a backlog is tried again.
const retryEvery = 2 * time.Second

// classification is what all pairs of signals of one component ID share.
type classification struct {
	cfg    *Config
	id     component.ID
	log    *zap.Logger
	tel    *metadata.TelemetryBuilder
	reader *reading.Reader

	intake      reliability.Intake
	unsubscribe func()
	cancel      context.CancelFunc
	done        sync.WaitGroup

	mu      sync.Mutex
	next    map[pipeline.ID]consumer.Logs
	backlog []observation.Observation
}

func newClassification(set connector.Settings, cfg *Config) (*classification, error) {
	tel, err := metadata.NewTelemetryBuilder(set.TelemetrySettings)
	if err != nil {
		return nil, err
	}
	c := &classification{cfg: cfg, id: set.ID, log: set.Logger, tel: tel, next: map[pipeline.ID]consumer.Logs{}}
	judge, err := newJudge(cfg, func(rule string) {
		tel.ClassificationRuleErrors.Add(context.Background(), 1, metric.WithAttributes(attribute.String("rule", rule)))
	})
	if err != nil {
		return nil, err
	}
	c.reader = &reading.Reader{Judge: judge, Now: time.Now, Max: cfg.MaxObservationsPerBatch, MaxFailures: cfg.MaxFailuresPerBatch}
	if own, ok := set.Resource.Attributes().Get(vocab.ServiceName); ok {
		c.reader.Own = own.AsString()
	}
	return c, nil
}

// leadsTo adds the pipelines that a pair of signals leads to. Pairs that lead to
// the same pipeline name it alike, so it gets each record once.
func (c *classification) leadsTo(next consumer.Logs) {
	c.mu.Lock()
	defer c.mu.Unlock()
	router, ok := next.(connector.LogsRouterAndConsumer)
	if !ok {
		c.next[pipeline.NewID(pipeline.SignalLogs)] = next
		return
	}
	for _, id := range router.PipelineIDs() {
		if one, err := router.Consumer(id); err == nil {
			c.next[id] = one
		}
	}
}

// Start finds the extension and asks it for transitions.
func (c *classification) Start(_ context.Context, host component.Host) error {
	ext, err := reliability.Find(host, c.cfg.Reliability)
	if err != nil {
		return err
	}
	c.intake = ext
	if err := c.tel.RegisterClassificationBacklogCallback(func(_ context.Context, o metric.Int64Observer) error {
		o.Observe(int64(c.waiting()))
		return nil
	}); err != nil {
		return err
	}
	c.unsubscribe = ext.Subscribe(c.id, c.send)
	ctx, cancel := context.WithCancel(context.Background())
	c.cancel = cancel
	c.done.Go(func() { c.retry(ctx) })
	return nil
}

// Shutdown gives what waits one last chance.
func (c *classification) Shutdown(ctx context.Context) error {
	if c.unsubscribe != nil {
		c.unsubscribe()
	}
	if c.cancel != nil {
		c.cancel()
		c.done.Wait()
		if err := c.drain(ctx); err != nil {
			c.log.Warn("observations are lost: the state could not be written until the end", zap.Int("observations", c.waiting()), zap.Error(err))
		}
	}
	c.tel.Shutdown()
	return nil
}

// Capabilities implements consumer.
func (c *classification) Capabilities() consumer.Capabilities { return consumer.Capabilities{} }

// ConsumeMetrics implements consumer.Metrics.
func (c *classification) ConsumeMetrics(ctx context.Context, m pmetric.Metrics) error {
	seen, skip := c.reader.Metrics(m)
	return c.observe(ctx, seen, skip)
}

// ConsumeLogs implements consumer.Logs.
func (c *classification) ConsumeLogs(ctx context.Context, l plog.Logs) error {
	seen, skip := c.reader.Logs(l)
	return c.observe(ctx, seen, skip)
}

// ConsumeTraces implements consumer.Traces.
func (c *classification) ConsumeTraces(ctx context.Context, t ptrace.Traces) error {
	seen, skip := c.reader.Traces(t)
	return c.observe(ctx, seen, skip)
}

// observe hands observations over. While the state cannot be written they wait in
// memory, so that a full disk does not send the users' telemetry back; only
// when the backlog is full is the batch refused.
func (c *classification) observe(ctx context.Context, seen []observation.Observation, skip reading.Skip) error {
	c.count(ctx, seen, skip)
	if len(seen) == 0 {
		return nil
	}
	if c.waiting() == 0 {
		err := c.intake.Observe(ctx, seen)
		if err == nil || ctx.Err() != nil {
			return err
		}
		c.log.Debug("the state could not be written, observations wait", zap.Error(err))
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.backlog)+len(seen) > c.cfg.MaxBacklog {
		c.tel.ClassificationRefused.Add(ctx, 1)
		return errFull
	}
	c.backlog = append(c.backlog, seen...)
	return nil
}

func (c *classification) waiting() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.backlog)
}

func (c *classification) retry(ctx context.Context) {
	t := time.NewTicker(retryEvery)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
			if err := c.drain(ctx); err != nil {
				c.log.Debug("observations still wait", zap.Error(err))
			}
		}
	}
}

// drain hands over what waits, in order, in pieces.
func (c *classification) drain(ctx context.Context) error {
	for {
		c.mu.Lock()
		piece := c.backlog[:min(len(c.backlog), 1000)]
		c.mu.Unlock()
		if len(piece) == 0 {
			return nil
		}
		if err := c.intake.Observe(ctx, piece); err != nil {
			return err
		}
		c.mu.Lock()
		c.backlog = c.backlog[len(piece):]
		if len(c.backlog) == 0 {
			c.backlog = nil
		}
		c.mu.Unlock()
	}
}

func (c *classification) count(ctx context.Context, seen []observation.Observation, skip reading.Skip) {
	kinds := map[observation.Kind]int64{}
	for n := range seen {
		kinds[seen[n].Kind]++
	}
	for kind, n := range kinds {
		c.tel.ClassificationObservations.Add(ctx, n, metric.WithAttributes(attribute.String("kind", string(kind))))
	}
	skipped := func(reason string, n int) {
		if n > 0 {
			c.tel.ClassificationSkipped.Add(ctx, int64(n), metric.WithAttributes(attribute.String("reason", reason)))
		}
	}
	skipped("forged", skip.Forged)
	skipped("batch_bound", skip.Bounded)
	skipped("repeated_failure", skip.Repeated)
	for why, n := range skip.Malformed {
		skipped(why, n)
	}
}

// send delivers records of the extension to every pipeline once.
func (c *classification) send(ctx context.Context, l plog.Logs) error {
	c.mu.Lock()
	next := make([]consumer.Logs, 0, len(c.next))
	for _, n := range c.next {
		next = append(next, n)
	}
	c.mu.Unlock()
	var errs error
	for _, n := range next {
		own := plog.NewLogs()
		l.CopyTo(own)
		errs = errors.Join(errs, n.ConsumeLogs(ctx, own))
	}
	return errs
}
