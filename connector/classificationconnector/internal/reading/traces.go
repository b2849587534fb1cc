package reading

import (
	"regexp"

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
	for i := range traces.ResourceSpans().Len() {
		rs := traces.ResourceSpans().At(i)
		for j := range rs.ScopeSpans().Len() {
			spans := rs.ScopeSpans().At(j).Spans()
			for k := range spans.Len() {
				b.span(attributes{spans.At(k).Attributes(), rs.Resource().Attributes()}, spans.At(k))
			}
		}
	}
	return b.out, b.skip
}

func (b *batch) span(a attributes, s ptrace.Span) {
	if s.Status().Code() != ptrace.StatusCodeError || a.str(vocab.RunID) != "" || !b.foreign(a) {
		return
	}
	o := observation.Observation{ID: "span/" + hash(s.TraceID().String(), s.SpanID().String()), Source: a.source(), Time: b.now}
	if s.EndTimestamp() != 0 {
		o.Time = s.EndTimestamp().AsTime()
	}
	o.Error = b.spanError(a, s)
	b.fail(a, o)
}

// foreign reports whether something speaks for a service that is neither this
// process nor one of our receivers, which say what they mean in events of their own.
func (b *batch) foreign(a attributes) bool {
	return !a.service().IsZero() && a.str(vocab.DataSourceName) == "" && a.str(vocab.ServiceName) != b.Own
}

// fail adds a failure of a service. One of a kind is enough for one batch: a
// storm says the same a thousand times.
func (b *batch) fail(a attributes, o observation.Observation) {
	o.Kind, o.Entity, o.Polarity = observation.Failure, a.service(), observation.Problem
	kind := o.Entity.String() + "\x00" + o.Error.Type + "\x00" + o.Error.Location
	if o.Error.Type == "" && o.Error.Location == "" {
		kind += numbers.ReplaceAllString(o.Error.Message, "#")
	}
	if b.said[kind] || len(b.said) >= b.MaxFailures {
		b.skip.Repeated++
		return
	}
	b.said[kind] = true
	b.add(o)
}

// numbers tell apart what is said of one thing again and again.
var numbers = regexp.MustCompile(`[0-9a-fA-F\-]*[0-9][0-9a-fA-F\-]*`)

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
