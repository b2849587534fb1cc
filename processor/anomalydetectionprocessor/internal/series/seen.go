package series

import "slices"

// maxSeen bounds the observations of one time that are told apart.
const maxSeen = 256

// seen holds the tags of the observations at the last time. Only series with
// tags have one.
type seen struct{ tags []uint32 }

func (s *seen) has(tag uint32) bool {
	return slices.Contains(s.tags, tag)
}

func (s *seen) add(pt Point, last int64) *seen {
	if pt.Tag == 0 {
		return s
	}
	if s == nil {
		s = &seen{}
	}
	if pt.Time != last {
		s.tags = s.tags[:0]
	}
	if len(s.tags) == maxSeen {
		copy(s.tags, s.tags[1:])
		s.tags = s.tags[:maxSeen-1]
	}
	s.tags = append(s.tags, pt.Tag)
	return s
}
