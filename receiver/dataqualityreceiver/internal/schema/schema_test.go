package schema

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestCompareNamesWhatChanged(t *testing.T) {
	t.Parallel()
	before := []Column{{"id", "bigint"}, {"amount", "numeric(10,2)"}, {"note", ""}}
	for name, tc := range map[string]struct {
		now  []Column
		want Change
	}{
		"nothing":          {before, Change{}},
		"order alone":      {[]Column{before[2], before[0], before[1]}, Change{}},
		"added":            {append([]Column{{"at", "date"}}, before...), Change{Added: []string{"at date"}}},
		"added untyped":    {append([]Column{{"x", ""}}, before...), Change{Added: []string{"x"}}},
		"dropped":          {before[1:], Change{Dropped: []string{"id"}}},
		"retyped":          {[]Column{{"id", "text"}, before[1], before[2]}, Change{Retyped: []string{"id: bigint -> text"}}},
		"all at once":      {[]Column{{"id", "text"}, {"total", "money"}}, Change{Added: []string{"total money"}, Dropped: []string{"amount", "note"}, Retyped: []string{"id: bigint -> text"}}},
		"case is a change": {[]Column{{"ID", "bigint"}, before[1], before[2]}, Change{Added: []string{"ID bigint"}, Dropped: []string{"id"}}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := Compare(before, tc.now)
			assert.Equal(t, tc.want, got)
			assert.Equal(t, tc.want.Added == nil && tc.want.Dropped == nil && tc.want.Retyped == nil, got.IsZero())
		})
	}
}

func TestHashKnowsOrderAndBoundaries(t *testing.T) {
	t.Parallel()
	a, b := Column{"a", "text"}, Column{"b", "int"}
	assert.Equal(t, "456b", Hash([]Column{a, b})[:4], "the same in every process")
	assert.NotEqual(t, Hash([]Column{a, b}), Hash([]Column{b, a}))
	assert.NotEqual(t, Hash([]Column{{"ab", "c"}}), Hash([]Column{{"a", "bc"}}))
	assert.NotEqual(t, Hash(nil), Hash([]Column{{"", ""}}))
	assert.Len(t, Hash(nil), 64)
}
