package record

import (
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"

	"github.com/otelcol-selfheal/otelcol-selfheal/internal/vocab"
	"github.com/otelcol-selfheal/otelcol-selfheal/receiver/openlineagereceiver/internal/event"
	"github.com/otelcol-selfheal/otelcol-selfheal/receiver/openlineagereceiver/internal/exception"
	"github.com/otelcol-selfheal/otelcol-selfheal/receiver/openlineagereceiver/internal/naming"
	"github.com/otelcol-selfheal/otelcol-selfheal/receiver/openlineagereceiver/internal/runs"
	"github.com/otelcol-selfheal/otelcol-selfheal/receiver/openlineagereceiver/internal/schema"
)

// uidKey is the attribute that OpenTelemetry has for the identity of a record.
const uidKey = "log.record.uid"

// Input is what one record is made of.
type Input struct {
	Event *event.Event
	// View is set for events of runs.
	View *runs.View
	// Trace and Span are those of the run, empty for others.
	Trace    pcommon.TraceID
	Span     pcommon.SpanID
	Changes  []*schema.Change
	Received time.Time
}

// Logs makes the record of an event, and one for each change of a schema. The
// event's body moves into it and must not be used after. The body must have
// been cleaned.
func Logs(src *Source, in Input, scope string) plog.Logs {
	ld := plog.NewLogs()
	rl := ld.ResourceLogs().AppendEmpty()
	src.Describe(rl.Resource().Attributes(), platform(in))
	sl := rl.ScopeLogs().AppendEmpty()
	sl.Scope().SetName(scope)
	sl.LogRecords().EnsureCapacity(1 + len(in.Changes))

	lr := begin(sl, in, in.Event.UID)
	attrs := lr.Attributes()
	switch in.Event.Kind {
	case event.OfRun:
		lr.SetEventName(vocab.EventOpenLineageRun)
		runAttributes(lr, in)
	case event.OfJob:
		lr.SetEventName(vocab.EventOpenLineageJob)
		jobAttributes(attrs, in.Event)
	case event.OfDataset:
		lr.SetEventName(vocab.EventOpenLineageDataset)
		id := naming.Dataset(in.Event.Dataset)
		attrs.PutStr(vocab.DatasetNamespace, id.Namespace)
		attrs.PutStr(vocab.DatasetName, id.Name)
	}
	in.Event.Body.MoveTo(lr.Body())
	for _, c := range in.Changes {
		change(begin(sl, in, c.UID), c)
	}
	return ld
}

func begin(sl plog.ScopeLogs, in Input, id event.UID) plog.LogRecord {
	lr := sl.LogRecords().AppendEmpty()
	lr.SetTimestamp(pcommon.NewTimestampFromTime(in.Event.Time))
	lr.SetObservedTimestamp(pcommon.NewTimestampFromTime(in.Received))
	lr.SetSeverityNumber(plog.SeverityNumberInfo)
	lr.SetSeverityText("INFO")
	lr.SetTraceID(in.Trace)
	lr.SetSpanID(in.Span)
	lr.Attributes().EnsureCapacity(24)
	lr.Attributes().PutStr(uidKey, id.String())
	return lr
}

func platform(in Input) string {
	switch {
	case in.View != nil:
		return in.View.Run.Platform
	case in.Event.Job != nil && in.Event.Job.Facets.JobType != nil:
		return runs.Platform(in.Event.Job.Facets.JobType)
	}
	return ""
}

func runAttributes(lr plog.LogRecord, in Input) {
	e, r, attrs := in.Event, &in.View.Run, lr.Attributes()
	PutRun(attrs, r)
	attrs.PutStr(vocab.RunState, string(runs.PhaseOf(e)))
	attrs.PutBool(vocab.RunConfirmed, false)
	if !r.Start.IsZero() && r.Timing != runs.StartUnknown && r.Timing != runs.ClocksDisagree {
		attrs.PutStr(vocab.RunStartTime, r.Start.UTC().Format(time.RFC3339Nano))
	}
	if e.Ended() {
		attrs.PutStr(vocab.RunEndTime, e.Time.UTC().Format(time.RFC3339Nano))
	}
	PutDatasets(attrs, vocab.PipelineInputs, datasets(e.Inputs, r.Inputs))
	PutDatasets(attrs, vocab.PipelineOutputs, datasets(e.Outputs, r.Outputs))
	switch e.Type {
	case event.Fail:
		lr.SetSeverityNumber(plog.SeverityNumberError)
		lr.SetSeverityText("ERROR")
	case event.Abort:
		lr.SetSeverityNumber(plog.SeverityNumberWarn)
		lr.SetSeverityText("WARN")
	}
	if f := e.Run.Facets.ErrorMessage; f != nil {
		PutException(attrs, exception.Read(f.Message, f.StackTrace))
	}
}

// datasets are those of the event, or where it names none those of the run so far.
func datasets(told []event.Dataset, known []runs.Dataset) []event.Identifier {
	var out []event.Identifier
	for i := range told {
		out = append(out, naming.Dataset(&told[i]))
	}
	if len(told) == 0 {
		for i := range known {
			out = append(out, known[i].Identifier)
		}
	}
	return out
}

func jobAttributes(attrs pcommon.Map, e *event.Event) {
	job := naming.Job(e.Job)
	attrs.PutStr(vocab.PipelineNamespace, job.Namespace)
	attrs.PutStr(vocab.PipelineName, job.Name)
	attrs.PutStr(vocab.PipelineKind, runs.KindOf(e.Job.Facets.JobType))
	if o := e.Job.Facets.Ownership; o != nil && len(o.Owners) > 0 {
		putText(attrs, vocab.PipelineOwner, o.Owners[0].Name)
	}
	PutDatasets(attrs, vocab.PipelineInputs, datasets(e.Inputs, nil))
	PutDatasets(attrs, vocab.PipelineOutputs, datasets(e.Outputs, nil))
}

func change(lr plog.LogRecord, c *schema.Change) {
	lr.SetEventName(vocab.EventSchemaChanged)
	if len(c.Dropped)+len(c.Retyped) > 0 { // what others may rely on
		lr.SetSeverityNumber(plog.SeverityNumberWarn)
		lr.SetSeverityText("WARN")
	}
	attrs := lr.Attributes()
	attrs.PutStr(vocab.DatasetNamespace, c.Dataset.Namespace)
	attrs.PutStr(vocab.DatasetName, c.Dataset.Name)
	attrs.PutStr(vocab.SchemaHash, c.Hash)
	putList(attrs, vocab.SchemaAdded, c.Added)
	putList(attrs, vocab.SchemaDropped, c.Dropped)
	putList(attrs, vocab.SchemaRetyped, c.Retyped)
}
