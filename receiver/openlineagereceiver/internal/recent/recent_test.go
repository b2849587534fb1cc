package recent

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"go.uber.org/goleak"
	"pgregory.net/rapid"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var noon = time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)

func TestTheOneThatWasPutLongestAgoGivesWay(t *testing.T) {
	t.Parallel()
	m := New[string, int](2, time.Hour)
	m.Put("a", 1, noon)
	m.Put("b", 2, noon)
	m.Put("a", 3, noon)
	evicted, full := m.Put("c", 4, noon)
	assert.True(t, full)
	assert.Equal(t, 2, evicted)
	got, ok := m.Get("a", noon)
	assert.True(t, ok)
	assert.Equal(t, 3, got)
	_, ok = m.Get("b", noon)
	assert.False(t, ok)
}

func TestWhatIsTooOldIsForgotten(t *testing.T) {
	t.Parallel()
	m := New[string, int](2, time.Hour)
	m.Put("a", 1, noon)
	_, ok := m.Get("a", noon.Add(time.Hour-1))
	assert.True(t, ok)
	_, ok = m.Get("a", noon.Add(time.Hour))
	assert.False(t, ok)
}

func TestItNeverHoldsMoreThanItsBound(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		limit := rapid.IntRange(1, 8).Draw(t, "limit")
		m := New[int, int](limit, time.Hour)
		var order []int // model: keys by the time they were put
		for range rapid.IntRange(0, 60).Draw(t, "steps") {
			key := rapid.IntRange(0, 12).Draw(t, "key")
			kept := order[:0:0]
			for _, k := range order {
				if k != key {
					kept = append(kept, k)
				}
			}
			order = kept
			if rapid.Bool().Draw(t, "delete") {
				m.Delete(key)
			} else {
				m.Put(key, key, noon)
				if order = append(order, key); len(order) > limit {
					order = order[1:]
				}
			}
			var got []int
			m.Oldest(func(k, _ int, _ time.Time) bool { got = append(got, k); return true })
			assert.ElementsMatch(t, order, got)
			assert.Equal(t, len(order), m.Len())
		}
	})
}
