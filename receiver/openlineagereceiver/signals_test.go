package openlineagereceiver

import (
	"encoding/json"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-selfheal/otelcol-selfheal/internal/vocab"
)

func table(name string, kv ...any) object {
	o := object{"namespace": "db://h", "name": name}
	for i := 0; i < len(kv); i += 2 {
		o[kv[i].(string)] = kv[i+1]
	}
	return o
}

func TestAirflowNamesItsRuns(t *testing.T) {
	t.Parallel()
	dag, dagRun := object{"dag_id": "d", "owner": "ann"}, object{"dag_id": "d", "run_id": "manual__1"}
	task := func(index any) object {
		ti := object{"try_number": 2}
		if index != nil {
			ti["map_index"] = index
		}
		return object{"airflow": facet("dag", dag, "dagRun", dagRun, "task", object{"task_id": "t", "upstream_task_ids": "['a', 'b']"}, "taskInstance", ti)}
	}
	for name, c := range map[string]struct {
		facets any
		id     string
		kind   string
	}{
		"a DAG run":        {object{"airflowDagRun": facet("dag", dag, "dagRun", dagRun)}, "d/manual__1", "dag"},
		"a task":           {task(nil), "d/manual__1/t", "task"},
		"unmapped":         {task(-1), "d/manual__1/t", "task"},
		"a mapped task":    {task(3), "d/manual__1/t/3", "task"},
		"not Airflow":      {object{}, runA, "job"},
		"a facet not ours": {object{"airflow": facet("dag", "d", "dagRun", 5)}, runA, "job"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHarness(t)
			h.send(runEvent("START", runA, 0, with("run", "facets", c.facets)))
			h.send(runEvent("COMPLETE", runA, 1)) // says nothing of Airflow itself
			for _, lr := range h.records() {
				attrs := lr.Attributes().AsRaw()
				assert.Equal(t, c.id, attrs[vocab.RunID])
				assert.Equal(t, runA, attrs[vocab.OpenLineageRunID])
				assert.Equal(t, c.kind, attrs[vocab.PipelineKind])
				assert.Equal(t, false, attrs[vocab.RunConfirmed])
				if c.kind == "task" {
					assert.Equal(t, int64(2), attrs[vocab.RunAttempt])
					assert.Equal(t, []any{"d.a", "d.b"}, attrs[vocab.PipelineUpstream])
					assert.Equal(t, "d", attrs[vocab.PipelineParentName])
				}
			}
		})
	}
}

func TestUnknownFacetsSurviveAndSecretsDoNot(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	h.send(runEvent("OTHER", runA, 0, with("run", "facets", object{
		"acme_thing": facet("list", []any{1, 2.5, "x", nil, true}, "api_token", "abcdefgh", "jdbc", "jdbc:db://u:hunter2@h/x"),
		"environmentVariables": facet("environmentVariables", []any{
			object{"name": "DB_PASSWORD", "value": "hunter2"}, object{"name": "REGION", "value": "eu"}}),
	})))
	body := h.records()[0].Body().Map().AsRaw()
	facets := body["run"].(object)["facets"].(object)
	acme := facets["acme_thing"].(object)
	assert.Equal(t, []any{int64(1), 2.5, "x", nil, true}, acme["list"])
	assert.Equal(t, "***", acme["api_token"])
	variables := facets["environmentVariables"].(object)["environmentVariables"].([]any)
	assert.Equal(t, object{"name": "REGION", "value": "eu"}, variables[1])
	assert.NotContains(t, h.records()[0].Body().AsString(), "hunter2")
}

func TestTextBeyondTheBudgetIsMaskedUnread(t *testing.T) {
	t.Parallel()
	h := newHarness(t, func(c *Config) { c.Limits.ScrubBytes = 40 })
	h.send(runEvent("OTHER", runA, 0, with("run", "facets", object{"acme": facet("list", []any{"the first text is read", "the second one is too much"})})))
	got := h.records()[0].Body().Map().AsRaw()["run"].(object)["facets"].(object)["acme"].(object)["list"]
	assert.Equal(t, []any{"the first text is read", "***"}, got)
}

func TestJobAndDatasetEvents(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	h.send(runEvent("", "", 0, func(o object) { delete(o, "run"); delete(o, "eventType") }, with("inputs", []any{table("a")}), with("outputs", []any{table("b")})))
	h.send(runEvent("", "", 0, func(o object) { delete(o, "run"); delete(o, "job"); delete(o, "eventType") }, with("dataset", table("c"))))
	records := h.records()
	require.Len(t, records, 2)
	assert.Equal(t, vocab.EventOpenLineageJob, records[0].EventName())
	job := records[0].Attributes().AsRaw()
	assert.Equal(t, "orders", job[vocab.PipelineName])
	assert.Equal(t, []any{object{"namespace": "db://h", "name": "a"}}, job[vocab.PipelineInputs])
	assert.Equal(t, vocab.EventOpenLineageDataset, records[1].EventName())
	assert.Equal(t, "c", records[1].Attributes().AsRaw()[vocab.DatasetName])
	assert.Empty(t, h.spans())
}

func TestASchemaThatChangesIsTold(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	schema := func(columns ...any) func(object) {
		return with("outputs", []any{table("t", "facets", object{"schema": facet("fields", columns)})})
	}
	h.send(runEvent("START", runA, 0, schema(object{"name": "id", "type": "int"}, object{"name": "gone", "type": "int"})))
	changed := encode(t, runEvent("START", runB, 1, schema(object{"name": "id", "type": "text"}, object{"name": "day", "type": "date"})))
	h.refuse(errBusy, nil, nil)
	h.post(pathSingle, changed)
	h.refuse(nil, nil, nil)
	h.post(pathSingle, changed)
	records := h.records()
	require.Len(t, records, 3, "two events and one change, though it was refused at first")
	assert.Equal(t, vocab.EventSchemaChanged, records[2].EventName())
	attrs := records[2].Attributes().AsRaw()
	assert.Equal(t, []any{"day date"}, attrs[vocab.SchemaAdded])
	assert.Equal(t, []any{"gone"}, attrs[vocab.SchemaDropped])
	assert.Equal(t, []any{"id: int -> text"}, attrs[vocab.SchemaRetyped])
	assert.NotEqual(t, records[1].Attributes().AsRaw()["log.record.uid"], attrs["log.record.uid"])
}

func TestMetrics(t *testing.T) {
	t.Parallel()
	stats := func(rows int) object {
		return object{"outputStatistics": facet("rowCount", rows, "size", 10.0, "fileCount", 2)}
	}
	writes := func(rows int) func(object) { return with("outputs", []any{table("t", "outputFacets", stats(rows))}) }
	column := object{"nullCount": 1, "distinctCount": 2, "count": 3, "sum": 4.5, "min": "a", "max": 9, "quantiles": object{"0.5": 7}}
	quality := facet("rowCount", 5, "bytes", 6, "fileCount", 1, "lastUpdated", "2026-01-01T00:00:00Z", "columnMetrics", object{"amount": column, "mail": column})
	tags := facet("tags", []any{object{"key": "PII", "value": "true", "field": "mail"}})
	job := object{"data.pipeline.namespace": "shop", "data.pipeline.name": "orders"}
	of := func(c string) object { return object{"data.quality.column": c} }
	for name, c := range map[string]struct {
		events []object
		want   []point
	}{
		"what was written, when it succeeded": {
			[]object{runEvent("RUNNING", runA, 0, writes(7)), runEvent("COMPLETE", runA, 1)},
			[]point{{"data.dataset.output.rows", "t", job, 7}, {"data.dataset.output.size", "t", job, 10}, {"data.dataset.output.files", "t", job, 2}},
		},
		"the last word counts": {
			[]object{runEvent("RUNNING", runA, 0, writes(7)), runEvent("COMPLETE", runA, 1, writes(8))},
			[]point{{"data.dataset.output.rows", "t", job, 8}, {"data.dataset.output.size", "t", job, 10}, {"data.dataset.output.files", "t", job, 2}},
		},
		"half a load is none": {[]object{runEvent("RUNNING", runA, 0, writes(7)), runEvent("FAIL", runA, 1, writes(7))}, nil},
		"what was read": {
			[]object{runEvent("COMPLETE", runA, 1, with("inputs", []any{table("t", "inputFacets", object{"inputStatistics": facet("rowCount", 3)})}))},
			[]point{{"data.dataset.input.rows", "t", job, 3}},
		},
		"columns of a schema": {
			[]object{runEvent("OTHER", runA, 0, with("inputs", []any{table("t", "facets", object{"schema": facet("fields", []any{object{"name": "a"}})})}))},
			[]point{{"data.dataset.columns", "t", object{}, 1}},
		},
		"quality of a dataset, counts alone of personal columns": {
			[]object{runEvent("OTHER", runA, 0, with("outputs", []any{table("t", "facets", object{"dataQualityMetrics": quality, "tags": tags})}))},
			[]point{
				{"data.dataset.rows", "t", object{}, 5},
				{"data.dataset.size", "t", object{}, 6},
				{"data.dataset.files", "t", object{}, 1},
				{"data.dataset.updated", "t", object{}, 1767225600},
				{"data.quality.column.nulls", "t", of("amount"), 1},
				{"data.quality.column.distinct", "t", of("amount"), 2},
				{"data.quality.column.count", "t", of("amount"), 3},
				{"data.quality.column.sum", "t", of("amount"), 4.5},
				{"data.quality.column.max", "t", of("amount"), 9},
				{"data.quality.column.quantile", "t", object{"data.quality.column": "amount", "data.quality.quantile": "0.5"}, 7},
				{"data.quality.column.nulls", "t", of("mail"), 1},
				{"data.quality.column.distinct", "t", of("mail"), 2},
				{"data.quality.column.count", "t", of("mail"), 3},
			},
		},
		"quality of a part has no rows of the whole": {
			[]object{runEvent("OTHER", runA, 0, with("inputs", []any{table("t", "inputFacets", object{
				"dataQualityMetrics": facet("rowCount", 5, "columnMetrics", object{}), "subset": facet("inputCondition", object{"type": "location", "locations": []any{"x"}})})}))},
			nil,
		},
		"assertions": {
			[]object{runEvent("OTHER", runA, 0, with("inputs", []any{table("t", "inputFacets", object{"dataQualityAssertions": facet("assertions", []any{
				object{"assertion": "not_null", "column": "id", "success": true},
				object{"assertion": "custom_sql", "name": "no orphans", "success": true, "severity": "WARN"},
				object{"assertion": "custom_sql", "name": "no orphans", "success": false, "severity": "WARN"},
			})})}))},
			[]point{
				{"data.quality.assertion.success", "t", object{"data.quality.assertion": "not_null", "data.quality.column": "id"}, 1},
				{"data.quality.assertion.success", "t", object{"data.quality.assertion": "no orphans", "data.quality.severity": "warn"}, 0},
			},
		},
		"tests of a run": {
			[]object{runEvent("OTHER", runA, 0, with("run", "facets", object{"test": facet("tests", []any{
				object{"name": "a", "status": "pass"}, object{"name": "b", "status": "fail", "severity": "error"}, object{"name": "c", "status": "skip"},
			})}))},
			[]point{
				{"data.quality.assertion.success", "orders", object{"data.quality.assertion": "a"}, 1},
				{"data.quality.assertion.success", "orders", object{"data.quality.assertion": "b", "data.quality.severity": "error"}, 0},
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHarness(t)
			for _, e := range c.events {
				h.send(e)
			}
			got := slices.DeleteFunc(h.points(), func(p point) bool { return p.name == vocab.FactRunDuration })
			assert.ElementsMatch(t, c.want, got)
			for _, lr := range h.records() {
				if v, err := json.Marshal(lr.Body().AsRaw()); assert.NoError(t, err) && name == "quality of a dataset, counts alone of personal columns" {
					assert.Contains(t, string(v), `"mail":{"count":3,"distinctCount":2,"nullCount":1}`)
				}
			}
		})
	}
}
