package engine

import (
	"context"
	"encoding/binary"
	"errors"
	"sync"
	"time"

	"go.opentelemetry.io/collector/pdata/plog"
	"go.uber.org/zap"

	"github.com/otelcol-selfheal/otelcol-selfheal/extension/reliabilityextension/internal/record"
	"github.com/otelcol-selfheal/otelcol-selfheal/internal/store"
)

const (
	outboxBatch = 100
	outboxPoll  = 30 * time.Second
	retryFirst  = 500 * time.Millisecond
	retryMost   = 30 * time.Second
)

// Subscribe delivers transitions and checkpoints to sink, in order and at least
// once, from a goroutine of its own until stop is called.
func (e *Engine) Subscribe(subscriber string, sink func(context.Context, plog.Logs) error) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	var done sync.WaitGroup
	done.Go(func() { e.deliver(ctx, subscriber, sink) })
	var once sync.Once
	return func() {
		once.Do(cancel)
		done.Wait()
	}
}

func (e *Engine) deliver(ctx context.Context, subscriber string, sink func(context.Context, plog.Logs) error) {
	wait := retryFirst
	for ctx.Err() == nil {
		e.mu.Lock()
		changed := e.changed
		e.mu.Unlock()
		more, err := e.deliverOnce(ctx, subscriber, sink)
		if err != nil {
			if ctx.Err() != nil {
				return
			}
			e.log.Warn("incident records could not be delivered, will try again", zap.String("subscriber", subscriber), zap.Duration("in", wait), zap.Error(err))
			pause(ctx, nil, wait)
			wait = min(2*wait, retryMost)
			continue
		}
		wait = retryFirst
		if !more {
			pause(ctx, changed, outboxPoll)
		}
	}
}

func pause(ctx context.Context, early <-chan struct{}, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-early:
	case <-t.C:
	}
}

// deliverOnce sends the next records; more says that there may be further ones.
func (e *Engine) deliverOnce(ctx context.Context, subscriber string, sink func(context.Context, plog.Logs) error) (more bool, err error) {
	var list []store.Transition
	var head *store.Checkpoint
	key := "checkpoint.delivered/" + subscriber
	err = e.store.View(ctx, func(r store.Reader) error {
		var err error
		if list, err = r.Outbox(subscriber, outboxBatch); err != nil {
			return err
		}
		heads, err := r.Checkpoints(1)
		if err != nil || len(heads) == 0 {
			return err
		}
		sent, err := r.Meta(key)
		if err != nil {
			return err
		}
		if len(sent) != 8 || binary.BigEndian.Uint64(sent) < uint64(heads[0].Size) {
			head = &heads[0]
		}
		return nil
	})
	if err != nil {
		return false, err
	}
	if len(list) > 0 {
		logs, err := record.Transitions(list)
		if err != nil {
			return false, err
		}
		if err := sink(ctx, logs); err != nil {
			return false, err
		}
	}
	if head != nil {
		if err := sink(ctx, record.Checkpoint(*head, e.now())); err != nil {
			return false, err
		}
	}
	if len(list) == 0 && head == nil {
		return false, nil
	}
	// What was sent is remembered even when the engine is stopping, so that it does not come twice for that alone.
	return len(list) == outboxBatch, e.store.Update(context.WithoutCancel(ctx), func(tx store.Tx) error {
		var errs error
		if len(list) > 0 {
			errs = tx.Delivered(subscriber, list[len(list)-1].Sequence)
		}
		if head != nil {
			errs = errors.Join(errs, tx.PutMeta(key, binary.BigEndian.AppendUint64(nil, uint64(head.Size))))
		}
		return errs
	})
}

// Checkpoint signs the head of the audit log when it has grown.
func (e *Engine) Checkpoint(ctx context.Context) error {
	var grown bool
	err := e.store.View(ctx, func(r store.Reader) error {
		size, err := r.AuditSize()
		if err != nil {
			return err
		}
		heads, err := r.Checkpoints(1)
		grown = size > 0 && (len(heads) == 0 || heads[0].Size < size)
		return err
	})
	if err != nil || !grown {
		return err
	}
	return e.update(ctx, func(b *batch) error {
		_, err := e.signer.Checkpoint(b.Tx, b.now)
		b.notify = true
		return err
	})
}

// Prune drops what is older than the retention.
func (e *Engine) Prune(ctx context.Context) error {
	return e.update(ctx, func(b *batch) error {
		rows, err := b.Tx.Prune(b.now.Add(-b.Engine.set.Retention))
		if err != nil || rows == 0 {
			return err
		}
		return b.audit(b.Tx, "state.prune", "engine", e.dir, map[string]any{"rows": rows})
	})
}
