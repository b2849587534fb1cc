// Package loads ties the loads of a table to the runs that brought them.
package loads

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/otelcol-selfheal/otelcol-selfheal/internal/observation"
)

// date finds the moment that a run's ID carries, as Airflow writes it.
var date = regexp.MustCompile(`\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d+)?(Z|[+-]\d{2}:\d{2})`)

// Of reports whether a load's ID stands for a run: it is in the run's ID as a
// word, it is the moment in the run's ID, or one while the run was under way.
func Of(r observation.Run, load string) bool {
	if r.Target == nil {
		return false
	}
	id := r.Target.Coordinates[observation.AirflowRun]
	word := func(c rune) bool { return !unicode.IsLetter(c) && !unicode.IsDigit(c) }
	if slices.Contains(strings.FieldsFunc(id, word), load) {
		return true
	}
	at, precision := moment(load)
	if at.IsZero() {
		return false
	}
	if named, err := time.Parse(time.RFC3339Nano, date.FindString(id)); err == nil {
		if past := named.Sub(at); past >= 0 && past < precision { // IDs are cut, not rounded
			return true
		}
	}
	return !r.Started.IsZero() && !at.Before(r.Started) && !r.Ended.IsZero() && !at.After(r.Ended)
}

// moment reads a load's ID as a time: RFC 3339, Unix seconds or milliseconds.
func moment(load string) (at time.Time, precision time.Duration) {
	if at, err := time.Parse(time.RFC3339Nano, load); err == nil {
		return at, time.Millisecond
	}
	n, err := strconv.ParseInt(load, 10, 64)
	switch {
	case err != nil:
	case n > 1e12 && n < 1e13:
		return time.UnixMilli(n), time.Millisecond
	case n > 1e9 && n < 1e10:
		return time.Unix(n, 0), time.Second
	}
	return time.Time{}, 0
}
