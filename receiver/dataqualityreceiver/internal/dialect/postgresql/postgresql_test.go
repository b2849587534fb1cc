package postgresql

import (
	"context"
	"errors"
	"fmt"
	"net"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-selfheal/otelcol-selfheal/receiver/dataqualityreceiver/internal/dialect"
)

func TestLocate(t *testing.T) {
	t.Parallel()
	for source, want := range map[string]dialect.Location{
		"postgres://u:p@db.example:5433/shop":                 {Namespace: "postgres://db.example:5433", Database: "shop"},
		"postgresql://u@db.example/shop?sslmode=disable":      {Namespace: "postgres://db.example:5432", Database: "shop"},
		"host=db.example port=6000 user=u dbname=shop":        {Namespace: "postgres://db.example:6000", Database: "shop"},
		"postgres://u@a.example,b.example/shop":               {Namespace: "postgres://a.example:5432", Database: "shop"},
		"postgres://u@[2001:db8::1]:5432/shop":                {Namespace: "postgres://[2001:db8::1]:5432", Database: "shop"},
		"host=/var/run/postgresql port=5432 user=u dbname=db": {Namespace: "postgres://localhost:5432", Database: "db"},
		"host=db.example user=u":                              {Namespace: "postgres://db.example:5432", Database: "u"},
	} {
		location, err := Dialect{}.Locate(source)
		require.NoError(t, err, source)
		assert.Equal(t, want, location, source)
	}
}

func TestEntityName(t *testing.T) {
	t.Parallel()
	at := dialect.Location{Database: "shop"}
	assert.Equal(t, "shop.public.orders", Dialect{}.EntityName(at, dialect.Table{Name: "orders"}))
	assert.Equal(t, "shop.raw.orders", Dialect{}.EntityName(at, dialect.Table{Schema: "raw", Name: "orders"}))
}

func TestErrorsOfADataSourceDoNotQuoteIt(t *testing.T) {
	t.Parallel()
	for _, source := range []string{"", "postgres://u:hunter2-7Hq@db:port/x", "mysql://u:hunter2-7Hq@db/x", "host=db password=hunter2-7Hq port=x"} {
		_, err := Dialect{}.Locate(source)
		require.Error(t, err, source)
		assert.NotContains(t, err.Error(), "hunter2")
		_, err = Dialect{}.Open(source, dialect.Limits{})
		require.Error(t, err, source)
		assert.NotContains(t, err.Error(), "hunter2")
	}
}

func TestExplain(t *testing.T) {
	t.Parallel()
	const value = "4111111111111111"
	server := func(code string) error {
		return fmt.Errorf("query: %w", &pgconn.PgError{Code: code, Message: "about " + value, Detail: "Key (card)=(" + value + ")"})
	}
	for name, tc := range map[string]struct {
		err  error
		want dialect.Kind
	}{
		"statement ended":   {server("57014"), dialect.Timeout},
		"lock":              {server("55P03"), dialect.LockTimeout},
		"no table":          {server("42P01"), dialect.TableMissing},
		"no schema":         {server("3F000"), dialect.TableMissing},
		"no column":         {server("42703"), dialect.ColumnMissing},
		"denied":            {server("42501"), dialect.PermissionDenied},
		"password":          {server("28P01"), dialect.AuthenticationFailed},
		"no database":       {server("3D000"), dialect.Unreachable},
		"too many sessions": {server("53300"), dialect.Unreachable},
		"shutting down":     {server("57P01"), dialect.Unreachable},
		"damaged":           {server("XX001"), dialect.Corrupt},
		"bad value":         {server("22P02"), dialect.QueryFailed},
		"no code":           {server(""), dialect.QueryFailed},
		"deadline":          {fmt.Errorf("timeout: %w", context.DeadlineExceeded), dialect.Timeout},
		"no route":          {&net.OpError{Op: "dial", Err: errors.New("no route to host")}, dialect.Unreachable},
		"anything":          {errors.New("about " + value), dialect.QueryFailed},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			failure := Dialect{}.Explain(tc.err)
			assert.Equal(t, tc.want, failure.Kind)
			assert.NotContains(t, failure.Text, value)
		})
	}
}
