package load

import (
	"crypto/sha256"
	"encoding/hex"
	"regexp"
	"time"

	"github.com/otelcol-selfheal/otelcol-selfheal/internal/scrub"
)

// Type is what the engine says the value of a load column is.
type Type int

const (
	// Text is anything that is neither of the others.
	Text Type = iota
	// Number is an integer or a decimal.
	Number
	// Timestamp is a date or a time.
	Timestamp
)

var (
	number    = regexp.MustCompile(`^-?[0-9]{1,18}(\.[0-9]{1,9})?$`)
	timeForms = []string{
		"2006-01-02T15:04:05.999999999Z07:00", "2006-01-02 15:04:05.999999999Z07:00",
		"2006-01-02 15:04:05.999999999-07:00", "2006-01-02 15:04:05.999999999-07",
	}
	localForms = []string{
		"2006-01-02T15:04:05.999999999", "2006-01-02 15:04:05.999999999", "2006-01-02T15:04", "2006-01-02 15:04", time.DateOnly,
	}
)

// Scrubbed is longer than any number that Type Number lets through.
const scrubLimit = 64

// ID makes the identifier of a load fit to leave the database: a timestamp
// becomes RFC 3339 in UTC (one without an offset is in zone), also where a
// column of text holds it; a number stays as it is, unless it looks like an
// identifier of a person or a card; all else, which is free text, becomes the
// first 128 bits of its SHA-256 within scope, in hex.
//
// The hash hides the value from who does not guess it; it is not proof against
// trying all values of a short list.
func ID(value string, kind Type, zone *time.Location, scope string) string {
	if kind == Number && number.MatchString(value) && scrub.Text(value, scrubLimit) == value {
		return value
	}
	if kind != Number {
		if at, ok := parse(value, zone); ok {
			return at.UTC().Format(time.RFC3339Nano)
		}
	}
	sum := sha256.Sum256([]byte(scope + "\x00" + value))
	return hex.EncodeToString(sum[:16])
}

func parse(value string, zone *time.Location) (time.Time, bool) {
	for _, form := range timeForms {
		if at, err := time.Parse(form, value); err == nil {
			return at, true
		}
	}
	for _, form := range localForms {
		if at, err := time.ParseInLocation(form, value, zone); err == nil {
			return at, true
		}
	}
	return time.Time{}, false
}
