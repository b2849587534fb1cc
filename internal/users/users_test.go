package users

import (
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-selfheal/otelcol-selfheal/internal/store"
	"github.com/otelcol-selfheal/otelcol-selfheal/internal/store/sqlite"
)

var now = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

func open(t *testing.T) (store.Store, string) {
	t.Helper()
	dir := t.TempDir()
	s, err := sqlite.Open(dir, sqlite.Options{Now: func() time.Time { return now }})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	return s, dir
}

func TestTheFirstUserIsMadeOnce(t *testing.T) {
	t.Parallel()
	s, dir := open(t)
	path, err := First(t.Context(), s, dir, now)
	require.NoError(t, err)
	info, err := os.Stat(path)
	require.NoError(t, err)
	assert.Equal(t, os.FileMode(0o600), info.Mode().Perm())
	raw, err := os.ReadFile(path)
	require.NoError(t, err)
	require.NoError(t, s.View(t.Context(), func(r store.Reader) error {
		u, err := Authenticate(r, strings.TrimSpace(string(raw)))
		require.NoError(t, err)
		assert.Equal(t, "admin", u.Name)
		assert.Equal(t, store.Admin, u.Role)
		return nil
	}))
	again, err := First(t.Context(), s, dir, now)
	require.NoError(t, err)
	assert.Empty(t, again)
}

func TestTokensEnd(t *testing.T) {
	t.Parallel()
	s, _ := open(t)
	var first, second string
	require.NoError(t, s.Update(t.Context(), func(tx store.Tx) (err error) {
		_, err = Add(tx, "test", "root", store.Admin, now)
		require.NoError(t, err)
		first, err = Add(tx, "root", "ann", store.Operator, now)
		return err
	}))
	require.NoError(t, s.Update(t.Context(), func(tx store.Tx) (err error) {
		second, err = Add(tx, "root", "ann", store.Viewer, now)
		return err
	}))
	require.NoError(t, s.View(t.Context(), func(r store.Reader) error {
		_, err := Authenticate(r, first)
		require.ErrorIs(t, err, ErrUnknown)
		u, err := Authenticate(r, second)
		require.NoError(t, err)
		assert.Equal(t, store.Viewer, u.Role)
		for _, bad := range []string{"", "selfheal_", second + "x", strings.TrimPrefix(second, "selfheal_")} {
			_, err := Authenticate(r, bad)
			require.ErrorIs(t, err, ErrUnknown, bad)
		}
		return nil
	}))
	require.NoError(t, s.Update(t.Context(), func(tx store.Tx) error { return Disable(tx, "root", "ann", now) }))
	require.NoError(t, s.View(t.Context(), func(r store.Reader) error {
		_, err := Authenticate(r, second)
		require.ErrorIs(t, err, ErrUnknown)
		_, err = Authenticate(r, "")
		require.ErrorIs(t, err, ErrUnknown)
		return nil
	}))
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	s, _ := open(t)
	require.NoError(t, s.Update(t.Context(), func(tx store.Tx) error {
		_, err := Add(tx, "test", "Ann Smith", store.Viewer, now)
		require.ErrorIs(t, err, ErrInvalid)
		_, err = Add(tx, "test", "ann", "owner", now)
		require.ErrorContains(t, err, `role "owner" is none of`)
		require.ErrorIs(t, Disable(tx, "test", "nobody", now), store.ErrNotFound)
		_, err = Add(tx, "test", "root", store.Admin, now)
		require.NoError(t, err)
		require.ErrorContains(t, Disable(tx, "test", "root", now), "last admin")
		return nil
	}))
}

func TestRolesHoldTheRightsBelow(t *testing.T) {
	t.Parallel()
	assert.True(t, May(store.Admin, store.Operator))
	assert.True(t, May(store.Operator, store.Operator))
	assert.False(t, May(store.Viewer, store.Operator))
	assert.False(t, May("", store.Viewer))
	assert.False(t, May("owner", store.Viewer))
}
