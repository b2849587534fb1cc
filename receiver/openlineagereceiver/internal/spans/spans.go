// Package spans makes a span of each run that has ended. IDs are hashes of run
// IDs, so that collectors that never met agree on them.
package spans

import (
	"crypto/sha256"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/otelcol-selfheal/otelcol-selfheal/internal/observation"
	"github.com/otelcol-selfheal/otelcol-selfheal/internal/scrub"
	"github.com/otelcol-selfheal/otelcol-selfheal/internal/vocab"
	"github.com/otelcol-selfheal/otelcol-selfheal/receiver/openlineagereceiver/internal/event"
	"github.com/otelcol-selfheal/otelcol-selfheal/receiver/openlineagereceiver/internal/exception"
	"github.com/otelcol-selfheal/otelcol-selfheal/receiver/openlineagereceiver/internal/record"
	"github.com/otelcol-selfheal/otelcol-selfheal/receiver/openlineagereceiver/internal/runs"
)

// TraceID is that of all runs below one root.
func TraceID(rootRun string) pcommon.TraceID {
	h := sha256.Sum256([]byte("openlineage trace\x00" + rootRun))
	return pcommon.TraceID(h[:16])
}

// SpanID is that of one run.
func SpanID(run string) pcommon.SpanID {
	h := sha256.Sum256([]byte("openlineage span\x00" + run))
	return pcommon.SpanID(h[:8])
}

// IDs are the trace and span of a run, and the parent's span, which is empty at the root.
func IDs(r *runs.Run) (trace pcommon.TraceID, span, parent pcommon.SpanID) {
	if r.ParentRun == "" {
		return TraceID(r.ID), SpanID(r.ID), parent
	}
	return TraceID(r.RootRun), SpanID(r.ID), SpanID(r.ParentRun)
}

// Append adds the span of a run that has ended. Unfinished is the status
// message of one whose end never came.
func Append(dst ptrace.Traces, src *record.Source, r *runs.Run, scope, unfinished string) {
	rs := dst.ResourceSpans().AppendEmpty()
	src.Describe(rs.Resource().Attributes(), r.Platform)
	ss := rs.ScopeSpans().AppendEmpty()
	ss.Scope().SetName(scope)
	span := ss.Spans().AppendEmpty()
	trace, id, parent := IDs(r)
	span.SetTraceID(trace)
	span.SetSpanID(id)
	span.SetParentSpanID(parent)
	span.SetName(r.Job.Name)
	span.SetKind(ptrace.SpanKindInternal)
	span.SetStartTimestamp(pcommon.NewTimestampFromTime(r.Start))
	span.SetEndTimestamp(pcommon.NewTimestampFromTime(r.End))
	attrs := span.Attributes()
	record.PutRun(attrs, r)
	attrs.PutStr(vocab.RunState, string(r.Phase))
	attrs.PutStr(vocab.RunTiming, string(r.Timing))
	record.PutDatasets(attrs, vocab.PipelineInputs, identifiers(r.Inputs))
	record.PutDatasets(attrs, vocab.PipelineOutputs, identifiers(r.Outputs))
	span.SetDroppedAttributesCount(uint32(r.Dropped))
	status(span, r, unfinished)
}

func identifiers(list []runs.Dataset) []event.Identifier {
	out := make([]event.Identifier, len(list))
	for i := range list {
		out[i] = list[i].Identifier
	}
	return out
}

func status(span ptrace.Span, r *runs.Run, unfinished string) {
	switch {
	case r.Timing == runs.Unfinished:
		span.Status().SetCode(ptrace.StatusCodeError)
		span.Status().SetMessage(unfinished)
	case r.Phase == observation.PhaseSucceeded:
		span.Status().SetCode(ptrace.StatusCodeOk)
	case r.Phase == observation.PhaseFailed || r.Phase == observation.PhaseAborted:
		span.Status().SetCode(ptrace.StatusCodeError)
		span.Status().SetMessage(string(r.Phase))
		if r.Error == nil {
			return
		}
		e := exception.Read(r.Error.Message, r.Error.StackTrace)
		if m := scrub.Text(e.Message, maxStatus); m != "" {
			span.Status().SetMessage(m)
		}
		ev := span.Events().AppendEmpty()
		ev.SetName("exception")
		ev.SetTimestamp(span.EndTimestamp())
		record.PutException(ev.Attributes(), e)
		if e.Type != "" {
			span.Attributes().PutStr(vocab.ErrorType, e.Type)
		}
	}
}

// maxStatus bounds the status message, in bytes.
const maxStatus = 512
