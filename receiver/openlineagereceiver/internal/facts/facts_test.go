package facts

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestACheckPassesWhenAllItsResultsDo(t *testing.T) {
	t.Parallel()
	var c checks
	a, b := check{name: "a"}, check{name: "a", column: "x"}
	c.put(a, true)
	c.put(b, false)
	c.put(a, false)
	c.put(b, true)
	c.put(a, true)
	assert.Equal(t, []check{a, b}, c.order)
	assert.Equal(t, map[check]bool{a: false, b: false}, c.passed)
}

func TestOnlyKnownSeveritiesArePassedOn(t *testing.T) {
	t.Parallel()
	assert.Equal(t, "warn", severity("WARN"))
	assert.Equal(t, "error", severity("error"))
	assert.Empty(t, severity("whatever I like"))
}
