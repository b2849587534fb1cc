package reading_test

import (
	"encoding/json"
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.uber.org/goleak"

	"github.com/otelcol-selfheal/otelcol-selfheal/connector/classificationconnector/internal/reading"
	"github.com/otelcol-selfheal/otelcol-selfheal/internal/observation"
	"github.com/otelcol-selfheal/otelcol-selfheal/internal/vocab"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

type noJudge struct{}

func (noJudge) Error(kind, message, stack string) *observation.Error {
	return &observation.Error{Type: kind, Message: message, Stacktrace: stack}
}
func (noJudge) Propose(*observation.Observation) *observation.Hypothesis { return nil }

const most = 50

func newReader() *reading.Reader {
	return &reading.Reader{Judge: noJudge{}, Now: func() time.Time { return time.Unix(1_795_521_600, 0).UTC() }, Max: most, MaxFailures: 10}
}

// sound is what holds of any observation, whatever was sent.
func sound(t *testing.T, first, again []observation.Observation) {
	require.LessOrEqual(t, len(first), most)
	require.Equal(t, first, again, "the same batch gives the same observations")
	for _, o := range first {
		require.NotEmpty(t, o.ID)
		require.NotEmpty(t, o.Kind)
		require.NotEmpty(t, o.Polarity)
		require.False(t, o.Time.IsZero())
		_, err := json.Marshal(o)
		require.NoError(t, err, "it can be stored")
		if !o.Entity.IsZero() {
			require.NoError(t, o.Entity.Validate())
		}
		for _, e := range o.Edges {
			require.NoError(t, e.From.Validate())
			require.NoError(t, e.To.Validate())
		}
	}
}

func FuzzLogs(f *testing.F) {
	for _, event := range []string{vocab.EventPipelineRun, vocab.EventSchemaChanged, vocab.EventImportError, vocab.EventIncident, ""} {
		l := plog.NewLogs()
		r := l.ResourceLogs().AppendEmpty().ScopeLogs().AppendEmpty().LogRecords().AppendEmpty()
		r.SetEventName(event)
		r.SetSeverityNumber(plog.SeverityNumberError)
		a := r.Attributes()
		a.PutStr(vocab.ServiceName, "s")
		a.PutStr(vocab.PipelineName, "j")
		a.PutStr(vocab.DatasetName, "d")
		a.PutStr(vocab.RunID, "r")
		a.PutStr(vocab.RunState, "failed")
		in := a.PutEmptySlice(vocab.PipelineInputs).AppendEmpty().SetEmptyMap()
		in.PutStr("name", "x")
		raw, err := (&plog.ProtoMarshaler{}).MarshalLogs(l)
		require.NoError(f, err)
		f.Add(raw)
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		l, err := (&plog.ProtoUnmarshaler{}).UnmarshalLogs(raw)
		if err != nil {
			return
		}
		r := newReader()
		first, _ := r.Logs(l)
		again, _ := r.Logs(l)
		sound(t, first, again)
	})
}

func FuzzMetrics(f *testing.F) {
	m := pmetric.NewMetrics()
	rm := m.ResourceMetrics().AppendEmpty()
	rm.Resource().Attributes().PutStr(vocab.DatasetName, "d")
	for _, name := range append(vocab.VerdictMetrics[:], vocab.FactMetrics[0], vocab.FactAssertion) {
		one := rm.ScopeMetrics().AppendEmpty().Metrics().AppendEmpty()
		one.SetName(name)
		one.SetEmptyGauge().DataPoints().AppendEmpty().SetIntValue(1)
	}
	odd := rm.ScopeMetrics().AppendEmpty().Metrics().AppendEmpty()
	odd.SetName(vocab.FactRows)
	list := odd.SetEmptyGauge().DataPoints()
	for _, v := range []float64{math.NaN(), math.Inf(1), math.Inf(-1)} {
		list.AppendEmpty().SetDoubleValue(v)
	}
	raw, err := (&pmetric.ProtoMarshaler{}).MarshalMetrics(m)
	require.NoError(f, err)
	f.Add(raw)
	f.Fuzz(func(t *testing.T, raw []byte) {
		m, err := (&pmetric.ProtoUnmarshaler{}).UnmarshalMetrics(raw)
		if err != nil {
			return
		}
		r := newReader()
		first, _ := r.Metrics(m)
		again, _ := r.Metrics(m)
		sound(t, first, again)
	})
}

func FuzzTraces(f *testing.F) {
	s := ptrace.NewTraces()
	rs := s.ResourceSpans().AppendEmpty()
	rs.Resource().Attributes().PutStr(vocab.ServiceName, "s")
	span := rs.ScopeSpans().AppendEmpty().Spans().AppendEmpty()
	span.Status().SetCode(ptrace.StatusCodeError)
	span.Events().AppendEmpty().SetName("exception")
	raw, err := (&ptrace.ProtoMarshaler{}).MarshalTraces(s)
	require.NoError(f, err)
	f.Add(raw)
	f.Fuzz(func(t *testing.T, raw []byte) {
		s, err := (&ptrace.ProtoUnmarshaler{}).UnmarshalTraces(raw)
		if err != nil {
			return
		}
		r := newReader()
		first, _ := r.Traces(s)
		again, _ := r.Traces(s)
		sound(t, first, again)
	})
}
