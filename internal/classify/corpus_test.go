package classify_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"gopkg.in/yaml.v3"

	"github.com/otelcol-selfheal/otelcol-selfheal/internal/classify"
	"github.com/otelcol-selfheal/otelcol-selfheal/internal/incident"
	"github.com/otelcol-selfheal/otelcol-selfheal/internal/observation"
)

type sample struct {
	Class   string `yaml:"class"`
	Type    string `yaml:"type"`
	Message string `yaml:"message"`
	Stack   string `yaml:"stack"`
}

func corpus(t testing.TB, file string) []sample {
	raw, err := os.ReadFile(filepath.Join("testdata", file))
	require.NoError(t, err)
	var all []sample
	require.NoError(t, yaml.Unmarshal(raw, &all))
	return all
}

func class(s *classify.Set, c sample) (string, string) {
	h := s.Classify(&observation.Observation{
		Kind: observation.RunState, Polarity: observation.Problem,
		Error: &observation.Error{Type: c.Type, Message: c.Message, Stacktrace: c.Stack},
	}, nil)
	if h == nil {
		return string(incident.Unknown), ""
	}
	return h.Class, h.Rule
}

// macroF1 is the mean of the classes' F1, so that rare classes count as much as
// frequent ones. Every confusion is logged.
func macroF1(t *testing.T, s *classify.Set, all []sample) float64 {
	type count struct{ hit, miss, wrong float64 }
	counts := map[string]*count{}
	for _, c := range incident.Classes() {
		counts[string(c)] = &count{}
	}
	for _, c := range all {
		require.Contains(t, counts, c.Class)
		got, rule := class(s, c)
		if got == c.Class {
			counts[got].hit++
			continue
		}
		counts[c.Class].miss++
		counts[got].wrong++
		t.Logf("%s %q: %s by %q, is %s", c.Type, fmt.Sprintf("%.90s", c.Message), got, rule, c.Class)
	}
	sum := 0.0
	for _, c := range counts {
		if c.hit > 0 {
			sum += 2 * c.hit / (2*c.hit + c.miss + c.wrong)
		}
	}
	return sum / float64(len(counts))
}

// What was measured when the rules saw a round for the first time, as macro-F1: 0.945,
// 0.735, 0.652, 0.794, 0.773, 0.894 and 0.832 in the seven of provoked.yaml, after each of
// which the rules were widened, and 0.919 in measured.yaml, for which they were not. Two
// labels of provoked.yaml were put right afterwards: an answer that is no JSON is unknown,
// and a panic of Go is a bug.
func TestCorpus(t *testing.T) {
	t.Parallel()
	s, err := classify.Compile(classify.Default())
	require.NoError(t, err)
	for file, least := range map[string]float64{"developed.yaml": 0.98, "held_out.yaml": 0.9, "provoked.yaml": 0.97, "measured.yaml": 0.9} {
		t.Run(file, func(t *testing.T) {
			t.Parallel()
			all := corpus(t, file)
			f1 := macroF1(t, s, all)
			t.Logf("macro-F1 of %d: %.3f", len(all), f1)
			assert.GreaterOrEqual(t, f1, least)
		})
	}
}
