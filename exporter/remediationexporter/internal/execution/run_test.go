package execution_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"go.opentelemetry.io/otel/sdk/metric/metricdata/metricdatatest"

	"github.com/otelcol-selfheal/otelcol-selfheal/exporter/remediationexporter/internal/metadatatest"
	"github.com/otelcol-selfheal/otelcol-selfheal/exporter/remediationexporter/internal/platform"
	"github.com/otelcol-selfheal/otelcol-selfheal/internal/action"
)

func TestWhatWakesIt(t *testing.T) {
	t.Parallel()
	s := newScene(t, nil)
	rounds := make(chan struct{}, 10)
	s.store.Fail = func(op string, after bool) error {
		if op == "lease" && !after {
			rounds <- struct{}{}
			return errors.New("nothing to lease yet")
		}
		return nil
	}
	stop, cancel := context.WithCancel(t.Context())
	wake := make(chan struct{})
	var done sync.WaitGroup
	done.Go(func() { s.x.Run(stop, t.Context(), wake) })
	<-rounds // at start
	wake <- struct{}{}
	<-rounds
	s.store.Wake()
	<-rounds
	require.Eventually(t, func() bool { return s.clock.Fire() > 0 }, 5*time.Second, time.Millisecond)
	<-rounds
	cancel()
	done.Wait()
	metadatatest.AssertEqualRemediationWakeups(t, s.tel, []metricdata.DataPoint[int64]{
		point(1, "reason", "start"), point(1, "reason", "record"), point(1, "reason", "ready"), point(1, "reason", "poll"),
	}, metricdatatest.IgnoreTimestamp())
}

func TestStopLetsACallComeToItsEnd(t *testing.T) {
	t.Parallel()
	s := newScene(t, nil)
	stop, cancel := context.WithCancel(t.Context())
	s.memory.onCall = func() error { cancel(); return nil }
	s.x.Run(stop, t.Context(), nil)
	assert.Equal(t, action.Succeeded, s.result(t, "plan-1").Status)
}

func TestStopBeginsNothing(t *testing.T) {
	t.Parallel()
	s := newScene(t, nil)
	stop, cancel := context.WithCancel(t.Context())
	s.memory.onRead = cancel
	s.x.Run(stop, t.Context(), nil)
	assert.Zero(t, s.store.Begins())
	assert.Zero(t, s.memory.version)
	require.Len(t, s.store.Releases(), 1, "the next process need not wait for the lease to run out")
	assert.Zero(t, s.store.Releases()[0].Wait)
}

func TestStopEndsTheWaitForAnOldRequest(t *testing.T) {
	t.Parallel()
	s := newScene(t, nil)
	stop, cancel := context.WithCancel(t.Context())
	calls := 0
	s.memory.onCall = func() error { calls++; return platform.Errorf(platform.Unclear, "no answer") }
	s.memory.onRead = func() {
		if calls > 0 {
			cancel()
		}
	}
	s.x.Run(stop, t.Context(), nil)
	assert.Equal(t, 1, calls)
	assert.Nil(t, s.store.Plan("plan-1").Result)
	assert.Len(t, s.store.Releases(), 1)
	assert.NotNil(t, s.store.Plan("plan-1").Intent, "the next process asks")
}
