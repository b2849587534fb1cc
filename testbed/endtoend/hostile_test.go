package endtoend

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"
)

// Hostile requests are refused with the field that is wrong, memory stays
// bounded, and a good event right after is taken.
func TestHostileEvents(t *testing.T) {
	t.Parallel()
	s := start(t, options{})
	s.fails(t, "before", "connection refused")
	calm, err := s.Process().Resident()
	must(t, err)
	good := failure("good", "connection refused")
	with := func(from, to string) []byte { return []byte(strings.Replace(good, from, to, 1)) }
	bomb := zipped(t, 1<<30)
	cases := []struct {
		name, encoding string
		body           []byte
		status         int
		field          string
	}{
		{"not JSON", "", []byte("{\"eventType\":"), 400, ""},
		{"a number", "", []byte("7"), 400, ""},
		{"no job", "", with(`"job"`, `"jobb"`), 400, "job"},
		{"a time that is none", "", with(`"eventTime":"`, `"eventTime":"x`), 400, "eventTime"},
		{"a name that is an object", "", with(`"name":"good"`, `"name":{}`), 400, "job.name"},
		{"nested", "", with(`"facets":{`, `"facets":{"deep":`+strings.Repeat("[", 100_000)+strings.Repeat("]", 100_000)+`,`), 400, "run.facets.deep"},
		{"many keys", "", with(`"facets":{`, `"facets":{"wide":{`+keys(5000)+`},`), 400, "run.facets.wide"},
		{"a long text", "", with("run-of-good", strings.Repeat("x", 2<<20)), 400, "run.runId"},
		{"huge", "", bytes.Repeat([]byte("["), 64<<20), 413, ""},
		{"a gzip bomb", "gzip", bomb, 413, ""},
		{"not gzip", "gzip", []byte(good), 400, ""},
		{"an unknown encoding", "rot13", []byte(good), 400, ""},
	}
	for _, tc := range cases {
		code, answer, err := send(t.Context(), s.lineage+"/api/v1/lineage", "application/json", tc.encoding, tc.body)
		if err != nil {
			t.Errorf("%s: %v", tc.name, err)
			continue
		}
		if code != tc.status || !strings.Contains(answer, tc.field) {
			t.Errorf("%s: answered %d %.300s; want %d that names %q", tc.name, code, answer, tc.status, tc.field)
		}
	}
	// All at once, for the memory
	var wg sync.WaitGroup
	var peak int64
	done := make(chan struct{})
	for range 8 {
		for _, tc := range cases {
			wg.Go(func() {
				_, _, _ = send(t.Context(), s.lineage+"/api/v1/lineage", "application/json", tc.encoding, tc.body)
			})
		}
	}
	go func() { wg.Wait(); close(done) }()
	for open := true; open; {
		select {
		case <-done:
			open = false
		case <-time.After(10 * time.Millisecond):
		}
		now, err := s.Process().Resident()
		must(t, err)
		peak = max(peak, now)
	}
	note(t, "hostile: resident MiB before", calm>>20)
	note(t, "hostile: resident MiB at most", peak>>20)
	if peak > 1<<30 {
		t.Errorf("%d MiB resident", peak>>20)
	}
	s.fails(t, "good", "connection refused")
	code, out := s.operate(t, "status")
	if code != 0 || !strings.Contains(out, "openlineage") || !strings.Contains(out, "2 jobs") {
		t.Errorf("status: %d\n%s", code, out)
	}
	if err := s.Process().Err(); err != nil {
		t.Error(err)
	}
}

func keys(n int) string {
	parts := make([]string, n)
	for i := range parts {
		parts[i] = fmt.Sprintf(`"k%d":1`, i)
	}
	return strings.Join(parts, ",")
}

// zipped is n spaces, compressed.
func zipped(t *testing.T, n int) []byte {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	chunk := bytes.Repeat([]byte(" "), 1<<20)
	for range n / len(chunk) {
		_, err := w.Write(chunk)
		must(t, err)
	}
	must(t, w.Close())
	return b.Bytes()
}

// Other paths, methods and types are refused too.
func TestOnlyEventsAreTaken(t *testing.T) {
	t.Parallel()
	s := start(t, options{})
	for _, tc := range []struct {
		path, contentType string
		status            int
	}{
		{"/api/v1/lineage", "text/plain", http.StatusUnsupportedMediaType},
		{"/api/v2/lineage", "application/json", http.StatusNotFound},
	} {
		code, _, err := send(t.Context(), s.lineage+tc.path, tc.contentType, "", []byte(failure("x", "y")))
		must(t, err)
		if code != tc.status {
			t.Errorf("%s as %s: %d, want %d", tc.path, tc.contentType, code, tc.status)
		}
	}
}
