package series

import (
	"encoding/binary"
	"errors"
	"math"
)

// Version is the version of the encoding. State of another version is not read.
const Version = 3

// errState is returned for bytes that are no state of a series.
var errState = errors.New("state of a series is damaged: it ends early or holds impossible values")

// codec writes fields to a buffer or reads them from one, so that each layout stands in one place.
type codec struct {
	b     []byte
	write bool
	bad   bool
}

func (c *codec) u8(v *uint8) {
	if c.write {
		c.b = append(c.b, *v)
		return
	}
	if c.bad = c.bad || len(c.b) < 1; c.bad {
		return
	}
	*v, c.b = c.b[0], c.b[1:]
}

func (c *codec) bool(v *bool) {
	var u uint8
	if *v {
		u = 1
	}
	c.u8(&u)
	*v = u == 1
}

func (c *codec) u32(v *uint32) {
	if c.write {
		c.b = binary.LittleEndian.AppendUint32(c.b, *v)
		return
	}
	if c.bad = c.bad || len(c.b) < 4; c.bad {
		return
	}
	*v, c.b = binary.LittleEndian.Uint32(c.b), c.b[4:]
}

func (c *codec) u64(v *uint64) {
	if c.write {
		c.b = binary.LittleEndian.AppendUint64(c.b, *v)
		return
	}
	if c.bad = c.bad || len(c.b) < 8; c.bad {
		return
	}
	*v, c.b = binary.LittleEndian.Uint64(c.b), c.b[8:]
}

func (c *codec) i64(v *int64) {
	u := uint64(*v)
	c.u64(&u)
	*v = int64(u)
}

// f64 refuses what is not finite: no state holds it, and it would spread.
func (c *codec) f64(v *float64) {
	u := math.Float64bits(*v)
	c.u64(&u)
	f := math.Float64frombits(u)
	if math.IsNaN(f) || math.IsInf(f, 0) {
		c.bad = c.bad || !c.write
		f = 0
	}
	*v = f
}

func (c *codec) f32(v *float32) {
	u := math.Float32bits(*v)
	c.u32(&u)
	f := math.Float32frombits(u)
	if f != f || math.IsInf(float64(f), 0) {
		c.bad = c.bad || !c.write
		f = 0
	}
	*v = f
}

const (
	hasCounter = 1 << iota
	hasEpisode
	hasSeen
	hasSeason
)

// AppendState appends the state of the series to b.
func (s *Series) AppendState(b []byte) []byte {
	c := &codec{b: b, write: true}
	var flags uint8
	if s.counter.primed {
		flags |= hasCounter
	}
	if s.episode != nil {
		flags |= hasEpisode
	}
	if s.seen != nil {
		flags |= hasSeen
	}
	if s.season != nil {
		flags |= hasSeason
	}
	c.u8(&flags)
	s.fields(c, flags)
	return c.b
}

// Restore reads the state that AppendState wrote from the front of b and
// returns the rest. A series that could not be restored is as new.
func (s *Series) Restore(b []byte) ([]byte, error) {
	c := &codec{b: b}
	var flags uint8
	*s = Series{}
	c.u8(&flags)
	s.fields(c, flags)
	if c.bad {
		*s = Series{}
		return nil, errState
	}
	return c.b, nil
}

func (s *Series) fields(c *codec, flags uint8) {
	c.i64(&s.last)
	c.f32(&s.interval)
	c.u32(&s.n)
	s.model.fields(c)
	s.tail.fields(c)
	if flags&hasCounter != 0 {
		s.counter.fields(c)
	}
	if flags&hasEpisode != 0 {
		if s.episode == nil {
			s.episode = &episode{}
		}
		s.episode.fields(c)
	}
	if flags&hasSeen != 0 {
		if s.seen == nil {
			s.seen = &seen{}
		}
		s.seen.fields(c)
	}
	if flags&hasSeason != 0 {
		if s.season == nil {
			s.season = &season{}
		}
		s.season.fields(c)
	}
	noSeason := s.season == nil
	if s.interval < 0 || s.model.using == byDay && (noSeason || s.season.day == nil) || s.model.using == byWeek && (noSeason || s.season.week == nil) {
		c.bad = true
	}
}

func (m *model) fields(c *codec) {
	for _, f := range [...]*float64{&m.level, &m.scale, &m.all, &m.trend.level, &m.trend.slope, &m.trend.scale} {
		c.f64(f)
	}
	c.u8((*uint8)(&m.using))
	if m.using >= views {
		c.bad = true
	}
}

func (t *tail) fields(c *codec) {
	c.f32(&t.over)
	c.f32(&t.excess)
	if t.over < 0 || t.over > 1 || t.excess < 0 {
		c.bad = true
	}
}

func (s *season) fields(c *codec) {
	c.i64(&s.began)
	s.day = s.day.fields(c, day, dayBins)
	s.week = s.week.fields(c, week, weekBins)
}

// fields returns the profile that it wrote or read, nil where there is none.
func (p *profile) fields(c *codec, period int64, bins int) *profile {
	there := p != nil
	if c.bool(&there); !there || c.bad {
		return nil
	}
	if p == nil {
		p = newProfile(period, bins, 0)
	}
	c.f64(&p.level)
	c.f64(&p.scale)
	c.f64(&p.all)
	c.u32(&p.points)
	c.i64(&p.since)
	for i := range p.bins {
		c.f32(&p.bins[i])
		c.u8(&p.visits[i])
		last := uint32(p.last[i])
		c.u32(&last)
		p.last[i] = uint16(last) //nolint:gosec // it was written from one
	}
	return p
}

func (k *counter) fields(c *codec) {
	c.f64(&k.value)
	c.f64(&k.count)
	c.i64(&k.start)
	c.i64(&k.at)
	k.primed = true
}

func (e *episode) fields(c *codec) {
	c.bool(&e.active)
	c.u8((*uint8)(&e.reason))
	c.i64(&e.onset)
	c.u32(&e.points)
	c.u32(&e.normal)
	sign := uint8(e.sign)
	c.u8(&sign)
	e.sign = int8(sign)
	c.f64(&e.level)
	c.f64(&e.spread)
	var n uint8
	for i := range e.last {
		if e.last[i].r.Verdict() {
			n++
		}
	}
	c.u8(&n)
	if n > kept {
		c.bad = true
		return
	}
	// Oldest first, so that the ring stands the same afterwards.
	if c.write {
		for i := range uint8(kept) {
			if t := &e.last[(e.next+i)%kept]; t.r.Verdict() {
				t.fields(c)
			}
		}
		return
	}
	for i := range n {
		e.last[i].fields(c)
	}
	e.next = n % kept
}

func (t *told) fields(c *codec) {
	c.i64(&t.pt.Time)
	c.f64(&t.pt.Value)
	c.u32(&t.pt.Tag)
	r := &t.r
	c.bool(&r.Active)
	c.bool(&r.Recovered)
	c.bool(&r.Adopted)
	c.u8((*uint8)(&r.Reason))
	c.i64(&r.Onset)
	for _, f := range [...]*float64{&r.Score, &r.Value, &r.Expected, &r.Lower, &r.Upper} {
		c.f64(f)
	}
	r.Time, r.Status = t.pt.Time, Scored
}

func (s *seen) fields(c *codec) {
	n := uint32(len(s.tags))
	c.u32(&n)
	if n > maxSeen {
		c.bad = true
	}
	if c.bad {
		return
	}
	if !c.write {
		s.tags = make([]uint32, n, max(n, 4))
	}
	for i := range s.tags {
		c.u32(&s.tags[i])
	}
}
