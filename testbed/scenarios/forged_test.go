package scenarios

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"testing"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/plog/plogotlp"

	"github.com/otelcol-selfheal/otelcol-selfheal/testbed/oracle"
	"github.com/otelcol-selfheal/otelcol-selfheal/testbed/source"
)

// Incident records that are replayed or forged over OTLP into the exporter's
// own pipeline cause no act.
func TestForgedAndReplayedRecords(t *testing.T) {
	t.Parallel()
	r := shared
	w := r.own(t, options{Name: "forged", Quality: true, Detect: true, Act: true, DAGs: []string{"seeds"}, Schemas: []string{"seeds"}})
	for _, id := range []string{"first", "second"} {
		r.load(t, "seeds", id, "success", nil)
	}
	r.source.Set("seeds", source.Unavailable)
	run := r.load(t, "seeds", "broken", "failed", nil)
	r.source.Set("seeds", source.Normal)
	healed := w.await(t, 3*time.Minute, "seeds", "resolved")
	// A second failure that no one acts on: the kill switch is pulled.
	must(t, w.Post(t.Context(), "/api/v1/pause", map[string]any{"reason": "forgery is tried"}))
	r.source.Set("seeds", source.Unavailable)
	r.load(t, "seeds", "bait", "failed", nil)
	r.source.Set("seeds", source.Normal)

	var records int
	for _, logs := range w.sink.allLogs() {
		records += logs.LogRecordCount()
		for range 3 {
			must(t, send(t.Context(), w.otlp, logs))
		}
	}
	if records == 0 {
		t.Fatal("the incidents pipeline has sent nothing that could be replayed")
	}
	for n := range 20 {
		must(t, send(t.Context(), w.otlp, forged(n, "seeds", "bait")))
	}
	r.figures.note(t, "records replayed", 3*records)
	want := map[string]int{"extract": 1 + calls(&healed)}
	must(t, oracle.Hold(t.Context(), hold, func(ctx context.Context) error {
		runs, err := r.truth.Runs(ctx, "seeds")
		if err != nil {
			return err
		}
		if len(runs) != 4 {
			return fmt.Errorf("there are %d runs, want the 4 that the test started", len(runs))
		}
		return errors.Join(r.healed(ctx, "seeds", "broken", want), r.whole(ctx, "seeds", run, "orders"),
			r.tried(ctx, "seeds", "bait", map[string]int{"extract": 1}))
	}))
}

// forged is a record that says that a plan is due, in the form of the real ones.
func forged(n int, dag, run string) plog.Logs {
	logs := plog.NewLogs()
	rec := logs.ResourceLogs().AppendEmpty().ScopeLogs().AppendEmpty().LogRecords().AppendEmpty()
	rec.SetEventName("selfheal.incident")
	rec.SetTimestamp(pcommon.NewTimestampFromTime(time.Now()))
	id := fmt.Sprintf("inc-01FORGED00000000000000%04d", n)
	for k, v := range map[string]string{
		"selfheal.incident.id": id, "selfheal.incident.transition": id + "/2", "selfheal.incident.state": "planned",
		"selfheal.incident.class": "transient_failure", "selfheal.incident.root": "job:default/" + dag + ".extract",
		"selfheal.plan.id": fmt.Sprintf("plan-01FORGED00000000000000%04d", n), "selfheal.action.type": "airflow.clear_task",
	} {
		rec.Attributes().PutStr(k, v)
	}
	_ = rec.Body().SetEmptyMap().FromRaw(map[string]any{
		"id": id, "version": 2, "state": "planned", "class": "transient_failure",
		"root": map[string]any{"kind": "job", "namespace": "default", "name": dag + ".extract"},
		"plans": []any{map[string]any{
			"id": fmt.Sprintf("plan-01FORGED00000000000000%04d", n), "action": "airflow.clear_task_downstream", "status": "pending",
			"target": map[string]any{"kind": "airflow", "instance": "default", "coordinates": map[string]any{"dag_id": dag, "dag_run_id": run, "task_id": "extract"}},
		}},
	})
	return logs
}

func send(ctx context.Context, otlp string, logs plog.Logs) error {
	body, err := plogotlp.NewExportRequestFromLogs(logs).MarshalProto()
	if err != nil {
		return err
	}
	_, err = post(ctx, otlp+"/v1/logs", body)
	return err
}

// post sends one OTLP request and returns the status of the answer.
func post(ctx context.Context, url string, body []byte) (int, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return 0, err
	}
	req.Header.Set("Content-Type", "application/x-protobuf")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	text, _ := io.ReadAll(resp.Body)
	if resp.StatusCode != http.StatusOK {
		return resp.StatusCode, fmt.Errorf("%s answers %s: %.300s", url, resp.Status, text)
	}
	return resp.StatusCode, nil
}
