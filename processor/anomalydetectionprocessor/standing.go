package anomalydetectionprocessor

import (
	"sync/atomic"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/otelcol-selfheal/otelcol-selfheal/internal/vocab"
	"github.com/otelcol-selfheal/otelcol-selfheal/processor/anomalydetectionprocessor/internal/metadata"
)

// standingEvery is how often the detector says how much of its fleet it judges.
const standingEvery = time.Minute

// standing tells, in the pipeline itself, how many series are judged and how
// many still learn, so that who reads verdicts elsewhere knows what is not covered.
type standing struct {
	told atomic.Int64 // Unix seconds
}

// due reports, once for each interval, that it is time to tell.
func (s *standing) due(now int64) bool {
	last := s.told.Load()
	return now-last >= int64(standingEvery/time.Second) && s.told.CompareAndSwap(last, now)
}

// append adds the standing to a batch that passes by, as a resource of its own.
func (d *detector) append(md pmetric.Metrics, now time.Time) {
	rm := md.ResourceMetrics().AppendEmpty()
	a := rm.Resource().Attributes()
	a.PutStr(vocab.ServiceName, "otelcol-selfheal")
	a.PutStr(vocab.DataSourceName, metadata.Type.String())
	a.PutStr(vocab.PlatformKind, "detector")
	a.PutStr(vocab.PlatformInstance, d.id.String())
	sm := rm.ScopeMetrics().AppendEmpty()
	sm.Scope().SetName(metadata.ScopeName)
	counts := d.fleet.Counts()
	for _, m := range []struct {
		name, unit string
		value      int64
	}{
		{vocab.FactDetectorReady, "{series}", counts.Ready},
		{vocab.FactDetectorLearning, "{series}", counts.Learning},
		{vocab.FactDetectorUntil, "s", d.learningUntil.Load()},
	} {
		one := sm.Metrics().AppendEmpty()
		one.SetName(m.name)
		one.SetUnit(m.unit)
		p := one.SetEmptyGauge().DataPoints().AppendEmpty()
		p.SetTimestamp(pcommon.NewTimestampFromTime(now))
		p.SetIntValue(m.value)
	}
}
