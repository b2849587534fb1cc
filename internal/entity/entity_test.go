package entity

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func TestWhatStringWritesParseReads(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		ref := Ref{
			Kind:      rapid.SampledFrom([]Kind{Job, Dataset, Service, Platform}).Draw(t, "kind"),
			Namespace: rapid.StringN(0, 40, 200).Draw(t, "namespace"),
			Name:      rapid.StringN(1, 40, 200).Draw(t, "name"),
		}
		got, err := Parse(ref.String())
		if err != nil {
			t.Fatalf("Parse(%q): %v", ref.String(), err)
		}
		if got != ref {
			t.Fatalf("%q came back as %+v, was %+v", ref.String(), got, ref)
		}
	})
}

func TestTwoEntitiesNeverShareAForm(t *testing.T) {
	t.Parallel()
	a := Ref{Kind: Dataset, Namespace: "postgres://h:1/x", Name: "y"}
	b := Ref{Kind: Dataset, Namespace: "postgres:", Name: "/h:1/x/y"}
	c := Ref{Kind: Dataset, Namespace: "postgres:%2F%2Fh:1%2Fx", Name: "y"}
	assert.NotEqual(t, a.String(), b.String())
	assert.NotEqual(t, a.String(), c.String())
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"":              "want kind:namespace/name",
		"job":           "want kind:namespace/name",
		"job:default":   "want kind:namespace/name",
		"job:default/":  "has no name",
		"pizza:ns/name": `entity kind "pizza"`,
		"job:ns/" + strings.Repeat("n", MaxNameLength+1): "longer than",
	} {
		_, err := Parse(text)
		require.ErrorContains(t, err, want, "%.40q", text)
	}
	assert.True(t, Ref{}.IsZero())
	assert.Empty(t, Ref{}.String())
}
