package storetest

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/otelcol-selfheal/otelcol-selfheal/internal/store"
)

func silences(t *testing.T, open Open) {
	s := opened(t, open, store.Bounds{})
	a := store.Silence{ID: "a", Match: "job:*", Start: at(2), End: at(5), By: "ann", Comment: "deploy"}
	b := store.Silence{ID: "b", Match: "*", Start: at(1), End: time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC), By: "ben"}
	update(t, s, func(tx store.Tx) error {
		if err := tx.PutSilence(a); err != nil {
			return err
		}
		return tx.PutSilence(b)
	})
	in := func(minute int) []store.Silence {
		return read(t, s, func(r store.Reader) ([]store.Silence, error) { return r.Silences(at(minute)) })
	}
	require.Empty(t, in(0))
	require.Equal(t, []store.Silence{b}, in(1))
	require.Equal(t, []store.Silence{b, a}, in(2))
	require.Equal(t, []store.Silence{b}, in(5), "over at its end")
	b.End = at(3)
	update(t, s, func(tx store.Tx) error { return tx.PutSilence(b) })
	require.Equal(t, []store.Silence{a}, in(4), "the same ID replaces")
}

func users(t *testing.T, open Open) {
	s := opened(t, open, store.Bounds{})
	ann := store.User{Name: "ann", Role: store.Admin, TokenHash: []byte{1, 2, 3}, Created: at(1)}
	ben := store.User{Name: "ben", Role: store.Viewer, TokenHash: []byte{4}, Created: at(0)}
	update(t, s, func(tx store.Tx) error {
		if err := tx.PutUser(ben); err != nil {
			return err
		}
		return tx.PutUser(ann)
	})
	require.Equal(t, []store.User{ann, ben}, read(t, s, store.Reader.Users))
	ben.Disabled, ben.TokenHash = true, []byte{5}
	update(t, s, func(tx store.Tx) error { return tx.PutUser(ben) })
	require.Equal(t, []store.User{ann, ben}, read(t, s, store.Reader.Users))
}

func meta(t *testing.T, open Open) {
	s := opened(t, open, store.Bounds{})
	get := func(key string) []byte {
		return read(t, s, func(r store.Reader) ([]byte, error) { return r.Meta(key) })
	}
	set := func(key string, value []byte) {
		update(t, s, func(tx store.Tx) error { return tx.PutMeta(key, value) })
	}
	require.Nil(t, get("k"))
	set("k", []byte{0, 255})
	set("l", []byte("x"))
	require.Equal(t, []byte{0, 255}, get("k"))
	set("k", []byte("new"))
	require.Equal(t, []byte("new"), get("k"))
	set("k", []byte{})
	require.Equal(t, []byte{}, get("k"), "empty is not none")
	set("k", nil)
	require.Nil(t, get("k"))
	require.Equal(t, []byte("x"), get("l"))
}
