package event

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var roomy = Limits{Depth: 64, StringBytes: 1 << 20, Keys: 5000, Values: 200_000, Datasets: 1000}

func seeds(f *testing.F) {
	f.Helper()
	files, err := filepath.Glob(filepath.Join("testdata", "seeds", "*.json"))
	require.NoError(f, err)
	require.NotEmpty(f, files)
	for _, file := range files {
		b, err := os.ReadFile(file)
		require.NoError(f, err)
		f.Add(b)
	}
}

// FuzzRead: what is read is what encoding/json reads, twice over, and its
// identity does not hang on the form of the text.
//
//	go test -fuzz FuzzRead -fuzztime 60s ./receiver/openlineagereceiver/internal/event
func FuzzRead(f *testing.F) {
	seeds(f)
	f.Fuzz(func(t *testing.T, data []byte) {
		v := pcommon.NewValueEmpty()
		err := parse(data, roomy, v)
		if err != nil {
			var field *FieldError
			require.ErrorAs(t, err, &field)
			require.NotEmpty(t, field.Reason)
			require.Less(t, len(field.Field), maxPathSteps*(maxPathKey+8))
			return
		}
		require.True(t, json.Valid(data), "we took what is no JSON")
		if _, err := Read(data, roomy); err != nil {
			return
		}
		raw, err := json.Marshal(v.AsRaw())
		require.NoError(t, err)
		again := pcommon.NewValueEmpty()
		require.NoError(t, parse(raw, roomy, again))
		require.Equal(t, uid(v), uid(again))
	})
}

// FuzzSplit: an array's parts, put together, are the array.
//
//	go test -fuzz FuzzSplit -fuzztime 60s ./receiver/openlineagereceiver/internal/event
func FuzzSplit(f *testing.F) {
	seeds(f)
	f.Add([]byte(`[{"a":"]\\\",["}, [1,2] ,3]`))
	f.Fuzz(func(t *testing.T, data []byte) {
		parts, err := Split(data, 100)
		var want []json.RawMessage
		valid := json.Unmarshal(data, &want) == nil && len(data) > 0 && want != nil
		if err != nil {
			require.False(t, valid && len(want) <= 100, "refused an array: %v", err)
			return
		}
		require.LessOrEqual(t, len(parts), 100)
		if !valid {
			return // each part is read on its own
		}
		require.Len(t, parts, len(want))
		for i := range parts {
			// As text: a number may be greater than a float64 holds.
			require.Equal(t, compact(t, want[i]), compact(t, parts[i]))
		}
	})
}

func compact(t *testing.T, raw []byte) string {
	t.Helper()
	var b bytes.Buffer
	require.NoError(t, json.Compact(&b, raw))
	return b.String()
}

func TestIdentity(t *testing.T) {
	t.Parallel()
	read := func(s string) UID {
		v := pcommon.NewValueEmpty()
		require.NoError(t, parse([]byte(s), roomy, v))
		return uid(v)
	}
	base := read(`{"a":1,"b":["x",null],"c":{"d":true}}`)
	assert.Equal(t, base, read(`{"c" : {"d":true}, "b":["\u0078",null],"a":1}`))
	assert.Equal(t, base, read(`{"a":1.0,"b":["x",null],"c":{"d":true}}`))
	for _, other := range []string{
		`{"a":1.5,"b":["x",null],"c":{"d":true}}`,
		`{"a":"1","b":["x",null],"c":{"d":true}}`,
		`{"a":1,"b":[null,"x"],"c":{"d":true}}`,
		`{"a":1,"b":["x",null],"c":{"d":false}}`,
		`{"a":1,"b":["x"],"c":{"d":true}}`,
		`{"a":1,"b":["x",null],"c":{},"d":true}`,
	} {
		assert.NotEqual(t, base, read(other), other)
	}
	assert.NotEqual(t, base.Derive("a"), base.Derive("b"))
}

func TestTextIsReadAsJSONSaysIt(t *testing.T) {
	t.Parallel()
	for _, s := range []string{
		`"a\"\\\/\b\f\n\r\t\u00e4\ud83d\ude00"`, `"\ud83d"`, `"\ud83dx"`, `"\ud83d\u0041"`, `"ä😀"`, "\"\xff\"", `"\u0000"`,
		`0`, `-0`, `1.5e3`, `9223372036854775807`, `-9223372036854775808`, `9223372036854775808`, `[]`, `{}`, `[1,[2,{"a":null}]]`, ` true `, `false`, `null`,
	} {
		text := []byte(`{"v":` + s + `}`)
		v := pcommon.NewValueEmpty()
		require.NoError(t, parse(text, roomy, v), s)
		var want any
		require.NoError(t, json.Unmarshal(text, &want))
		got, err := json.Marshal(v.AsRaw())
		require.NoError(t, err)
		back, err := json.Marshal(want)
		require.NoError(t, err)
		assert.JSONEq(t, string(back), string(got), s)
	}
	for _, s := range []string{`01`, `+1`, `.5`, `1.`, `1e`, `-`, `tru`, `nul`, `'a'`, `"\x"`, `"\u12"`, `"\u+123"`, "\"\n\"", `[1,]`, `{"a":1,}`, `{"a"}`, `{a:1}`, `[1 2]`, `NaN`, ``} {
		require.Error(t, parse([]byte(`{"v":`+s+`}`), roomy, pcommon.NewValueEmpty()), s)
		require.False(t, json.Valid([]byte(`{"v":`+s+`}`)), s)
	}
}

func TestOfEqualKeysTheLastHolds(t *testing.T) {
	t.Parallel()
	v := pcommon.NewValueEmpty()
	require.NoError(t, parse([]byte(`{"a":1,"a":{"b":2}}`), roomy, v))
	assert.Equal(t, map[string]any{"a": map[string]any{"b": int64(2)}}, v.AsRaw())
}

// TestEveryFacetHasAPlace ties the structs to the names of core schema 2-0-2.
func TestEveryFacetHasAPlace(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		of    reflect.Type
		names []string
	}{
		{reflect.TypeFor[RunFacets](), []string{"environmentVariables", "errorMessage", "executionParameters", "externalQuery", "extractionError", "jobDependencies", "nominalTime", "parent", "processing_engine", "tags", "test"}},
		{reflect.TypeFor[JobFacets](), []string{"documentation", "jobType", "lineage", "ownership", "sql", "sourceCode", "sourceCodeLocation", "tags"}},
		{reflect.TypeFor[DatasetFacets](), []string{"catalog", "columnLineage", "dataQualityMetrics", "dataQualityAssertions", "dataSource", "datasetType", "documentation", "hierarchy", "lifecycleStateChange", "lineage", "ownership", "schema", "storage", "symlinks", "tags", "version"}},
		{reflect.TypeFor[InputFacets](), []string{"dataQualityAssertions", "dataQualityMetrics", "inputStatistics", "subset"}},
		{reflect.TypeFor[OutputFacets](), []string{"outputStatistics", "subset"}},
	} {
		s := shapeOf(c.of)
		assert.True(t, s.facets, c.of)
		for _, name := range c.names {
			assert.Contains(t, s.fields, name, c.of)
		}
	}
}
