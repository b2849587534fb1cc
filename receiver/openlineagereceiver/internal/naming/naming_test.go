package naming

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"go.uber.org/goleak"

	"github.com/otelcol-selfheal/otelcol-selfheal/receiver/openlineagereceiver/internal/event"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestNamespacesLoseTheirUsers(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"default":                        "default",
		"":                               "",
		"postgres://h:5432":              "postgres://h:5432",
		"postgres://me:pw@h:5432":        "postgres://h:5432",
		"postgres://me:p@w@h:5432/x@y":   "postgres://h:5432/x@y",
		"s3://bucket":                    "s3://bucket",
		"abfss://files@account.dfs/path": "abfss://files@account.dfs/path",
		"team@corp":                      "team@corp",
	} {
		assert.Equal(t, want, Namespace(in))
	}
	assert.Equal(t, "h", Dataset(&event.Dataset{Identifier: event.Identifier{Name: "h"}}).Name)
	assert.Equal(t, "s://h", Job(&event.Job{Identifier: event.Identifier{Namespace: "s://u@h", Name: "j"}}).Namespace)
}
