package anomalydetectionprocessor

import (
	"context"
	"errors"
	"fmt"
	"math"
	"sync"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/extension/xextension/storage"
	"go.opentelemetry.io/collector/processor"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	"go.uber.org/zap"

	"github.com/otelcol-selfheal/otelcol-selfheal/processor/anomalydetectionprocessor/internal/fleet"
	"github.com/otelcol-selfheal/otelcol-selfheal/processor/anomalydetectionprocessor/internal/metadata"
	"github.com/otelcol-selfheal/otelcol-selfheal/processor/anomalydetectionprocessor/internal/series"
)

// detector holds the fleet of one component ID and keeps its state in storage.
type detector struct {
	id     component.ID
	cfg    *Config
	logger *zap.Logger
	tel    *metadata.TelemetryBuilder
	fleet  *fleet.Fleet
	now    func() time.Time

	// learningUntil is renewed with each snapshot interval: it takes a look at every series.
	learningUntil atomic.Int64

	standing standing

	client   storage.Client
	open     func(context.Context) (storage.Client, error)
	restored bool
	buf      []byte

	stop context.CancelFunc
	done sync.WaitGroup
}

func newDetector(set processor.Settings, cfg *Config) (*detector, error) {
	tel, err := metadata.NewTelemetryBuilder(set.TelemetrySettings)
	if err != nil {
		return nil, err
	}
	params := series.DefaultParams()
	params.MinPoints = cfg.MinPoints
	params.RecoverAfter = cfg.RecoverAfter
	params.AdoptAfter = cfg.NewNormalAfter
	d := &detector{
		id: set.ID, cfg: cfg, logger: set.Logger, tel: tel, now: time.Now,
		fleet: fleet.New(fleet.Settings{
			Params:     params,
			MaxSeries:  cfg.MaxSeries,
			StaleAfter: int64(cfg.StaleAfter / time.Second),
			Budget:     cfg.AlarmBudget.perDay,
		}),
	}
	d.standing.told.Store(d.now().Unix())
	return d, d.observe()
}

// observe registers the metrics that tell how the fleet stands.
func (d *detector) observe() error {
	state := func(s string) metric.ObserveOption {
		return metric.WithAttributeSet(attribute.NewSet(attribute.String("state", s)))
	}
	learning, ready, anomalous := state("learning"), state("ready"), state("anomalous")
	return errors.Join(
		d.tel.RegisterProcessorAnomalyDetectionSeriesCallback(func(_ context.Context, o metric.Int64Observer) error {
			c := d.fleet.Counts()
			o.Observe(c.Learning, learning)
			o.Observe(c.Ready, ready)
			o.Observe(c.Anomalous, anomalous)
			return nil
		}),
		d.tel.RegisterProcessorAnomalyDetectionSeriesEvictedCallback(func(_ context.Context, o metric.Int64Observer) error {
			o.Observe(d.fleet.Evicted())
			return nil
		}),
		d.tel.RegisterProcessorAnomalyDetectionLearningUntilCallback(func(_ context.Context, o metric.Int64Observer) error {
			o.Observe(d.learningUntil.Load())
			return nil
		}),
		d.tel.RegisterProcessorAnomalyDetectionScoreThresholdCallback(func(_ context.Context, o metric.Float64Observer) error {
			o.Observe(d.fleet.Threshold(float64(time.Minute)))
			return nil
		}),
	)
}

// Start restores the state and begins to keep it. Storage that is not there is
// a mistake in the configuration and fails; storage that does not work is
// reported, and tried again with each snapshot: telemetry flows on.
func (d *detector) Start(ctx context.Context, host component.Host) error {
	if d.cfg.Storage != nil {
		ext, ok := host.GetExtensions()[*d.cfg.Storage]
		if !ok {
			return fmt.Errorf("storage: extension %q is not configured in service::extensions", d.cfg.Storage)
		}
		st, ok := ext.(storage.Extension)
		if !ok {
			return fmt.Errorf("storage: extension %q is no storage extension", d.cfg.Storage)
		}
		d.open = func(ctx context.Context) (storage.Client, error) {
			return st.GetClient(ctx, component.KindProcessor, d.id, "fleet")
		}
		d.restore(ctx)
	}
	ctx, d.stop = context.WithCancel(context.Background())
	d.done.Go(func() {
		tick := time.NewTicker(d.cfg.SnapshotInterval)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
				d.learningUntil.Store(d.fleet.LearningUntil() / int64(time.Second))
				d.snapshot(ctx)
			}
		}
	})
	return nil
}

// Shutdown writes the last snapshot. It may be called again.
func (d *detector) Shutdown(ctx context.Context) error {
	if d.stop == nil {
		return nil
	}
	d.stop()
	d.stop = nil
	d.done.Wait()
	d.snapshot(ctx)
	d.tel.Shutdown()
	if d.client == nil {
		return nil
	}
	err := d.client.Close(ctx)
	d.client = nil
	return err
}

func shardKey(shard int) string { return fmt.Sprintf("shard/%03d", shard) }

// ready opens the storage where it is not open.
func (d *detector) ready(ctx context.Context) error {
	if d.client != nil {
		return nil
	}
	c, err := d.open(ctx)
	if err != nil {
		return err
	}
	d.client = c
	return nil
}

func (d *detector) restore(ctx context.Context) {
	if err := d.ready(ctx); err != nil {
		d.failed(ctx, "open the storage", err)
		return
	}
	held, failures := 0, 0
	var first error
	for i := range fleet.Shards {
		b, err := d.client.Get(ctx, shardKey(i))
		if err == nil && b != nil {
			var n int
			n, err = d.fleet.Restore(b)
			held += n
		}
		if err != nil {
			failures++
			if first == nil {
				first = err
			}
		}
	}
	if first != nil {
		d.tel.ProcessorAnomalyDetectionSnapshotFailures.Add(ctx, int64(failures))
		d.logger.Warn("some of the detector's state could not be restored: those series learn anew",
			zap.Int("parts", failures), zap.Error(first))
	}
	d.restored = true
	d.logger.Info("restored what the detector knew", zap.Int("series", held))
}

// snapshot writes what has changed, one part after the other, so that a batch
// waits at most for one part to be encoded.
func (d *detector) snapshot(ctx context.Context) {
	if d.open == nil {
		return
	}
	if !d.restored {
		// What storage holds is older than what was learned since: series that are known stay as they are.
		if d.restore(ctx); !d.restored {
			return
		}
	}
	began := d.now()
	failures := 0
	var first error
	for i := range fleet.Shards {
		if first != nil && ctx.Err() != nil {
			return
		}
		b, changed := d.fleet.Snapshot(i, d.buf[:0])
		if !changed {
			continue
		}
		d.buf = b
		if err := d.client.Set(ctx, shardKey(i), b); err != nil {
			d.fleet.Unsaved(i)
			failures++
			if first == nil {
				first = err
			}
		}
	}
	if first != nil {
		d.tel.ProcessorAnomalyDetectionSnapshotFailures.Add(ctx, int64(failures)-1)
		d.failed(ctx, fmt.Sprintf("write %d of %d parts of the state", failures, fleet.Shards), first)
	}
	d.tel.ProcessorAnomalyDetectionSnapshotDuration.Record(ctx, math.Max(0, d.now().Sub(began).Seconds()))
}

func (d *detector) failed(ctx context.Context, what string, err error) {
	d.tel.ProcessorAnomalyDetectionSnapshotFailures.Add(ctx, 1)
	d.logger.Warn("could not "+what+": it is tried again at the next snapshot, and a restart before then forgets what was learned since the last",
		zap.Stringer("storage", d.cfg.Storage), zap.Error(err))
}
