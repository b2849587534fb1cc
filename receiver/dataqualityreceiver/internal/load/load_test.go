package load

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// follow polls with the row counts of one load, -1 for a poll that does not see
// it, and gives what each poll stated, -1 for nothing.
func follow(t *testing.T, polls []int64) []int64 {
	t.Helper()
	var ledger Ledger
	got := make([]int64, 0, len(polls))
	for _, rows := range polls {
		current := []Count{{ID: "other", Rows: 7}}
		if rows >= 0 {
			current = append(current, Count{ID: "a", Rows: rows})
		}
		var stated []Count
		ledger, stated, _ = ledger.Observe(current, 8)
		said := int64(-1)
		for _, c := range stated {
			if c.ID == "a" {
				said = c.Rows
			}
		}
		got = append(got, said)
	}
	return got
}

func TestObserveStates(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct{ polls, want []int64 }{
		"a complete load once":                   {[]int64{10, 10, 10, 10}, []int64{-1, 10, -1, -1}},
		"nothing while it grows":                 {[]int64{1, 5, 9, 9, 9}, []int64{-1, -1, -1, 9, -1}},
		"a changed load on three polls":          {[]int64{1, 1, 9, 9, 9, 9, 9}, []int64{-1, 1, -1, 9, 9, 9, -1}},
		"a rerun only when it has settled":       {[]int64{10, 10, -1, 3, 8, 10, 10, 10}, []int64{-1, 10, -1, -1, -1, -1, -1, -1}},
		"a rerun that brings another count":      {[]int64{1, 1, -1, 3, 10, 10, 10, 10, 10}, []int64{-1, 1, -1, -1, -1, 10, 10, 10, -1}},
		"a change while it is being stated anew": {[]int64{1, 1, 9, 9, 8, 8, 8, 8, 8}, []int64{-1, 1, -1, 9, -1, 8, 8, 8, -1}},
		"nothing for a load that is gone":        {[]int64{5, 5, -1, -1, -1}, []int64{-1, 5, -1, -1, -1}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			assert.Equal(t, tc.want, follow(t, tc.polls))
		})
	}
}

func TestLedgerSurvivesARestart(t *testing.T) {
	t.Parallel()
	var before Ledger
	for range 3 {
		before, _, _ = before.Observe([]Count{{"a", 5}}, 8)
	}
	text, err := json.Marshal(before)
	require.NoError(t, err)
	var after Ledger
	require.NoError(t, json.Unmarshal(text, &after))
	for range 3 {
		var stated []Count
		after, stated, _ = after.Observe([]Count{{"a", 5}}, 8)
		assert.Empty(t, stated, "a load that was stated is not new after a restart")
	}
}

func TestObserveTellsOfLoadsThatNoPollSaw(t *testing.T) {
	t.Parallel()
	ledger, _, overrun := Ledger(nil).Observe([]Count{{"a", 1}, {"b", 1}}, 2)
	assert.False(t, overrun, "the first poll knows of none before")
	ledger, _, overrun = ledger.Observe([]Count{{"b", 1}, {"c", 1}}, 2)
	assert.False(t, overrun)
	_, _, overrun = ledger.Observe([]Count{{"e", 1}, {"f", 1}}, 2)
	assert.True(t, overrun, "d may have come between")
}

// Whatever the polls see, the ledger stays bounded, a count is stated only when
// two polls in a row saw it, and the ledger that was observed is not changed.
func TestObserveHolds(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		const window = 3
		var ledger Ledger
		last := map[string]int64{}
		for range rapid.IntRange(1, 30).Draw(rt, "polls") {
			var current []Count
			for _, id := range rapid.SliceOfNDistinct(rapid.StringMatching(`[a-p]`), 0, window, rapid.ID[string]).Draw(rt, "ids") {
				current = append(current, Count{id, rapid.Int64Range(0, 3).Draw(rt, "rows")})
			}
			copied, err := json.Marshal(ledger)
			if err != nil {
				rt.Fatal(err)
			}
			next, stated, _ := ledger.Observe(current, window)
			if after, _ := json.Marshal(ledger); string(after) != string(copied) {
				rt.Fatalf("ledger changed from %s to %s", copied, after)
			}
			for _, c := range stated {
				if rows, ok := last[c.ID]; !ok || rows != c.Rows {
					rt.Fatalf("stated %v, last seen %v", c, last)
				}
			}
			for _, c := range current {
				last[c.ID] = c.Rows
			}
			if len(next) > windows*window {
				rt.Fatalf("%d loads remembered", len(next))
			}
			ledger = next
		}
	})
}
