package engine

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/gobwas/glob"

	"github.com/otelcol-selfheal/otelcol-selfheal/internal/incident"
	"github.com/otelcol-selfheal/otelcol-selfheal/internal/killswitch"
	"github.com/otelcol-selfheal/otelcol-selfheal/internal/store"
)

// ErrInvalid: what a person asked for makes no sense; the text says why.
var ErrInvalid = errors.New("invalid")

// Silence keeps incidents whose root matches from being acted on. ID, Start
// and By are set by the engine.
func (e *Engine) Silence(ctx context.Context, by string, s store.Silence) (store.Silence, error) {
	if _, err := glob.Compile(s.Match); err != nil || s.Match == "" {
		return s, fmt.Errorf("%w: match %q is not a pattern such as job:default/orders.*", ErrInvalid, s.Match)
	}
	now := e.now()
	if !s.End.After(now) {
		return s, fmt.Errorf("%w: end %s has passed", ErrInvalid, s.End.Format(time.RFC3339))
	}
	if s.Comment == "" {
		return s, fmt.Errorf("%w: a silence needs a comment", ErrInvalid)
	}
	id, err := e.id("sil-", now)
	if err != nil {
		return s, err
	}
	s.ID, s.Start, s.By = id, now, by
	return s, e.update(ctx, func(b *batch) error {
		if err := b.PutSilence(s); err != nil {
			return err
		}
		b.notify = true
		return e.audit(b.Tx, "silence.add", "user:"+by, s.ID, s)
	})
}

// EndSilence ends a silence now.
func (e *Engine) EndSilence(ctx context.Context, by, id string) error {
	return e.update(ctx, func(b *batch) error {
		silences, err := b.Silences(b.now)
		if err != nil {
			return err
		}
		for _, s := range silences {
			if s.ID != id {
				continue
			}
			s.End = b.now
			b.notify = true
			if err := b.PutSilence(s); err != nil {
				return err
			}
			return e.audit(b.Tx, "silence.end", "user:"+by, id, nil)
		}
		return fmt.Errorf("silence %s: %w", id, store.ErrNotFound)
	})
}

// Pause pulls the kill switch.
func (e *Engine) Pause(ctx context.Context, by, reason string) error {
	if err := killswitch.Pull(e.dir, killswitch.Pulled{By: by, At: e.now(), Reason: reason}); err != nil {
		return err
	}
	return e.update(ctx, func(b *batch) error { return b.switched() })
}

// Resume releases the kill switch.
func (e *Engine) Resume(ctx context.Context, by string) error {
	if err := killswitch.Release(e.dir); err != nil {
		return err
	}
	return e.update(ctx, func(b *batch) error {
		if b.killed != nil {
			if err := e.audit(b.Tx, "killswitch.resume", "user:"+by, e.dir, nil); err != nil {
				return err
			}
		}
		return b.switched()
	})
}

// Close ends an incident by a person's word: what it is about will not be done.
func (e *Engine) Close(ctx context.Context, by, id, comment string) error {
	if comment == "" {
		return fmt.Errorf("%w: closing an incident needs a comment", ErrInvalid)
	}
	return e.update(ctx, func(b *batch) error {
		i := b.get(id)
		if i == nil || i.Terminal() {
			return fmt.Errorf("incident %s under way: %w", id, store.ErrNotFound)
		}
		if i.State == incident.Acting {
			return fmt.Errorf("%w: incident %s is acting, wait for the result", ErrInvalid, id)
		}
		plans, err := b.plans(i)
		if err != nil {
			return err
		}
		if p := current(plans); p != nil {
			if err := b.withdraw(i, p, "closed by "+by); err != nil {
				return err
			}
		}
		b.set(i, incident.Resolved, incident.ReasonOperator, "closed by "+by+": "+comment)
		b.edit(id).Closed = b.now
		return e.audit(b.Tx, "incident.close", "user:"+by, id, map[string]any{"comment": comment})
	})
}
