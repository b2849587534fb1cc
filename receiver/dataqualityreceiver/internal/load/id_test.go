package load

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestID(t *testing.T) {
	t.Parallel()
	berlin, err := time.LoadLocation("Europe/Berlin")
	require.NoError(t, err)
	for name, tc := range map[string]struct {
		value string
		kind  Type
		zone  *time.Location
		want  string
	}{
		"integer":               {"42", Number, time.UTC, "42"},
		"negative":              {"-3", Number, time.UTC, "-3"},
		"date as a number":      {"20261124", Number, time.UTC, "20261124"},
		"timestamp with offset": {"2026-11-24T08:00:00+02:00", Text, time.UTC, "2026-11-24T06:00:00Z"},
		"of PostgreSQL":         {"2026-11-24 08:00:00.25+00", Timestamp, berlin, "2026-11-24T08:00:00.25Z"},
		"of Python":             {"2026-11-24 08:00:00.123456+00:00", Text, time.UTC, "2026-11-24T08:00:00.123456Z"},
		"with Z":                {"2026-11-24 08:00:00Z", Text, time.UTC, "2026-11-24T08:00:00Z"},
		"without an offset":     {"2026-07-01 08:00:00", Timestamp, berlin, "2026-07-01T06:00:00Z"},
		"date":                  {"2026-11-24", Timestamp, time.UTC, "2026-11-24T00:00:00Z"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			assert.Equal(t, tc.want, ID(tc.value, tc.kind, tc.zone, "orders"))
		})
	}
}

func TestIDHidesWhatIsNeitherTimeNorNumber(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		value string
		kind  Type
	}{
		"name":              {"jane.doe@example.com", Text},
		"run of a platform": {"manual__2026-11-24T08:00:00+00:00", Text},
		"digits in text":    {"123456789", Text},
		"card as a number":  {"4111111111111111", Number},
		"infinity":          {"infinity", Timestamp},
		"not a number":      {"NaN", Number},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := ID(tc.value, tc.kind, time.UTC, "orders")
			assert.Regexp(t, `^[0-9a-f]{32}$`, got)
			assert.NotContains(t, got, tc.value)
			assert.Equal(t, got, ID(tc.value, tc.kind, time.UTC, "orders"), "the same load has the same ID at each poll")
			assert.NotEqual(t, got, ID(tc.value, tc.kind, time.UTC, "customers"), "hashes do not join tables")
		})
	}
}
