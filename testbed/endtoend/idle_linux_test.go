package endtoend

import (
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// idleFor is how long an idle collector is measured.
const idleFor = 20 * time.Second

// A collector that watches a dead Airflow and one table costs little.
func TestIdleCost(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "shop.db")
	db, err := sql.Open("sqlite", file)
	must(t, err)
	_, err = db.ExecContext(t.Context(), `CREATE TABLE orders (id INTEGER, load_id TEXT); INSERT INTO orders VALUES (1, 'a'), (2, 'a')`)
	must(t, err)
	must(t, db.Close())
	dead := fmt.Sprintf("http://127.0.0.1:%d", port(t))
	storage := filepath.Join(t.TempDir(), "storage")
	s := start(t, options{
		receivers: "  airflow:\n    endpoint: " + dead + "\n    username: u\n    password: p\n    storage: file_storage\n" +
			"  dataquality:\n    storage: file_storage\n    databases: {shop: {driver: sqlite, datasource: " + file + ", tables: [{name: orders, load_column: load_id, key: [id]}]}}\n",
		exporters:  "  remediation:\n    airflow: {default: {endpoint: \"" + dead + "\", username: u, password: p}}\n    act: [{action: airflow.clear_task*, scope: \"default/shop_*\"}]\n",
		extensions: "  file_storage: {directory: " + storage + ", create_directory: true}\n", services: ", file_storage",
		metrics: ", airflow, dataquality", logs: ", airflow, dataquality", incidents: ", remediation",
	})
	eventually(t, "the table is measured", func() bool { return s.sink.counted() > 0 })
	first := used(t, s.Process().PID)
	time.Sleep(idleFor)
	cpu := float64(used(t, s.Process().PID)-first) / 100 / idleFor.Seconds() * 100
	resident, err := s.Process().Resident()
	must(t, err)
	note(t, "idle: resident MiB", resident>>20)
	note(t, "idle: percent of one core", cpu)
	if resident > 300<<20 || cpu > 10 {
		t.Errorf("%d MiB, %.1f %% of one core", resident>>20, cpu)
	}
	if code, out := s.operate(t, "status"); code != 0 || !strings.Contains(out, "does not answer") {
		t.Errorf("status does not say that Airflow is dead: %d\n%s", code, out)
	}
}

// used is the CPU time of a process in hundredths of a second, by proc(5).
func used(t *testing.T, pid int) int {
	t.Helper()
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	must(t, err)
	fields := strings.Fields(string(raw[strings.LastIndexByte(string(raw), ')')+1:]))
	var user, system int
	_, err = fmt.Sscan(fields[11]+" "+fields[12], &user, &system)
	must(t, err)
	return user + system
}
