package conformance

import (
	"context"
	"sync"
	"time"
)

// Clock is time that passes only when someone sleeps or Advance is called.
type Clock struct {
	mu    sync.Mutex
	now   time.Time
	ticks []chan time.Time
}

// NewClock starts at a fixed moment.
func NewClock() *Clock { return &Clock{now: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)} }

// Now implements execution.Clock.
func (c *Clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

// Advance lets time pass.
func (c *Clock) Advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// Sleep implements execution.Clock: d has passed when it returns.
func (c *Clock) Sleep(ctx context.Context, d time.Duration) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	c.Advance(d)
	return nil
}

// Tick implements execution.Clock; nothing ticks but by Fire.
func (c *Clock) Tick(time.Duration) (tick <-chan time.Time, stop func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	ch := make(chan time.Time)
	c.ticks = append(c.ticks, ch)
	return ch, func() {}
}

// Fire gives one tick to each ticker that someone waits on, and says to how many.
func (c *Clock) Fire() (fired int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, ch := range c.ticks {
		select {
		case ch <- c.now:
			fired++
		default:
		}
	}
	return fired
}
