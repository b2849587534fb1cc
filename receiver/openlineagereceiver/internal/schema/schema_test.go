package schema

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/otelcol-selfheal/otelcol-selfheal/receiver/openlineagereceiver/internal/event"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var noon = time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)

func at(minute int, job string, fields ...event.SchemaField) *event.Event {
	return &event.Event{
		UID: event.UID{byte(minute)}, Time: noon.Add(time.Duration(minute) * time.Minute),
		Job: &event.Job{Identifier: event.Identifier{Name: job}},
		Outputs: []event.Dataset{{
			Identifier: event.Identifier{Namespace: "ns", Name: "t"},
			Facets:     event.DatasetFacets{Schema: &event.Schema{Fields: fields}},
		}},
	}
}

func f(name, kind string, nested ...event.SchemaField) event.SchemaField {
	return event.SchemaField{Name: name, Type: kind, Fields: nested}
}

func TestWhatCountsAsAChange(t *testing.T) {
	t.Parallel()
	before := []event.SchemaField{f("id", "int4"), f("amount", "numeric"), f("who", "struct", f("mail", "text"))}
	for name, c := range map[string]struct {
		after                   []event.SchemaField
		added, dropped, retyped []string
	}{
		"nothing":           {after: before},
		"the order":         {after: []event.SchemaField{before[1], before[0], before[2]}},
		"the spelling":      {after: []event.SchemaField{f("id", "INT4"), before[1], before[2]}},
		"an untold type":    {after: []event.SchemaField{f("id", ""), before[1], before[2]}},
		"a new column":      {after: append([]event.SchemaField{f("day", "date")}, before...), added: []string{"day date"}},
		"a dropped column":  {after: before[1:], dropped: []string{"id"}},
		"another type":      {after: []event.SchemaField{f("id", "int8"), before[1], before[2]}, retyped: []string{"id: int4 -> int8"}},
		"a renamed column":  {after: []event.SchemaField{f("nr", "int4"), before[1], before[2]}, added: []string{"nr int4"}, dropped: []string{"id"}},
		"a nested column":   {after: []event.SchemaField{before[0], before[1], f("who", "struct", f("phone", "text"))}, added: []string{"who.phone text"}, dropped: []string{"who.mail"}},
		"no schema at all":  {},
		"all of them, anew": {after: []event.SchemaField{f("x", "y")}, added: []string{"x y"}, dropped: []string{"id", "amount", "who", "who.mail"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := NewMemory(10, time.Hour, func() time.Time { return noon })
			changes, _ := m.Observe(at(0, "job", before...))
			require.Empty(t, changes, "the first sight is no change")
			changes, _ = m.Observe(at(1, "job", c.after...))
			if len(c.added)+len(c.dropped)+len(c.retyped) == 0 {
				require.Empty(t, changes)
				return
			}
			require.Len(t, changes, 1)
			assert.Equal(t, c.added, changes[0].Added)
			assert.Equal(t, c.dropped, changes[0].Dropped)
			assert.Equal(t, c.retyped, changes[0].Retyped)
			again, _ := m.Observe(at(1, "job", c.after...))
			assert.Equal(t, changes, again, "the same event says the same again")
			later, _ := m.Observe(at(2, "job", c.after...))
			assert.Empty(t, later)
		})
	}
}

func TestAnOlderEventChangesNothing(t *testing.T) {
	t.Parallel()
	m := NewMemory(10, time.Hour, func() time.Time { return noon })
	m.Observe(at(5, "job", f("id", "int")))
	changes, _ := m.Observe(at(4, "job", f("nr", "int")))
	assert.Empty(t, changes)
}

func TestJobsAreKeptApart(t *testing.T) {
	t.Parallel()
	m := NewMemory(1, time.Hour, func() time.Time { return noon })
	m.Observe(at(0, "spark", f("id", "long")))
	changes, evicted := m.Observe(at(1, "dbt", f("id", "bigint")))
	assert.Empty(t, changes)
	assert.Equal(t, 1, evicted)
}
