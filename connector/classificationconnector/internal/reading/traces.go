package reading

import (
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/otelcol-selfheal/otelcol-selfheal/internal/observation"
	"github.com/otelcol-selfheal/otelcol-selfheal/internal/scrub"
	"github.com/otelcol-selfheal/otelcol-selfheal/internal/vocab"
)

// Traces reads the spans of services that ended in an error. Spans of runs are
// left alone: the run's own records say more.
func (r *Reader) Traces(traces ptrace.Traces) ([]observation.Observation, Skip) {
	b := r.begin()
	seen := map[string]bool{}
	for i := range traces.ResourceSpans().Len() {
		rs := traces.ResourceSpans().At(i)
		for j := range rs.ScopeSpans().Len() {
			spans := rs.ScopeSpans().At(j).Spans()
			for k := range spans.Len() {
				b.span(attributes{spans.At(k).Attributes(), rs.Resource().Attributes()}, spans.At(k), seen)
			}
		}
	}
	return b.out, b.skip
}

func (b *batch) span(a attributes, s ptrace.Span, seen map[string]bool) {
	if s.Status().Code() != ptrace.StatusCodeError || a.service().IsZero() || a.str(vocab.RunID) != "" {
		return
	}
	o := observation.Observation{
		ID: "span/" + hash(s.TraceID().String(), s.SpanID().String()), Kind: observation.Failure, Polarity: observation.Problem,
		Source: a.source(), Entity: a.service(), Time: s.EndTimestamp().AsTime(),
	}
	o.Error = b.spanError(a, s)
	// One span of a kind is enough for one batch: a storm says the same a thousand times.
	kind := o.Entity.String() + "\x00" + o.Error.Type + "\x00" + o.Error.Location
	if seen[kind] {
		return
	}
	seen[kind] = true
	b.add(o)
}

func (b *batch) spanError(a attributes, s ptrace.Span) *observation.Error {
	for n := s.Events().Len() - 1; n >= 0; n-- {
		if s.Events().At(n).Name() != "exception" {
			continue
		}
		if e := b.failure(attributes{s.Events().At(n).Attributes(), a.resource}); e != nil {
			return e
		}
	}
	if e := b.failure(a); e != nil {
		return e
	}
	return b.Judge.Error(a.str(vocab.ErrorType), scrub.Text(s.Status().Message(), maxMessage), "")
}

// body is the text of a log record.
func (a attributes) body(r plog.LogRecord) string { return scrub.Text(r.Body().AsString(), maxMessage) }
