package openlineagereceiver

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/consumer/consumererror"
)

var errBusy = errors.New("queue of db.internal:9000 is full")

func TestBadEventsAreRefusedByField(t *testing.T) {
	t.Parallel()
	h := newHarness(t, func(c *Config) {
		c.Limits.Depth, c.Limits.StringBytes, c.Limits.Keys, c.Limits.Values, c.Limits.Datasets = 20, 4000, 50, 500, 3
	})
	long, dataset := strings.Repeat("x", 4001), object{"namespace": "n", "name": "t"}
	deep := strings.Repeat(`{"a":`, 30) + "1" + strings.Repeat("}", 30)
	start := func(c ...func(object)) string { return string(encode(t, runEvent("START", runA, 0, c...))) }
	for name, c := range map[string]struct{ body, field string }{
		"empty":                   {"", ""},
		"no JSON":                 {"hello", ""},
		"an array":                {"[]", ""},
		"cut off":                 {start()[:50], "eventType"},
		"text after the end":      {start() + "x", ""},
		"nothing in it":           {"{}", "eventTime"},
		"no producer":             {start(with("producer", nil)), "producer"},
		"no schemaURL":            {start(with("schemaURL", nil)), "schemaURL"},
		"a time of no zone":       {start(with("eventTime", "2026-01-01T12:00:00")), "eventTime"},
		"a time long ago":         {start(with("eventTime", "0001-01-01T12:00:00Z")), "eventTime"},
		"a time as a number":      {start(with("eventTime", 5)), "eventTime"},
		"an unknown type":         {start(with("eventType", "PAUSE")), "eventType"},
		"no runId":                {start(with("run", object{})), "run.runId"},
		"a long runId":            {start(with("run", "runId", strings.Repeat("r", 2049))), "run.runId"},
		"a run without job":       {start(with("job", nil)), "job"},
		"a job without name":      {start(with("job", object{"namespace": "n"})), "job.name"},
		"a job without namespace": {start(with("job", object{"name": "n"})), "job.namespace"},
		"neither run nor job":     {start(with("job", nil), with("run", nil)), ""},
		"a job and a dataset":     {start(with("run", nil), with("dataset", dataset)), "dataset"},
		"a long name":             {start(with("job", "name", strings.Repeat("n", 2049))), "job.name"},
		"inputs no array":         {start(with("inputs", object{})), "inputs"},
		"an input null":           {start(with("inputs", []any{nil})), "inputs[0]"},
		"an input without name":   {start(with("inputs", []any{dataset, object{"namespace": "n"}})), "inputs[1].name"},
		"too many datasets":       {start(with("inputs", []any{dataset, dataset}), with("outputs", []any{dataset, dataset, dataset})), "outputs"},
		"facets no object":        {start(with("run", "facets", []any{})), "run.facets"},
		"a facet no object":       {start(with("run", "facets", object{"acme": 1})), "run.facets.acme"},
		"a known facet's type":    {start(with("run", "facets", object{"errorMessage": facet("message", 1)})), "run.facets.errorMessage.message"},
		"a schema's field":        {start(with("inputs", []any{object{"namespace": "n", "name": "t", "facets": object{"schema": facet("fields", []any{object{"name": "a"}, "b"})}}})), "inputs[0].facets.schema.fields[1]"},
		"a row count of a half":   {start(with("outputs", []any{object{"namespace": "n", "name": "t", "outputFacets": object{"outputStatistics": facet("rowCount", 0.5)}}})), "outputs[0].outputFacets.outputStatistics.rowCount"},
		"a long string":           {start(with("job", "facets", object{"sql": facet("query", long)})), "job.facets.sql.query"},
		"deep nesting":            {start(with("run", "facets", object{"acme": json.RawMessage(deep)})), "run.facets.acme" + strings.Repeat(".a", 13) + ".…"},
		"a huge number":           {start(with("acme", json.RawMessage("1e999"))), "acme"},
		"a bad escape":            {`{"acme":"\q"}`, "acme"},
		"many keys":               {`{` + manyKeys(51) + `}`, "k50"},
		"many values":             {start(with("acme", make([]int, 600))), "acme[498]"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := h.post(pathSingle, []byte(c.body))
			require.Equal(t, http.StatusBadRequest, w.Code, w.Body.String())
			var p problem
			require.NoError(t, json.Unmarshal(w.Body.Bytes(), &p))
			assert.Equal(t, c.field, p.Field, p.Error)
			assert.False(t, p.Retriable)
			assert.NotEmpty(t, p.Error)
		})
	}
	t.Cleanup(func() { assert.Empty(t, h.logs.AllLogs(), "nothing of them got through") })
}

func manyKeys(n int) string {
	keys := make([]string, n)
	for i := range keys {
		keys[i] = `"k` + strconv.Itoa(i) + `":1`
	}
	return strings.Join(keys, ",")
}

func TestOneEventIsAnswered200(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	w := h.post(pathSingle, encode(t, runEvent("START", runA, 0)))
	require.Equal(t, http.StatusOK, w.Code)
	require.Empty(t, w.Body.Bytes())
	require.Len(t, h.records(), 1)
}

func TestBatchAnswers(t *testing.T) {
	t.Parallel()
	good, bad := runEvent("START", runA, 0), object{"producer": "x"}
	for name, c := range map[string]struct {
		body  any
		after func(*harness)
		code  int
		want  *result
	}{
		"all taken":   {body: []any{good, runEvent("COMPLETE", runA, 1)}, code: http.StatusNoContent},
		"none in it":  {body: []any{}, code: http.StatusNoContent},
		"one is bad":  {body: []any{good, bad}, code: http.StatusOK, want: &result{"partial_success", summary{2, 1, 1, 0, 1}, []failed{{1, "eventTime: is required", false}}}},
		"all are bad": {body: []any{bad}, code: http.StatusOK, want: &result{"partial_success", summary{1, 0, 1, 0, 1}, []failed{{0, "eventTime: is required", false}}}},
		"busy": {body: []any{good}, code: http.StatusServiceUnavailable,
			after: func(h *harness) { h.refuse(errBusy, nil, nil) }},
		"busy and bad": {body: []any{good, bad}, code: http.StatusOK, want: &result{"partial_success", summary{2, 0, 2, 1, 1}, []failed{{0, reasonBusy, true}, {1, "eventTime: is required", false}}},
			after: func(h *harness) { h.refuse(errBusy, nil, nil) }},
		"rejected": {body: []any{good}, code: http.StatusOK, want: &result{"partial_success", summary{1, 0, 1, 0, 1}, []failed{{0, reasonRejected, false}}},
			after: func(h *harness) { h.refuse(consumererror.NewPermanent(errBusy), nil, nil) }},
		"no array": {body: good, code: http.StatusBadRequest},
		"too many": {body: []any{good, good, good, good}, code: http.StatusBadRequest},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHarness(t, func(c *Config) { c.Limits.BatchEvents = 3 })
			if c.after != nil {
				c.after(h)
			}
			w := h.post(pathBatch, encode(t, c.body))
			require.Equal(t, c.code, w.Code, w.Body.String())
			assert.NotContains(t, w.Body.String(), "db.internal", "what a pipeline says is not told to senders")
			if c.code == http.StatusNoContent {
				assert.Empty(t, w.Body.Bytes())
			}
			if c.want == nil {
				return
			}
			var got result
			require.NoError(t, json.Unmarshal(w.Body.Bytes(), &got))
			assert.Equal(t, *c.want, got)
		})
	}
}

func TestABrokenEventLeavesTheRestOfItsBatch(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	good := string(encode(t, runEvent("START", runA, 0)))
	w := h.post(pathBatch, []byte("["+good+`, {"a": tru}, `+strings.ReplaceAll(good, runA, runB)+"]"))
	require.Equal(t, http.StatusOK, w.Code)
	require.Contains(t, w.Body.String(), `"successful":2`)
	require.Len(t, h.records(), 2)
}

func TestPipelinesThatCannotNow(t *testing.T) {
	t.Parallel()
	permanent := consumererror.NewPermanent(errBusy)
	for name, c := range map[string]struct {
		logs, traces, metrics error
		code                  int
	}{
		"logs":                         {logs: errBusy, code: http.StatusServiceUnavailable},
		"traces":                       {traces: errBusy, code: http.StatusServiceUnavailable},
		"metrics":                      {metrics: errBusy, code: http.StatusServiceUnavailable},
		"all":                          {errBusy, errBusy, errBusy, http.StatusServiceUnavailable},
		"for good":                     {logs: permanent, code: http.StatusUnprocessableEntity},
		"one for good and one for now": {logs: permanent, traces: errBusy, code: http.StatusServiceUnavailable},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHarness(t)
			h.send(runEvent("START", runA, 0))
			h.logs.Reset()
			h.refuse(c.logs, c.traces, c.metrics)
			end := encode(t, runEvent("COMPLETE", runA, 1))
			w := h.post(pathSingle, end)
			require.Equal(t, c.code, w.Code)
			if c.code == http.StatusServiceUnavailable {
				assert.Equal(t, "1", w.Header().Get("Retry-After"))
			}
			// When it is sent again, and then once more
			h.refuse(nil, nil, nil)
			for range 2 {
				require.Equal(t, http.StatusOK, h.post(pathSingle, end).Code)
			}
			// Then each pipeline has it once.
			assert.Len(t, h.records(), 1)
			assert.Len(t, h.spans(), 1)
			assert.Len(t, h.points(), 1)
		})
	}
}

func TestTheSameEventInOtherWordsIsADuplicate(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	e := runEvent("START", runA, 0)
	h.send(e)
	spaced, err := json.MarshalIndent(e, "  ", "\t")
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, h.post(pathSingle, spaced).Code)
	require.Equal(t, http.StatusNoContent, h.post(pathBatch, encode(t, []any{e, e})).Code)
	require.Len(t, h.records(), 1)
	// After the memory's age it is sent again, with the same identity.
	h.wait(2 * h.receiver.cfg.Memory.EventAge)
	h.send(e)
	records := h.records()
	require.Len(t, records, 2)
	first, _ := records[0].Attributes().Get("log.record.uid")
	second, _ := records[1].Attributes().Get("log.record.uid")
	require.Equal(t, first.Str(), second.Str())
}

func TestWhatIsNoLineageRequest(t *testing.T) {
	t.Parallel()
	h := newHarness(t, func(c *Config) { c.MaxRequestsInFlight = 1 })
	for _, c := range []struct {
		method, path, contentType string
		code                      int
	}{
		{http.MethodGet, pathSingle, "", http.StatusMethodNotAllowed},
		{http.MethodPost, "/api/v1/other", "application/json", http.StatusNotFound},
		{http.MethodPost, pathSingle, "text/html", http.StatusUnsupportedMediaType},
		{http.MethodPost, pathSingle, "application/json; charset=utf-8", http.StatusOK},
		{http.MethodPost, pathSingle, "", http.StatusOK},
	} {
		req := httptest.NewRequestWithContext(t.Context(), c.method, c.path, bytes.NewReader(encode(t, runEvent("START", runA, 0))))
		req.Header.Set("Content-Type", c.contentType)
		w := httptest.NewRecorder()
		h.handler.ServeHTTP(w, req)
		assert.Equal(t, c.code, w.Code, "%s %s %s", c.method, c.path, c.contentType)
	}
}
