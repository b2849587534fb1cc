package spans

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// Collectors of different versions must agree: these values never change.
func TestIDsAreThoseOfEveryCollector(t *testing.T) {
	t.Parallel()
	const run = "11111111-1111-4111-8111-111111111111"
	assert.Equal(t, "af68b8584d389134acdc5e955e931fb7", TraceID(run).String())
	assert.Equal(t, "4fdb2ed314442f03", SpanID(run).String())
}
