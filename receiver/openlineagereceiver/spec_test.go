package openlineagereceiver

import (
	"encoding/json"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// data is a copy of OpenLineage's specification and example events, in the
// folder that SELFHEAL_DATA names; small cases of our own stand in its place.
func data() string {
	if dir := os.Getenv("SELFHEAL_DATA"); dir != "" {
		return filepath.Join(dir, "openlineage")
	}
	return filepath.Join("testdata", "openlineage")
}

func jsonFiles(t *testing.T, dir string) map[string][]byte {
	t.Helper()
	files := map[string][]byte{}
	require.NoError(t, filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() && filepath.Ext(path) == ".json" {
			files[strings.TrimPrefix(path, dir)] = readAll(t, path)
		}
		return err
	}))
	require.NotEmpty(t, files, "no JSON files below %s", dir)
	return files
}

func TestEveryExampleEventIsAccepted(t *testing.T) {
	t.Parallel()
	for name, body := range jsonFiles(t, filepath.Join(data(), "events")) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHarness(t)
			w := h.post(pathSingle, body)
			require.Equal(t, http.StatusOK, w.Code, w.Body.String())
			require.NotEmpty(t, h.records())
			var sent object
			require.NoError(t, json.Unmarshal(body, &sent))
			assertSameKeys(t, sent, h.records()[0].Body().Map().AsRaw(), "")
			w = h.post(pathBatch, []byte("["+string(body)+"]"))
			require.Equal(t, http.StatusNoContent, w.Code, w.Body.String())
		})
	}
}

// assertSameKeys finds what got lost on the way into the body.
func assertSameKeys(t *testing.T, want, got any, path string) {
	t.Helper()
	switch w := want.(type) {
	case object:
		g, ok := got.(object)
		require.True(t, ok, path)
		require.Len(t, g, len(w), path)
		for k, v := range w {
			require.Contains(t, g, k, path)
			assertSameKeys(t, v, g[k], path+"."+k)
		}
	case []any:
		g, ok := got.([]any)
		require.True(t, ok, path)
		require.Len(t, g, len(w), path)
		for i := range w {
			assertSameKeys(t, w[i], g[i], path)
		}
	}
}

func TestEveryFacetExampleIsAccepted(t *testing.T) {
	t.Parallel()
	for name, body := range jsonFiles(t, filepath.Join(data(), "spec", "tests")) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var facets object
			require.NoError(t, json.Unmarshal(body, &facets))
			if _, whole := facets["eventTime"]; whole {
				h := newHarness(t)
				h.send(facets)
				return
			}
			for _, place := range places(filepath.Base(filepath.Dir(name))) {
				h := newHarness(t)
				h.send(runEvent("COMPLETE", runA, 0, with("inputs", []any{table("in")}), with("outputs", []any{table("out")}), place(facets)))
				for key := range facets {
					assert.Contains(t, h.records()[0].Body().AsString(), `"`+key+`"`)
				}
			}
		})
	}
}

// places says where the facets of a schema stand, by the schema's name.
func places(schema string) []func(object) func(object) {
	run := func(f object) func(object) { return with("run", "facets", f) }
	job := func(f object) func(object) { return with("job", "facets", f) }
	input := func(f object) func(object) { return with("inputs", []any{table("in", "inputFacets", f)}) }
	output := func(f object) func(object) { return with("outputs", []any{table("out", "outputFacets", f)}) }
	dataset := func(f object) func(object) { return with("inputs", []any{table("in", "facets", f)}) }
	switch {
	case schema == "LineageFacet":
		return []func(object) func(object){job, dataset}
	case schema == "BaseSubsetDatasetFacet":
		return []func(object) func(object){input, output}
	case schema == "DataQualityAssertionsDatasetFacet":
		return []func(object) func(object){input, dataset}
	case strings.HasSuffix(schema, "InputDatasetFacet"):
		return []func(object) func(object){input}
	case strings.HasSuffix(schema, "OutputDatasetFacet"):
		return []func(object) func(object){output}
	case strings.HasSuffix(schema, "RunFacet"):
		return []func(object) func(object){run}
	case strings.HasSuffix(schema, "JobFacet"):
		return []func(object) func(object){job}
	default:
		return []func(object) func(object){dataset}
	}
}
