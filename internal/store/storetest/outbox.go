package storetest

import (
	"fmt"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/otelcol-selfheal/otelcol-selfheal/internal/incident"
	"github.com/otelcol-selfheal/otelcol-selfheal/internal/store"
)

// waiting lists the versions that a subscriber would be sent.
func waiting(t *testing.T, s store.Store, subscriber string, limit int) (sent []string, last int64) {
	t.Helper()
	for _, tr := range read(t, s, func(r store.Reader) ([]store.Transition, error) { return r.Outbox(subscriber, limit) }) {
		require.Greater(t, tr.Sequence, last)
		last = tr.Sequence
		sent = append(sent, fmt.Sprintf("%s/%d", tr.Incident.ID, tr.Incident.Version))
	}
	return sent, last
}

func delivered(t *testing.T, s store.Store, subscriber string, sequence int64) {
	t.Helper()
	update(t, s, func(tx store.Tx) error { return tx.Delivered(subscriber, sequence) })
}

func outboxOrder(t *testing.T, open Open) {
	s, reopen := open(t, Config{Now: newClock().Now})
	a, b := newIncident("a", at(0)), newIncident("b", at(0))
	put(t, s, a, b)
	a.State = incident.Planned
	update(t, s, func(tx store.Tx) error { return tx.PutIncident(a, incident.Open) })

	all := read(t, s, func(r store.Reader) ([]store.Transition, error) { return r.Outbox("connector", 0) })
	require.Len(t, all, 3)
	require.Equal(t, store.Transition{Sequence: all[2].Sequence, Incident: *a, From: incident.Open, At: Epoch}, all[2])
	require.Equal(t, incident.Open, all[0].Incident.State, "as it was after that change")

	sent, last := waiting(t, s, "connector", 2)
	require.Equal(t, []string{"a/1", "b/1"}, sent)
	again, _ := waiting(t, s, "connector", 2)
	require.Equal(t, sent, again, "until told, they come again")
	s = reopen()
	again, _ = waiting(t, s, "connector", 2)
	require.Equal(t, sent, again, "also after a restart")

	delivered(t, s, "connector", last)
	sent, last = waiting(t, s, "connector", 2)
	require.Equal(t, []string{"a/2"}, sent)
	delivered(t, s, "connector", last)
	sent, _ = waiting(t, s, "connector", 2)
	require.Empty(t, sent)

	// The order goes on after the outbox was empty and the store was opened again.
	s = reopen()
	put(t, s, b)
	_, next := waiting(t, s, "connector", 0)
	require.Greater(t, next, last)
	delivered(t, s, "connector", last) // an older word takes nothing back
	delivered(t, s, "connector", next)
	delivered(t, s, "connector", last)
	sent, _ = waiting(t, s, "connector", 0)
	require.Empty(t, sent)
}

func outboxSubscribers(t *testing.T, open Open) {
	s, reopen := open(t, Config{Now: newClock().Now})
	put(t, s, newIncident("a", at(0)), newIncident("b", at(0)))
	_, last := waiting(t, s, "one", 0)
	_, _ = waiting(t, s, "two", 0)
	delivered(t, s, "one", last)
	sent, _ := waiting(t, s, "one", 0)
	require.Empty(t, sent)
	s = reopen()
	sent, _ = waiting(t, s, "two", 0)
	require.Equal(t, []string{"a/1", "b/1"}, sent, "two has asked before and got nothing yet")
	require.Equal(t, int64(2), read(t, s, store.Reader.Stats).Outbox)
	delivered(t, s, "two", last)
	require.Zero(t, read(t, s, store.Reader.Stats).Outbox)
	sent, _ = waiting(t, s, "three", 0)
	require.Empty(t, sent, "all known subscribers had them before three came")

	// Asking within an Update counts as well.
	c := newIncident("c", at(0))
	update(t, s, func(tx store.Tx) error {
		if err := tx.PutIncident(c, ""); err != nil {
			return err
		}
		got, err := tx.Outbox("four", 0)
		require.Len(t, got, 1)
		return err
	})
	_, last = waiting(t, s, "one", 0)
	for _, name := range []string{"one", "two", "three"} {
		delivered(t, s, name, last)
	}
	sent, _ = waiting(t, s, "four", 0)
	require.Equal(t, []string{"c/1"}, sent)
}

func outboxLeave(t *testing.T, open Open) {
	c := newClock()
	s, _ := open(t, Config{Now: c.Now})
	put(t, s, newIncident("a", at(0)))
	_, last := waiting(t, s, "stays", 0)
	_, _ = waiting(t, s, "leaves", 0)
	delivered(t, s, "stays", last)
	c.add(48 * time.Hour)
	sent, _ := waiting(t, s, "stays", 0)
	require.Empty(t, sent)
	require.Equal(t, int64(1), read(t, s, store.Reader.Stats).Outbox)
	update(t, s, func(tx store.Tx) error {
		_, err := tx.Prune(c.Now().Add(-24 * time.Hour))
		return err
	})
	require.Zero(t, read(t, s, store.Reader.Stats).Outbox)
}

func outboxBound(t *testing.T, open Open) {
	s := opened(t, open, store.Bounds{MaxOutbox: 3})
	for n := range 5 {
		put(t, s, newIncident(strconv.Itoa(n), at(0)))
	}
	sent, _ := waiting(t, s, "late", 0)
	require.Equal(t, []string{"2/1", "3/1", "4/1"}, sent)
	require.Equal(t, int64(2), read(t, s, store.Reader.Stats).Dropped["outbox"])
}

func outboxFuture(t *testing.T, open Open) {
	s := opened(t, open, store.Bounds{})
	put(t, s, newIncident("a", at(0)))
	_, last := waiting(t, s, "x", 0)
	require.ErrorContains(t, s.Update(t.Context(), func(tx store.Tx) error { return tx.Delivered("x", last+1) }), "the last one is")
	sent, _ := waiting(t, s, "x", 0)
	require.Equal(t, []string{"a/1"}, sent)
}
