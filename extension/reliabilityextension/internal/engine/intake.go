package engine

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"math"
	"strings"
	"time"

	"github.com/otelcol-selfheal/otelcol-selfheal/internal/entity"
	"github.com/otelcol-selfheal/otelcol-selfheal/internal/observation"
)

// maxAhead is how far a source's clock may run ahead of ours. What lies further
// ahead would make everything that comes after it look old.
const maxAhead = 24 * time.Hour

// usable makes an observation such that the state can hold it, and reports false
// where nothing of it can be used: one bad value must not make the batch that it
// came with fail each time that it is sent.
func usable(o *observation.Observation, now time.Time) bool {
	if !o.Entity.IsZero() && o.Entity.Validate() != nil {
		return false
	}
	o.Entity = plainRef(o.Entity)
	o.Time = moment(o.Time, now)
	if o.Received.IsZero() || o.Received.After(now) {
		o.Received = now
	}
	switch o.Kind {
	case observation.RunState:
		if o.Run == nil || o.Run.ID == "" {
			return false
		}
	case observation.Anomaly:
		if o.Series == nil || !finite(o.Series) {
			return false
		}
	case observation.Fact:
		if o.Fact == nil || math.IsNaN(o.Fact.Value) || math.IsInf(o.Fact.Value, 0) {
			return false
		}
	}
	if o.Run != nil {
		r := *o.Run
		r.ID = plain(r.ID)
		r.Started, r.Ended = known(r.Started, now), known(r.Ended, now)
		o.Run = &r
	}
	if o.Series != nil {
		s := *o.Series
		s.Key, s.Onset = plain(s.Key), known(s.Onset, now)
		if !finite(&s) {
			return false
		}
		o.Series = &s
	}
	if h := o.Hypothesis; h != nil && (math.IsNaN(h.Confidence) || math.IsInf(h.Confidence, 0)) {
		o.Hypothesis = nil
	}
	edges := make([]entity.Edge, 0, len(o.Edges))
	for _, e := range o.Edges {
		if e.From.Validate() != nil || e.To.Validate() != nil {
			continue
		}
		e.From, e.To, e.LastSeen = plainRef(e.From), plainRef(e.To), moment(e.LastSeen, now)
		edges = append(edges, e)
	}
	o.Edges = edges
	if o.ID == "" {
		// Without an ID all would count as the same one.
		raw, err := json.Marshal(o)
		if err != nil {
			return false
		}
		sum := sha256.Sum256(raw)
		o.ID = hex.EncodeToString(sum[:])
	}
	return true
}

func finite(s *observation.Series) bool {
	for _, v := range []float64{s.Score, s.Value, s.Expected, s.Lower, s.Upper} {
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return false
		}
	}
	return true
}

// moment returns a time that the state can hold: ours where the source gave none
// or one that cannot be.
func moment(t, now time.Time) time.Time {
	if t.IsZero() || t.After(now.Add(maxAhead)) {
		return now
	}
	if t.Before(time.Unix(0, 0)) {
		return time.Unix(0, 0).UTC()
	}
	return t
}

// known is the same where nothing is said better than something wrong.
func known(t, now time.Time) time.Time {
	if t.After(now.Add(maxAhead)) || t.Before(time.Unix(0, 0)) {
		return time.Time{}
	}
	return t
}

// plain replaces what is not UTF-8: JSON does so too, and a name must be the
// same in memory and in the state.
func plain(s string) string { return strings.ToValidUTF8(s, "\uFFFD") }

func plainRef(r entity.Ref) entity.Ref {
	r.Namespace, r.Name = plain(r.Namespace), plain(r.Name)
	return r
}
