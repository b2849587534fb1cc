package source

import (
	"encoding/json"
	"net/http"
	"testing"
	"time"
)

func get(t *testing.T, s *Source, path string) (int, []Row) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.URL+path, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var rows []Row
	_ = json.NewDecoder(resp.Body).Decode(&rows)
	return resp.StatusCode, rows
}

func TestModes(t *testing.T) {
	s, err := Start(1000, 30)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Stop(t.Context()) //nolint:errcheck // the test is over
	full := len(s.Rows("orders", 7))
	if full < 970 || full > 1030 {
		t.Fatalf("%d rows, want 1000 ± 30", full)
	}
	for _, c := range []struct {
		mode   Mode
		status int
		rows   int
	}{{Normal, 200, full}, {Unavailable, 503, 0}, {Tenth, 200, full / 10}, {Malformed, 200, 0}, {Unauthorized, 401, 0}, {Stalling, 503, 0}, {Slow, 200, full}} {
		s.SetFor("orders", c.mode, 0, time.Millisecond)
		status, rows := get(t, s, "/feeds/orders/loads/7")
		if status != c.status || (c.mode != Malformed && len(rows) != c.rows) {
			t.Errorf("%s: %d with %d rows, want %d with %d", c.mode, status, len(rows), c.status, c.rows)
		}
	}
	s.SetFor("orders", Unavailable, time.Nanosecond, 0)
	if status, _ := get(t, s, "/feeds/orders/loads/7"); status != 200 {
		t.Errorf("a fault for a while goes on: %d", status)
	}
	if status, _ := get(t, s, "/feeds/other/loads/7"); status != 200 {
		t.Errorf("a fault of one feed reaches another: %d", status)
	}
	if n := s.Count("orders", 503); n != 2 {
		t.Errorf("counted %d answers of 503, want 2", n)
	}
}
