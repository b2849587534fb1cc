package endtoend

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/plog/plogotlp"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/pmetric/pmetricotlp"
)

// rows sends the fact that the table has n rows.
func (s *setup) rows(ctx context.Context, table string, n int) error {
	md := pmetric.NewMetrics()
	rm := md.ResourceMetrics().AppendEmpty()
	for k, v := range map[string]string{"service.name": "tables", "data.source.name": "dataquality", "data.dataset.namespace": "postgres://db:5432", "data.dataset.name": table} {
		rm.Resource().Attributes().PutStr(k, v)
	}
	m := rm.ScopeMetrics().AppendEmpty().Metrics().AppendEmpty()
	m.SetName("data.dataset.rows")
	m.SetUnit("{row}")
	p := m.SetEmptyGauge().DataPoints().AppendEmpty()
	p.SetTimestamp(pcommon.NewTimestampFromTime(time.Now()))
	p.SetIntValue(int64(n))
	body, err := pmetricotlp.NewExportRequestFromMetrics(md).MarshalProto()
	if err != nil {
		return err
	}
	return s.taken(ctx, "/v1/metrics", body)
}

// confirmed sends what an Airflow receiver says of a task that failed for a passing reason.
func (s *setup) confirmed(ctx context.Context, dag string) error {
	ld := plog.NewLogs()
	rl := ld.ResourceLogs().AppendEmpty()
	for k, v := range map[string]string{"service.name": "airflow", "data.source.name": "airflow", "data.platform.kind": "airflow", "data.platform.instance": "default"} {
		rl.Resource().Attributes().PutStr(k, v)
	}
	r := rl.ScopeLogs().AppendEmpty().LogRecords().AppendEmpty()
	r.SetEventName("data.pipeline.run")
	r.SetSeverityNumber(plog.SeverityNumberError)
	now := pcommon.NewTimestampFromTime(time.Now())
	r.SetTimestamp(now)
	r.SetObservedTimestamp(now)
	for k, v := range map[string]string{
		"data.pipeline.namespace": "default", "data.pipeline.name": dag + ".load", "data.pipeline.kind": "task",
		"data.pipeline.parent.namespace": "default", "data.pipeline.parent.name": dag,
		"data.pipeline.run.id": dag + "/run/load", "data.pipeline.run.state": "failed",
		"exception.type": "ConnectionError", "exception.message": "connection refused",
		"airflow.dag.id": dag, "airflow.dag_run.id": "run", "airflow.task.id": "load",
	} {
		r.Attributes().PutStr(k, v)
	}
	r.Attributes().PutInt("data.pipeline.run.attempt", 1)
	r.Attributes().PutInt("airflow.task.try_number", 1)
	r.Attributes().PutInt("airflow.task.map_index", -1)
	r.Attributes().PutBool("data.pipeline.run.confirmed", true)
	body, err := plogotlp.NewExportRequestFromLogs(ld).MarshalProto()
	if err != nil {
		return err
	}
	return s.taken(ctx, "/v1/logs", body)
}

func (s *setup) taken(ctx context.Context, path string, body []byte) error {
	code, answer, err := send(ctx, s.otlp+path, "application/x-protobuf", "", body)
	if err == nil && code != http.StatusOK {
		err = fmt.Errorf("answered %d %.200s", code, answer)
	}
	return err
}
