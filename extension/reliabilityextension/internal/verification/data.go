package verification

import (
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/otelcol-selfheal/otelcol-selfheal/extension/reliabilityextension/internal/store"
	"github.com/otelcol-selfheal/otelcol-selfheal/internal/entity"
	"github.com/otelcol-selfheal/otelcol-selfheal/internal/incident"
	"github.com/otelcol-selfheal/otelcol-selfheal/internal/observation"
	"github.com/otelcol-selfheal/otelcol-selfheal/internal/vocab"
)

// dataArrived looks at every dataset that the watched runs owe. At least one of
// them must be measured by someone other than the platform.
func (l *look) dataArrived() error {
	datasets := l.owed()
	measured := 0
	for _, ds := range datasets {
		facts, err := l.Facts(ds)
		if err != nil {
			return err
		}
		m := measure(facts)
		if !m.any() {
			continue
		}
		measured++
		if err := l.dataset(ds, m); err != nil {
			return err
		}
	}
	if measured > 0 || l.set.PlatformWordSuffices {
		return nil
	}
	c := incident.Condition{Name: DataSignal, Entity: l.i.Root, Silent: true, Detail: "no source measures what this run writes"}
	if len(datasets) > 0 {
		c.Entity, c.Detail = datasets[0], "no source measures "+datasets[0].Name
	}
	l.add(c)
	return nil
}

// owed returns the datasets that the runs write, and what their DAG writes after them.
func (l *look) owed() []entity.Ref {
	var found []entity.Ref
	add := func(refs ...entity.Ref) {
		for _, r := range refs {
			if r.Kind == entity.Dataset && !slices.Contains(found, r) {
				found = append(found, r)
			}
		}
	}
	if l.i.Root.Kind == entity.Dataset {
		add(l.i.Root)
	}
	for _, e := range l.i.Evidence {
		if e.Observation.Polarity == observation.Problem {
			add(e.Observation.Entity)
		}
	}
	for _, w := range l.runs {
		add(w.run.Outputs...)
		add(l.Graph.Outputs(w.job)...)
		for _, job := range l.sameDAG(w.job) {
			add(l.Graph.Outputs(job)...)
		}
	}
	return found
}

// measures are the facts about one dataset by what they say.
type measures struct {
	rows, newest, duplicates *store.Fact
	loads                    []store.Fact
	last                     time.Time // when anything was last heard, our clock
}

func (m measures) any() bool { return m.rows != nil || m.newest != nil || len(m.loads) > 0 }

func measure(facts []store.Fact) measures {
	var m measures
	for _, f := range facts {
		switch f.Name {
		case vocab.FactRows:
			m.rows = &f
		case vocab.FactNewest:
			m.newest = &f
		case vocab.FactDuplicates:
			if m.duplicates == nil || m.duplicates.Received.Before(f.Received) {
				m.duplicates = &f
			}
		case vocab.FactLoadRows:
			m.loads = append(m.loads, f)
		default:
			continue
		}
		m.last = later(m.last, f.Received)
	}
	return m
}

func (l *look) dataset(ds entity.Ref, m measures) error {
	// A word from before the runs are known to have ended says nothing about them.
	silent := m.last.Before(l.known) || l.now.Sub(m.last) > l.set.SignalTimeout
	c := incident.Condition{Name: RowsArrived, Entity: ds, LastSeen: m.last}
	var err error
	switch {
	case len(l.runs) == 0:
		c.Name, c.Holds, c.Detail = DataSignal, true, ds.Name+" is measured"
	case len(m.loads) > 0:
		err = l.loads(&c, ds, m)
	default:
		err = l.growth(&c, ds, m)
	}
	if err != nil {
		return err
	}
	if silent {
		c.Holds, c.Silent = false, true
		c.Detail = fmt.Sprintf("%s: the source is silent since %s", ds.Name, m.last.UTC().Format(time.RFC3339))
	}
	l.add(c)
	if m.duplicates != nil && !silent {
		l.add(incident.Condition{
			Name: NoDuplicates, Entity: ds, Holds: m.duplicates.Value == 0, Now: m.duplicates.Value, LastSeen: m.duplicates.Received,
			Detail: fmt.Sprintf("%s: %s duplicates", ds.Name, number(m.duplicates.Value)),
		})
	}
	return nil
}

// loads compares the loads that came or changed since the trouble began with
// the runs that have succeeded since: each run owes one load of a usual size.
func (l *look) loads(c *incident.Condition, ds entity.Ref, m measures) error {
	history, err := l.FactHistory(ds, vocab.FactLoadRows)
	if err != nil {
		return err
	}
	since := l.i.Detected
	if l.i.Root == ds || l.i.Sees(ds) {
		// The bad load itself was stated just before it was found.
		since = l.i.Started
		if !l.i.Acted.IsZero() {
			since = l.i.Acted
		}
	}
	var before []float64
	for _, p := range history {
		if p.Time.Before(since) {
			before = append(before, p.Value)
		}
	}
	usual := median(before)
	owed, err := l.succeededSince(ds)
	if err != nil {
		return err
	}
	arrived, rows := 0, 0.0
	for _, f := range m.loads {
		if !f.Changed.After(since) {
			continue
		}
		if usual > 0 && (f.Value < usual*(1-l.set.RowTolerance) || f.Value > usual*(1+l.set.RowTolerance)+1) {
			c.Now = f.Value
			continue
		}
		if f.Value > 0 {
			arrived++
			rows = f.Value
		}
	}
	c.Owed = usual
	if arrived > 0 {
		c.Now = rows
	}
	c.Holds = arrived > 0 && arrived >= owed
	c.Detail = fmt.Sprintf("%s: %s of %s rows, %d of %d loads", ds.Name, number(c.Now), number(usual), arrived, max(owed, 1))
	return nil
}

// succeededSince counts the runs of the writer that ended well after the run
// that failed did, both on the platform's clock.
func (l *look) succeededSince(ds entity.Ref) (int, error) {
	var failed time.Time
	for _, e := range l.i.Evidence {
		o := e.Observation
		if o.Kind == observation.RunState && o.Polarity == observation.Problem && o.Run != nil && o.Run.Confirmed {
			if ended := o.Run.Ended; !ended.IsZero() && (failed.IsZero() || ended.Before(failed)) {
				failed = ended
			}
		}
	}
	if failed.IsZero() {
		return 1, nil
	}
	n := 0
	for _, job := range l.Graph.Writers(ds) {
		records, err := l.Runs(job, 200)
		if err != nil {
			return 0, err
		}
		count := 0
		for _, r := range records {
			if r.Run.Phase == observation.PhaseSucceeded && r.Run.Ended.After(failed) {
				count++
			}
		}
		n = max(n, count)
	}
	return n, nil
}

// growth judges a table without loads by how it usually grows.
func (l *look) growth(c *incident.Condition, ds entity.Ref, m measures) error {
	since := l.i.Detected
	moved := m.newest != nil && m.newest.Changed.After(since)
	if m.rows == nil {
		c.Holds = moved
		c.Detail = ds.Name + state(moved, ": newer rows came", ": no newer rows")
		return nil
	}
	history, err := l.FactHistory(ds, vocab.FactRows)
	if err != nil {
		return err
	}
	var steps []float64
	before := 0.0
	for n, p := range history {
		if p.Time.After(since) {
			break
		}
		if n > 0 && p.Value > before {
			steps = append(steps, p.Value-before)
		}
		before = p.Value
	}
	owed, err := l.succeededSince(ds)
	if err != nil {
		return err
	}
	usual := median(steps)
	c.Before, c.Now, c.Owed = before, m.rows.Value, usual*float64(max(owed, 1))
	switch {
	case usual > 0:
		c.Holds = c.Now-before >= c.Owed*(1-l.set.RowTolerance)
		c.Detail = fmt.Sprintf("%s: %s of %s rows", ds.Name, number(max(0, c.Now-before)), number(c.Owed))
	default:
		// A table that is replaced as a whole keeps its size and gets newer rows.
		moved = moved || m.rows.Changed.After(since)
		c.Holds = moved && c.Now >= before*(1-l.set.RowTolerance) && c.Now > 0
		c.Detail = fmt.Sprintf("%s: %s rows%s", ds.Name, number(c.Now), state(moved, ", newer than before", ", nothing newer"))
	}
	return nil
}

func median(values []float64) float64 {
	if len(values) == 0 {
		return 0
	}
	s := slices.Sorted(slices.Values(values))
	return s[len(s)/2]
}

func number(v float64) string { return strconv.FormatFloat(v, 'f', -1, 64) }
