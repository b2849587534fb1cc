// Package reading turns telemetry into observations. It knows the vocabulary
// and nothing of incidents; what a failure means is asked of a Judge.
package reading

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"slices"
	"strings"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"

	"github.com/otelcol-selfheal/otelcol-selfheal/internal/entity"
	"github.com/otelcol-selfheal/otelcol-selfheal/internal/observation"
	"github.com/otelcol-selfheal/otelcol-selfheal/internal/scrub"
	"github.com/otelcol-selfheal/otelcol-selfheal/internal/vocab"
)

const uidAttribute = "log.record.uid"

// Limits of what is read from one record. What is longer is cut.
const (
	maxMessage = 2 << 10
	maxStack   = 8 << 10
	maxName    = entity.MaxNameLength
	maxRefs    = 100
	// Attributes of a series, and bytes of one.
	maxAttributes = 32
	maxAttribute  = 256
)

// Judge says what a failure means.
type Judge interface {
	// Error reads the text of a failure.
	Error(exceptionType, message, stacktrace string) *observation.Error
	// Propose returns the class that rules give the observation, nil where none fits.
	Propose(o *observation.Observation) *observation.Hypothesis
}

// Skip counts what is not an observation.
type Skip struct {
	// Forged are records that only the extension may write.
	Forged int
	// Malformed are records that name no entity or no time, by what is wrong.
	Malformed map[string]int
	// Bounded are observations beyond the bound of one batch.
	Bounded int
	// Repeated are errors of a service that say the same as another of the batch,
	// and those beyond the bound.
	Repeated int
}

// Reader reads batches. It is safe for concurrent use.
type Reader struct {
	Judge Judge
	Now   func() time.Time
	// Max bounds the observations of one batch.
	Max int
	// MaxFailures bounds those of them that are errors of services.
	MaxFailures int
	// Own is the service.name of this process, whose own errors are no failures of others.
	Own string
}

type batch struct {
	*Reader
	now  time.Time
	out  []observation.Observation
	skip Skip
	// said are the failures of services in this batch.
	said map[string]bool
}

func (r *Reader) begin() *batch {
	return &batch{Reader: r, now: r.Now(), skip: Skip{Malformed: map[string]int{}}, said: map[string]bool{}}
}

func (b *batch) malformed(why string) { b.skip.Malformed[why]++ }

// add completes an observation and keeps it.
func (b *batch) add(o observation.Observation) {
	if len(b.out) >= b.Max {
		b.skip.Bounded++
		return
	}
	if !o.Entity.IsZero() && o.Entity.Validate() != nil {
		b.malformed("entity")
		return
	}
	o.Edges = slices.DeleteFunc(o.Edges, func(e entity.Edge) bool { return e.From.Validate() != nil || e.To.Validate() != nil })
	o.Received = b.now
	if o.Time.IsZero() {
		o.Time = b.now
	}
	if o.Polarity == observation.Problem {
		o.Hypothesis = b.Judge.Propose(&o)
	}
	b.out = append(b.out, o)
}

// attributes looks a name up in the record first, then in the resource.
type attributes struct{ record, resource pcommon.Map }

func (a attributes) get(name string) (pcommon.Value, bool) {
	if v, ok := a.record.Get(name); ok {
		return v, true
	}
	return a.resource.Get(name)
}

func (a attributes) str(name string) string {
	v, ok := a.get(name)
	if !ok {
		return ""
	}
	s := v.AsString()
	if len(s) > maxName {
		// Still too long, so that a name is refused and not mistaken for another.
		return strings.ToValidUTF8(s[:maxName], "") + strings.Repeat("…", 2)
	}
	return s
}

// text is free text, bounded; whoever wrote it should have scrubbed it, and it is scrubbed again.
func (a attributes) text(name string, limit int) string {
	v, ok := a.get(name)
	if !ok {
		return ""
	}
	return scrub.Text(v.AsString(), limit)
}

func (a attributes) boolean(name string) bool {
	v, ok := a.get(name)
	return ok && (v.Type() == pcommon.ValueTypeBool && v.Bool() || v.Type() == pcommon.ValueTypeStr && v.Str() == "true")
}

func (a attributes) number(name string) int {
	v, ok := a.get(name)
	switch {
	case ok && v.Type() == pcommon.ValueTypeInt:
		return int(v.Int())
	case ok && v.Type() == pcommon.ValueTypeDouble:
		return int(v.Double())
	}
	return 0
}

func (a attributes) time(name string) time.Time {
	at, err := time.Parse(time.RFC3339Nano, a.str(name))
	if err != nil {
		return time.Time{}
	}
	return at
}

func (a attributes) strings(name string) []string {
	v, ok := a.get(name)
	if !ok || v.Type() != pcommon.ValueTypeSlice {
		return nil
	}
	var list []string
	for n := range min(v.Slice().Len(), maxRefs) {
		list = append(list, v.Slice().At(n).AsString())
	}
	return list
}

// datasets reads a slice of {namespace, name} maps.
func (a attributes) datasets(name string) []entity.Ref {
	v, ok := a.get(name)
	if !ok || v.Type() != pcommon.ValueTypeSlice {
		return nil
	}
	var list []entity.Ref
	for n := range min(v.Slice().Len(), maxRefs) {
		one := v.Slice().At(n)
		if one.Type() != pcommon.ValueTypeMap {
			continue
		}
		part := attributes{one.Map(), pcommon.NewMap()}
		list = append(list, entity.Ref{Kind: entity.Dataset, Namespace: part.str("namespace"), Name: part.str("name")})
	}
	return list
}

func (a attributes) job() entity.Ref {
	return ref(entity.Job, a.str(vocab.PipelineNamespace), a.str(vocab.PipelineName))
}

func (a attributes) parent() entity.Ref {
	return ref(entity.Job, a.str(vocab.PipelineParentNamespace), a.str(vocab.PipelineParentName))
}

func (a attributes) dataset() entity.Ref {
	return ref(entity.Dataset, a.str(vocab.DatasetNamespace), a.str(vocab.DatasetName))
}

func (a attributes) platform() entity.Ref {
	return ref(entity.Platform, a.str(vocab.PlatformKind), a.str(vocab.PlatformInstance))
}

func (a attributes) service() entity.Ref {
	return ref(entity.Service, a.str("service.namespace"), a.str(vocab.ServiceName))
}

// entity is what a metric or record is about, the most specific first.
func (a attributes) entity() entity.Ref {
	for _, r := range []entity.Ref{a.dataset(), a.job(), a.platform(), a.service()} {
		if !r.IsZero() {
			return r
		}
	}
	return entity.Ref{}
}

// ref is the zero Ref where there is no name.
func ref(kind entity.Kind, namespace, name string) entity.Ref {
	if name == "" {
		return entity.Ref{}
	}
	return entity.Ref{Kind: kind, Namespace: namespace, Name: name}
}

func (a attributes) source() string {
	if s := a.str(vocab.DataSourceName); s != "" {
		return s
	}
	return "otlp"
}

// hash identifies an event by its parts.
func hash(parts ...string) string {
	h := sha256.New()
	var size [8]byte
	for _, p := range parts {
		binary.BigEndian.PutUint64(size[:], uint64(len(p)))
		h.Write(size[:])
		h.Write([]byte(p))
	}
	return hex.EncodeToString(h.Sum(nil)[:16])
}

// flat writes a map in an order that does not depend on how it was sent.
func flat(m pcommon.Map, without ...string) []string {
	var parts []string
	for k, v := range m.All() {
		if !slices.Contains(without, k) {
			parts = append(parts, k+"="+v.AsString())
		}
	}
	slices.Sort(parts)
	return parts
}
