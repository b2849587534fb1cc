// Package record writes what happened to incidents as OTLP log records, so that
// any exporter can carry them. Nothing acts on what such a record says.
package record

import (
	"encoding/json"
	"strconv"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"

	"github.com/otelcol-selfheal/otelcol-selfheal/internal/incident"
	"github.com/otelcol-selfheal/otelcol-selfheal/internal/store"
	"github.com/otelcol-selfheal/otelcol-selfheal/internal/vocab"
)

const (
	scope       = "github.com/otelcol-selfheal/otelcol-selfheal/extension/reliabilityextension"
	serviceName = "otelcol-selfheal"
	source      = "reliability"
	uid         = "log.record.uid"
)

func logs() (plog.Logs, plog.LogRecordSlice) {
	out := plog.NewLogs()
	rl := out.ResourceLogs().AppendEmpty()
	rl.Resource().Attributes().PutStr(vocab.ServiceName, serviceName)
	rl.Resource().Attributes().PutStr(vocab.DataSourceName, source)
	sl := rl.ScopeLogs().AppendEmpty()
	sl.Scope().SetName(scope)
	return out, sl.LogRecords()
}

// Transitions writes incident transitions in the order given.
func Transitions(list []store.Transition) (plog.Logs, error) {
	out, records := logs()
	records.EnsureCapacity(len(list))
	for _, t := range list {
		if err := transition(records.AppendEmpty(), t); err != nil {
			return plog.Logs{}, err
		}
	}
	return out, nil
}

func transition(r plog.LogRecord, t store.Transition) error {
	i := t.Incident
	r.SetEventName(vocab.EventIncident)
	r.SetTimestamp(pcommon.NewTimestampFromTime(t.At))
	r.SetObservedTimestamp(pcommon.NewTimestampFromTime(t.At))
	severity(r, i.State)
	id := i.ID + "/" + strconv.FormatInt(i.Version, 10)
	a := r.Attributes()
	a.PutStr(uid, id)
	a.PutStr(vocab.IncidentTransition, id)
	a.PutStr(vocab.IncidentID, i.ID)
	a.PutStr(vocab.IncidentState, string(i.State))
	a.PutStr(vocab.IncidentClass, string(i.Class))
	a.PutDouble(vocab.IncidentConfidence, i.Confidence)
	a.PutStr(vocab.IncidentRoot, i.Root.String())
	for name, value := range map[string]string{vocab.IncidentReason: string(i.Reason), vocab.IncidentRule: i.Rule, vocab.PipelineOwner: i.Owner} {
		if value != "" {
			a.PutStr(name, value)
		}
	}
	if n := len(i.Steps); n > 0 {
		a.PutStr(vocab.PlanID, i.Steps[n-1].PlanID)
		a.PutStr(vocab.ActionType, string(i.Steps[n-1].Action))
	}
	raw, err := json.Marshal(i)
	if err != nil {
		return err
	}
	var body map[string]any
	if err := json.Unmarshal(raw, &body); err != nil {
		return err
	}
	return r.Body().SetEmptyMap().FromRaw(body)
}

func severity(r plog.LogRecord, s incident.State) {
	switch s {
	case incident.Escalated:
		r.SetSeverityNumber(plog.SeverityNumberError)
		r.SetSeverityText("ERROR")
	case incident.Resolved, incident.Suppressed:
		r.SetSeverityNumber(plog.SeverityNumberInfo)
		r.SetSeverityText("INFO")
	default:
		r.SetSeverityNumber(plog.SeverityNumberWarn)
		r.SetSeverityText("WARN")
	}
}

// Checkpoint writes a signed head of the audit log.
func Checkpoint(c store.Checkpoint, now time.Time) plog.Logs {
	out, records := logs()
	r := records.AppendEmpty()
	r.SetEventName(vocab.EventAuditCheckpoint)
	r.SetTimestamp(pcommon.NewTimestampFromTime(c.At))
	r.SetObservedTimestamp(pcommon.NewTimestampFromTime(now))
	r.SetSeverityNumber(plog.SeverityNumberInfo)
	r.SetSeverityText("INFO")
	r.Attributes().PutStr(uid, "checkpoint/"+strconv.FormatInt(c.Size, 10))
	r.Body().SetStr(string(c.Signed))
	return out
}
