// Package load follows the loads of a table from poll to poll and says whose
// row count is to be stated.
package load

import "slices"

// Count is how many rows a load has now.
type Count struct {
	ID   string
	Rows int64
}

// Seen is what is remembered of one load.
type Seen struct {
	ID   string `json:"id"`
	Rows int64  `json:"rows"` // at the last poll that saw it
	// Stated is the count that was last stated; nil: none yet.
	Stated *int64 `json:"stated,omitempty"`
	// Again is on how many further polls Stated is stated once more.
	Again int `json:"again,omitempty"`
}

// Ledger remembers loads, the one seen longest ago first. The zero Ledger knows
// none. It is a value: Observe leaves it as it is.
type Ledger []Seen

const (
	// A count that changed is stated on the poll that found it settled and on
	// this many after it, so that one point lost on its way does not hide it.
	restated = 2
	// A load is remembered for as long as fewer than this many windows of
	// others have been seen since.
	windows = 4
)

// Observe takes the newest loads of a table, oldest first, and gives the ledger
// after it and the counts to state, in the same order.
//
// A load is complete when its count is the same as at the poll before. Then it
// is stated, once. When the count of a load that was stated changes, the load
// is stated again as soon as it is complete again, and on the two polls after
// that. A load that is gone is not stated: whether its rows were deleted or have
// only left the window of newest loads cannot be told.
//
// overrun is true when loads were known and every load of a full window is new:
// there may be others between them that no poll has seen.
func (l Ledger) Observe(current []Count, window int) (next Ledger, stated []Count, overrun bool) {
	known := make(map[string]Seen, len(l))
	for _, s := range l {
		known[s.ID] = s
	}
	present := make([]Seen, 0, len(current))
	met := 0
	for _, c := range current {
		s, ok := known[c.ID]
		if !ok {
			present = append(present, Seen{ID: c.ID, Rows: c.Rows})
			continue
		}
		met++
		delete(known, c.ID)
		if s.observe(c.Rows) {
			stated = append(stated, c)
		}
		present = append(present, s)
	}
	next = make(Ledger, 0, len(known)+len(present))
	for _, s := range l {
		if _, gone := known[s.ID]; gone {
			next = append(next, s)
		}
	}
	next = append(next, present...)
	if most := windows * window; len(next) > most {
		next = next[len(next)-most:]
	}
	return next, stated, len(l) > 0 && met == 0 && len(current) >= window
}

// Equal reports whether both remember the same.
func (l Ledger) Equal(other Ledger) bool {
	return slices.EqualFunc(l, other, func(a, b Seen) bool {
		if (a.Stated == nil) != (b.Stated == nil) || a.Stated != nil && *a.Stated != *b.Stated {
			return false
		}
		return a.ID == b.ID && a.Rows == b.Rows && a.Again == b.Again
	})
}

// observe reports whether the load is to be stated at this poll.
func (s *Seen) observe(rows int64) bool {
	if rows != s.Rows {
		s.Rows = rows
		return false
	}
	switch {
	case s.Stated == nil:
		s.Stated = &rows
	case *s.Stated != rows:
		s.Stated, s.Again = &rows, restated
	case s.Again > 0:
		s.Again--
	default:
		return false
	}
	return true
}
