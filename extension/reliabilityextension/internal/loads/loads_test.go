package loads

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/otelcol-selfheal/otelcol-selfheal/internal/observation"
)

func TestWhichRunALoadIsOf(t *testing.T) {
	t.Parallel()
	started := time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)
	for _, tc := range []struct {
		run, load string
		want      bool
	}{
		{"batch_42", "42", true},
		{"batch_421", "42", false},
		{"scheduled__2026-03-04T00:00:00+00:00", "2026-03-04T00:00:00Z", true},
		{"scheduled__2026-03-04T00:00:00+00:00", "2026-03-04T02:00:00+02:00", true},
		{"scheduled__2026-03-04T00:00:00+00:00", "2026-03-05T00:00:00Z", false},
		{"manual__2026-03-04T05:06:05.123456+00:00_Kx1", "1772600765123", true},
		{"manual__2026-03-04T05:06:05.123456+00:00_Kx1", "1772600765124", false},
		{"manual__2026-03-04T05:06:05.123456+00:00", "1772600765", true},
		{"nightly", "2026-03-04T05:06:08Z", true},
		{"nightly", "2026-03-04T05:06:38Z", false},
		{"nightly", "9f86d081884c7d65", false},
		{"nightly", "-1", false},
	} {
		r := observation.Run{Started: started, Ended: started.Add(30 * time.Second), Target: &observation.Target{Coordinates: map[string]string{observation.AirflowRun: tc.run}}}
		assert.Equal(t, tc.want, Of(r, tc.load), "%s of %s", tc.load, tc.run)
	}
}
