package delivery

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/otelcol-selfheal/otelcol-selfheal/receiver/openlineagereceiver/internal/event"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func noon() time.Time { return time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC) }

func TestWhatWasTakenIsRemembered(t *testing.T) {
	t.Parallel()
	l := NewLedger(10, time.Hour, noon)
	status, err := l.Begin(t.Context(), event.UID{1})
	require.NoError(t, err)
	require.Zero(t, status)
	l.End(event.UID{1}, Status{Taken: Logs | Metrics})
	status, err = l.Begin(t.Context(), event.UID{1})
	require.NoError(t, err)
	require.Equal(t, Status{Taken: Logs | Metrics}, status)
	l.End(event.UID{1}, status)
}

func TestFullLedgerSaysThatItForgot(t *testing.T) {
	t.Parallel()
	l := NewLedger(1, time.Hour, noon)
	for i := range 2 {
		_, err := l.Begin(t.Context(), event.UID{byte(i)})
		require.NoError(t, err)
		assert.Equal(t, i == 1, l.End(event.UID{byte(i)}, Status{Done: true}))
	}
}

func TestOneEventIsInOnePairOfHands(t *testing.T) {
	t.Parallel()
	l := NewLedger(10, time.Hour, noon)
	var sent atomic.Int64
	var all sync.WaitGroup
	for range 50 {
		all.Go(func() {
			status, err := l.Begin(t.Context(), event.UID{7})
			if assert.NoError(t, err) && !status.Done {
				sent.Add(1)
			}
			l.End(event.UID{7}, Status{Done: true})
		})
	}
	all.Wait()
	require.Equal(t, int64(1), sent.Load())
}

func TestWaitingEndsWithTheRequest(t *testing.T) {
	t.Parallel()
	l := NewLedger(10, time.Hour, noon)
	_, err := l.Begin(t.Context(), event.UID{7})
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = l.Begin(ctx, event.UID{7})
	require.ErrorIs(t, err, context.Canceled)
	l.End(event.UID{7}, Status{})
}
