package openlineagereceiver

import (
	"encoding/json"
	"net/http"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// FuzzHandler: whatever comes, the answer is one of those that are promised,
// and a good event is still taken after it.
//
//	go test -fuzz FuzzHandler -fuzztime 60s ./receiver/openlineagereceiver
func FuzzHandler(f *testing.F) {
	files, err := filepath.Glob("internal/event/testdata/seeds/*.json")
	require.NoError(f, err)
	require.NotEmpty(f, files)
	for _, file := range files {
		f.Add(readAll(f, file), false)
		f.Add(append(append([]byte("["), readAll(f, file)...), ']'), true)
	}
	f.Fuzz(func(t *testing.T, body []byte, batch bool) {
		h := newHarness(t)
		path, good := pathSingle, []int{http.StatusOK, http.StatusBadRequest}
		if batch {
			path, good = pathBatch, []int{http.StatusOK, http.StatusNoContent, http.StatusBadRequest}
		}
		w := h.post(path, body)
		require.Contains(t, good, w.Code)
		if w.Code == http.StatusBadRequest {
			var p problem
			require.NoError(t, json.Unmarshal(w.Body.Bytes(), &p))
			require.NotEmpty(t, p.Error)
			require.Empty(t, h.records())
		}
		h.send(runEvent("COMPLETE", runA, 0))
	})
}

// BenchmarkHandler takes what a real Airflow sent, each time as new events.
func BenchmarkHandler(b *testing.B) {
	var events []object
	require.NoError(b, json.Unmarshal(readAll(b, "testdata/airflow/success/input.json"), &events))
	h := newHarness(b)
	b.ReportAllocs()
	n := 0
	for b.Loop() {
		b.StopTimer()
		e := events[n%len(events)]
		e["benchmark"] = n
		body := encode(b, e)
		n++
		if n%1000 == 0 {
			h.logs.Reset()
			h.traces.Reset()
			h.metrics.Reset()
		}
		b.SetBytes(int64(len(body)))
		b.StartTimer()
		if w := h.post(pathSingle, body); w.Code != http.StatusOK {
			b.Fatal(w.Body.String())
		}
	}
	b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "events/s")
}
