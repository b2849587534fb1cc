package sharedinstance

import (
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"
)

type counted struct {
	starts, stops int
	fail          error
}

func (c *counted) Start(context.Context, component.Host) error { c.starts++; return c.fail }
func (c *counted) Shutdown(context.Context) error              { c.stops++; return nil }

func TestOneObjectForAllSignals(t *testing.T) {
	t.Parallel()
	var m Map[string, *counted]
	made := 0
	create := func() (*counted, error) { made++; return &counted{}, nil }
	a, err := m.Get("id", create)
	require.NoError(t, err)
	b, err := m.Get("id", create)
	require.NoError(t, err)
	require.Same(t, a, b)
	require.Equal(t, 1, made)

	require.NoError(t, a.Start(t.Context(), nil))
	require.NoError(t, b.Start(t.Context(), nil))
	require.NoError(t, a.Shutdown(t.Context()))
	require.Equal(t, 0, a.Value.stops, "one user is left")
	require.NoError(t, b.Shutdown(t.Context()))
	require.Equal(t, counted{starts: 1, stops: 1}, *a.Value)

	c, err := m.Get("id", create)
	require.NoError(t, err)
	require.NotSame(t, a, c, "a stopped instance is not handed out again")
}

func TestShutdownWithoutStartForgetsTheObject(t *testing.T) {
	t.Parallel()
	var m Map[string, *counted]
	a, err := m.Get("id", func() (*counted, error) { return &counted{}, nil })
	require.NoError(t, err)
	require.NoError(t, a.Shutdown(t.Context()))
	require.Zero(t, a.Value.stops)
	require.Empty(t, m.live)
}

func TestEveryUserLearnsThatStartFailed(t *testing.T) {
	t.Parallel()
	var m Map[string, *counted]
	boom := errors.New("boom")
	a, err := m.Get("id", func() (*counted, error) { return &counted{fail: boom}, nil })
	require.NoError(t, err)
	require.ErrorIs(t, a.Start(t.Context(), nil), boom)
	require.ErrorIs(t, a.Start(t.Context(), nil), boom)
	require.Equal(t, 1, a.Value.starts)
}

func TestACreateThatFailsLeavesNothing(t *testing.T) {
	t.Parallel()
	var m Map[string, *counted]
	boom := errors.New("boom")
	_, err := m.Get("id", func() (*counted, error) { return nil, boom })
	require.ErrorIs(t, err, boom)
	require.Empty(t, m.live)
}
