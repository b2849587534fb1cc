package postgres

import (
	"os"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/otelcol-selfheal/otelcol-selfheal/testbed/cache"
	"github.com/otelcol-selfheal/otelcol-selfheal/testbed/process"
)

func TestMain(m *testing.M) {
	process.Watchdog()
	os.Exit(m.Run())
}

func TestStartsAndStops(t *testing.T) {
	if os.Getenv("SELFHEAL_PLATFORMS") == "" {
		t.Skip("starts a platform; make test-scenarios runs it")
	}
	root, err := cache.Root()
	if err != nil {
		t.Fatal(err)
	}
	s, err := Start(t.Context(), root, "test", t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Create(t.Context(), "warehouse"); err != nil {
		t.Fatal(err)
	}
	conn, err := pgx.Connect(t.Context(), s.URL("warehouse"))
	if err != nil {
		t.Fatal(err)
	}
	var name string
	if err := conn.QueryRow(t.Context(), "SELECT current_database()").Scan(&name); err != nil || name != "warehouse" {
		t.Fatalf("database %q: %v", name, err)
	}
	if err := s.Stop(); err != nil {
		t.Fatal(err)
	}
	if s.proc.Err() == nil {
		t.Fatal("it still runs")
	}
}
