package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func classified(t *testing.T, args ...string) (code int, out, errOut string) {
	t.Helper()
	var o, e bytes.Buffer
	code = run(t.Context(), append([]string{"classify"}, args...), &o, &e)
	return code, o.String(), e.String()
}

func written(t *testing.T, text string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "in")
	require.NoError(t, os.WriteFile(file, []byte(text), 0o600))
	return file
}

func TestClassifyAText(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"Bash command failed. The command returned a non-zero exit code 137.":                                                                    "resource_exhaustion killed",
		"[2026-11-23] loading\nTraceback (most recent call last):\n  File \"/dags/a.py\", line 3, in f\nKeyError: 'timeout'\n":                   "deterministic_bug program_error",
		"java.lang.RuntimeException: load\n\tat a.B.c(B.java:1)\nCaused by: java.net.ConnectException: Connection refused\n\tat a.B.d(B.java:2)": "transient_failure connection",
		"panic: runtime error: index out of range [3] with length 3\n\ngoroutine 1 [running]:\nmain.main()\n\t/app/main.go:7 +0x1":               "deterministic_bug program_named_in_text",
		"the board did not agree": "unknown ",
	} {
		t.Run(want, func(t *testing.T) {
			t.Parallel()
			code, out, errOut := classified(t, "-o", "json", written(t, text))
			require.Zero(t, code, errOut)
			var v verdict
			require.NoError(t, json.Unmarshal([]byte(out), &v))
			assert.Equal(t, want, v.Class+" "+v.Rule)
			assert.Equal(t, v.Rule != "", v.Confidence > 0 && v.Why != "")
		})
	}
	_, out, _ := classified(t, written(t, "MemoryError"))
	assert.Regexp(t, `class +resource_exhaustion\nconfidence +0\.95\nrule +out_of_memory\nwhy `, out)
}

func TestClassifyLines(t *testing.T) {
	t.Parallel()
	code, out, errOut := classified(t, "--ndjson", written(t, strings.Join([]string{
		`{"id": 1.0, "text": "HTTP Error 503: Service Unavailable", "x": {"b":1,"a":2}}`,
		"",
		`no json`,
		`{"text": 7}`,
		`["text"]`,
		`{"text": "` + strings.Repeat("x", maxLine) + `"}`,
		`{"text": "x", "class": "mine"}`,
		`{"text": "the board did not agree"}`,
	}, "\n")))
	assert.Equal(t, exitFailed, code)
	// Byte for byte: what was there stays as it was written.
	assert.Equal(t, []string{`{"id": 1.0, "text": "HTTP Error 503: Service Unavailable", "x": {"b":1,"a":2},"class":"transient_failure","confidence":0.9,"rule":"http_unavailable"}`,
		`{"text": "the board did not agree","class":"unknown","confidence":0,"rule":""}`,
	}, strings.Split(strings.TrimSpace(out), "\n"))
	assert.Equal(t, `line 3: is no JSON object
line 4: has no field "text" that is a string
line 5: is no JSON object
line 6: is longer than 1 MiB
line 7: has a field "class" already
selfheal: 5 lines could not be read
`, errOut)

	code, _, errOut = classified(t, "--ndjson", written(t, `{"text":"x"}`+"\n"))
	assert.Zero(t, code, errOut)
}

func TestClassifyWithFurtherRules(t *testing.T) {
	t.Parallel()
	rules := written(t, "rules:\n  - {name: board, class: upstream_delay, confidence: 0.7, priority: 99, when: 'error.message contains \"board\"', why: the board}\n")
	_, out, _ := classified(t, "--rules", rules, "-o", "json", written(t, "the board did not agree"))
	assert.JSONEq(t, `{"class":"upstream_delay","confidence":0.7,"rule":"board","why":"the board"}`, out)
}

func TestWhatCannotBeClassified(t *testing.T) {
	t.Parallel()
	for want, args := range map[string][]string{
		"no such file":    {filepath.Join(t.TempDir(), "none")},
		"no text":         {written(t, " \n")},
		"longer than 1 M": {written(t, strings.Repeat("x", maxText+1))},
		"rules of":        {"--rules", written(t, "rulez: []"), written(t, "x")},
		"want one file":   {"a", "b"},
	} {
		t.Run(want, func(t *testing.T) {
			t.Parallel()
			code, out, errOut := classified(t, args...)
			assert.NotZero(t, code)
			assert.Empty(t, out)
			assert.Contains(t, errOut, want)
		})
	}
}
