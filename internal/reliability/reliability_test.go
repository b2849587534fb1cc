package reliability

import (
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"
)

type host map[component.ID]component.Component

func (h host) GetExtensions() map[component.ID]component.Component { return h }

type other struct{ component.Component }

func TestFindSaysWhatIsConfiguredWrongly(t *testing.T) {
	t.Parallel()
	id := component.MustNewIDWithName("reliability", "prod")

	_, err := Find(host{}, id)
	require.ErrorContains(t, err, `extension "reliability/prod" is not in service::extensions`)

	_, err = Find(host{id: other{}}, id)
	require.ErrorContains(t, err, `extension "reliability/prod" is not a reliability extension`)
}

type extension struct{ Extension }

func TestFindGoesByID(t *testing.T) {
	t.Parallel()
	a, b := component.MustNewID("reliability"), component.MustNewIDWithName("reliability", "b")
	want := extension{}
	got, err := Find(host{a: other{}, b: want}, b)
	require.NoError(t, err)
	require.Equal(t, want, got)
}
