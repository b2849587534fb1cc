package verification

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"time"

	"github.com/otelcol-selfheal/otelcol-selfheal/extension/reliabilityextension/internal/loads"
	"github.com/otelcol-selfheal/otelcol-selfheal/internal/entity"
	"github.com/otelcol-selfheal/otelcol-selfheal/internal/incident"
	"github.com/otelcol-selfheal/otelcol-selfheal/internal/observation"
	"github.com/otelcol-selfheal/otelcol-selfheal/internal/store"
	"github.com/otelcol-selfheal/otelcol-selfheal/internal/vocab"
)

// dataArrived looks at the datasets that the watched runs owe. At least one of
// them must be measured by someone other than the platform.
func (l *look) dataArrived() error {
	datasets := l.owed()
	measured := map[entity.Ref]measures{}
	for _, ds := range datasets {
		facts, err := l.Facts(ds)
		if err != nil {
			return err
		}
		if m := measure(facts); m.any() {
			measured[ds] = m
		}
	}
	for _, ds := range l.final(datasets, measured) {
		if err := l.dataset(ds, measured[ds]); err != nil {
			return err
		}
	}
	if len(measured) > 0 || l.set.PlatformWordSuffices {
		return nil
	}
	c := incident.Condition{Name: DataSignal, Entity: l.i.Root, Silent: true, Detail: "no source measures what this run writes"}
	if len(datasets) > 0 {
		c.Entity, c.Detail = datasets[0], "no source measures "+datasets[0].Name
	}
	l.add(c)
	return nil
}

// final leaves out what the same run reads again, where something that comes
// after it is measured: a staging table that is emptied for each load shows
// nothing, the table that is made from it does.
func (l *look) final(datasets []entity.Ref, measured map[entity.Ref]measures) []entity.Ref {
	var kept []entity.Ref
	for _, ds := range datasets {
		if _, ok := measured[ds]; !ok {
			continue
		}
		passing := ds != l.i.Root && slices.ContainsFunc(l.Graph.Downstream(ds, 20, 500), func(next entity.Ref) bool {
			_, ok := measured[next]
			return ok
		})
		if !passing {
			kept = append(kept, ds)
		}
	}
	return kept
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
	case len(m.loads) > 0 && (len(l.runs) > 0 || len(l.badLoads(ds)) > 0):
		err = l.loads(&c, ds, m)
	case len(l.runs) == 0:
		c.Name, c.Holds, c.Detail = DataSignal, true, ds.Name+" is measured"
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

// loads looks at the loads that the incident is about, or else compares those
// that came or changed since the trouble began with the runs that have succeeded
// since: each run owes one load of a usual size.
func (l *look) loads(c *incident.Condition, ds entity.Ref, m measures) error {
	history, err := l.FactHistory(ds, vocab.FactLoadRows)
	if err != nil {
		return err
	}
	var before []float64
	lag := lag(m.loads...)
	bad := l.badLoads(ds)
	for _, p := range history {
		// When trouble with data began is told by the clock that measures the data.
		early := l.i.Root.Kind != entity.Dataset || p.Time.Before(l.i.Started)
		if early && p.Time.Add(lag).Before(l.i.Detected) && !slices.Contains(bad, p.Part) {
			before = append(before, p.Value)
		}
	}
	c.Owed = median(before)
	usual := func(rows float64) bool {
		return rows > 0 && (c.Owed == 0 || math.Abs(rows-c.Owed) <= c.Owed*l.set.RowTolerance+1)
	}
	if len(bad) > 0 {
		c.Holds = true
		for _, load := range bad {
			at := slices.IndexFunc(m.loads, func(f store.Fact) bool { return f.Part == load })
			c.Now = 0
			if at >= 0 {
				c.Now = m.loads[at].Value
			}
			c.Detail = fmt.Sprintf("%s: %s of %s rows in load %s", ds.Name, number(c.Now), number(c.Owed), load)
			if c.Holds = usual(c.Now); !c.Holds {
				break
			}
		}
		return nil
	}
	named, owedLoads, known, err := l.ownLoads(ds, m)
	if err != nil {
		return err
	}
	if known {
		c.Holds = true
		for _, f := range named {
			c.Now, c.Detail = f.Value, fmt.Sprintf("%s: %s of %s rows in load %s", ds.Name, number(f.Value), number(c.Owed), f.Part)
			if c.Holds = usual(f.Value); !c.Holds {
				break
			}
		}
		if missing := owedLoads - len(named); missing > 0 && c.Holds {
			c.Holds, c.Now = false, 0
			c.Detail = fmt.Sprintf("%s: 0 of %s rows, %d loads are missing", ds.Name, number(c.Owed), missing)
		}
		return nil
	}
	owed, err := l.succeededSince(ds)
	if err != nil {
		return err
	}
	arrived, ours := 0, false
	for _, f := range m.loads {
		switch {
		case !f.Changed.After(l.i.Detected):
		case usual(f.Value):
			arrived++
			c.Now = f.Value
			// What an action brought cannot have come before it.
			ours = ours || f.Changed.After(l.i.Acted)
		case arrived == 0:
			c.Now = f.Value
		}
	}
	c.Holds = ours && arrived >= owed
	c.Detail = fmt.Sprintf("%s: %s of %s rows, %d of %d loads", ds.Name, number(c.Now), number(c.Owed), arrived, max(owed, 1))
	return nil
}

// ownLoads returns the loads of ds that the watched runs brought and how many
// they owe; known says that the IDs of loads tell their runs, as those of
// earlier runs do.
func (l *look) ownLoads(ds entity.Ref, m measures) (own []store.Fact, owed int, known bool, err error) {
	// The writer is often another task of the same run than the one that failed.
	var mine [][]observation.Run
	group := func(r observation.Run) int {
		return slices.IndexFunc(mine, func(g []observation.Run) bool { return sameDAGRun(g[0].Target, r.Target) })
	}
	for _, w := range l.runs {
		if group(w.run) < 0 {
			mine = append(mine, []observation.Run{w.run})
		}
	}
	for _, job := range l.Graph.Writers(ds) {
		records, err := l.Runs(job, 50)
		if err != nil {
			return nil, 0, false, err
		}
		for _, r := range records {
			if at := group(r.Run); at >= 0 {
				mine[at] = append(mine[at], r.Run)
				continue
			}
			known = known || slices.ContainsFunc(m.loads, func(f store.Fact) bool { return loads.Of(r.Run, f.Part) })
		}
	}
	if !known {
		return nil, 0, false, nil
	}
	for _, g := range mine {
		at := slices.IndexFunc(m.loads, func(f store.Fact) bool {
			return slices.ContainsFunc(g, func(r observation.Run) bool { return loads.Of(r, f.Part) })
		})
		if at >= 0 {
			own = append(own, m.loads[at])
		}
	}
	return own, len(mine), true, nil
}

func sameDAGRun(a, b *observation.Target) bool {
	return a != nil && b != nil && a.Instance == b.Instance &&
		a.Coordinates[observation.AirflowDAG] == b.Coordinates[observation.AirflowDAG] &&
		a.Coordinates[observation.AirflowRun] == b.Coordinates[observation.AirflowRun]
}

// badLoads are the loads of ds that the evidence names.
func (l *look) badLoads(ds entity.Ref) []string {
	var bad []string
	for _, e := range l.i.Evidence {
		o := e.Observation
		if load := o.Load(); o.Entity == ds && o.Polarity == observation.Problem && load != "" && !slices.Contains(bad, load) {
			bad = append(bad, load)
		}
	}
	return bad
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
	lag := lag(*m.rows)
	var steps, peaks []float64
	before := 0.0
	for n, p := range history {
		if p.Time.Add(lag).After(since) {
			break
		}
		switch {
		case n == 0:
		case p.Value > before:
			steps = append(steps, p.Value-before)
		case p.Value < before:
			peaks = append(peaks, before)
		}
		before = p.Value
	}
	owed, err := l.succeededSince(ds)
	if err != nil {
		return err
	}
	c.Before, c.Now = before, m.rows.Value
	// A table that shrinks now and then is replaced as a whole: it keeps its size and gets newer rows.
	if len(peaks) > 0 || len(steps) == 0 {
		c.Owed = before
		if len(peaks) > 0 {
			c.Owed = median(peaks)
		}
		moved = moved || m.rows.Changed.After(since)
		c.Holds = moved && c.Now > 0 && c.Now >= c.Owed*(1-l.set.RowTolerance)
		c.Detail = fmt.Sprintf("%s: %s rows%s", ds.Name, number(c.Now), state(moved, ", newer than before", ", nothing newer"))
		return nil
	}
	c.Owed = median(steps) * float64(max(owed, 1))
	c.Holds = c.Now-before >= c.Owed*(1-l.set.RowTolerance)
	c.Detail = fmt.Sprintf("%s: %s of %s rows", ds.Name, number(max(0, c.Now-before)), number(c.Owed))
	return nil
}

// lag is how far our clock is ahead of the one that measured the facts, by the
// newest of them.
func lag(facts ...store.Fact) time.Duration {
	var newest store.Fact
	for _, f := range facts {
		if f.Received.After(newest.Received) {
			newest = f
		}
	}
	return newest.Received.Sub(newest.Time)
}

func median(values []float64) float64 {
	if len(values) == 0 {
		return 0
	}
	s := slices.Sorted(slices.Values(values))
	return s[len(s)/2]
}

func number(v float64) string { return strconv.FormatFloat(v, 'f', -1, 64) }
