package state

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/extension/xextension/storage"

	"github.com/otelcol-selfheal/otelcol-selfheal/receiver/dataqualityreceiver/internal/load"
	"github.com/otelcol-selfheal/otelcol-selfheal/receiver/dataqualityreceiver/internal/schema"
)

type client map[string][]byte

func (c client) Get(_ context.Context, key string) ([]byte, error) { return c[key], nil }
func (c client) Set(_ context.Context, key string, value []byte) error {
	c[key] = value
	return nil
}
func (c client) Delete(context.Context, string) error               { return nil }
func (c client) Batch(context.Context, ...*storage.Operation) error { return nil }
func (c client) Close(context.Context) error                        { return nil }

func TestWhatIsSavedIsLoaded(t *testing.T) {
	t.Parallel()
	s := Store{Client: client{}}
	rows := int64(7)
	table := Table{
		Columns: []schema.Column{{Name: "id", Type: "int"}},
		Loads:   load.Ledger{{ID: "1", Rows: 7, Stated: &rows, Again: 2}},
		Pending: []Change{{Change: schema.Change{Added: []string{"id int"}}, UID: "u", Hash: "h", At: time.Unix(1, 5).UTC()}},
	}
	require.NoError(t, s.Save(t.Context(), "orders", table))
	got, err := s.Load(t.Context(), "orders")
	require.NoError(t, err)
	table.Version = version
	assert.Equal(t, table, got)
	got, err = s.Load(t.Context(), "other")
	require.NoError(t, err)
	assert.Equal(t, Table{}, got)
}

func TestStateOfAnotherKindIsRefused(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"{", `{"version": 2}`, "[]"} {
		got, err := Store{Client: client{"orders": []byte(text)}}.Load(t.Context(), "orders")
		require.Error(t, err, text)
		assert.Equal(t, Table{}, got)
	}
}

func TestWithoutAStorageNothingIsKept(t *testing.T) {
	t.Parallel()
	require.NoError(t, Store{}.Save(t.Context(), "orders", Table{}))
	got, err := Store{}.Load(t.Context(), "orders")
	require.NoError(t, err)
	assert.Equal(t, Table{}, got)
	require.NoError(t, Store{}.Close(t.Context()))
}
