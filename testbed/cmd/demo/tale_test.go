package main

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/otelcol-selfheal/otelcol-selfheal/testbed/collector"
)

// The tale of an incident says each thing once, in the order in which it came.
func TestTale(t *testing.T) {
	data, err := os.ReadFile("testdata/incident.json")
	if err != nil {
		t.Fatal(err)
	}
	var i collector.Incident
	if err := json.Unmarshal(data, &i); err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	told := tale{began: i.Started, print: func(format string, args ...any) { fmt.Fprintf(&out, format+"\n", args...) }}
	told.tell(&i)
	told.tell(&i)
	want, err := os.ReadFile("testdata/tale.txt")
	if err != nil {
		t.Fatal(err)
	}
	if out.String() != string(want) {
		t.Errorf("the tale is\n%s\nwant\n%s", out.String(), want)
	}
}

func TestThousands(t *testing.T) {
	for n, want := range map[int]string{0: "0", 999: "999", 1000: "1,000", 1234567: "1,234,567"} {
		if got := thousands(n); got != want {
			t.Errorf("%d is written %s, want %s", n, got, want)
		}
	}
}

func TestMissingToolIsNamed(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	if err := tools(); err == nil || !strings.HasPrefix(err.Error(), "missing: go ") {
		t.Errorf("without any tool it says %v", err)
	}
}
