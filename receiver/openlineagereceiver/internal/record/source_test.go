package record

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestEveryResourceHasAServiceName(t *testing.T) {
	t.Parallel()
	s := Source{Service: "lineage", Instance: "prod"}
	for platform, want := range map[string]map[string]any{
		"":      {"service.name": "lineage", "data.source.name": "openlineage"},
		"spark": {"service.name": "lineage", "data.source.name": "openlineage", "data.platform.kind": "spark", "data.platform.instance": "prod"},
	} {
		m := pcommon.NewMap()
		s.Describe(m, platform)
		assert.Equal(t, want, m.AsRaw())
	}
}
