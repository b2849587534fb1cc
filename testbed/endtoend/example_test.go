package endtoend

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// dummies are the environment that the examples ask for.
var dummies = []string{
	"AIRFLOW_URL=http://127.0.0.1:1", "AIRFLOW_USERNAME=u", "AIRFLOW_PASSWORD=p",
	"WAREHOUSE_DSN=postgres://u@127.0.0.1:1/d",
}

// needs is what an example wants to be merged with.
var needs = map[string]string{
	"observe.yaml": "receivers: {airflow: {endpoint: \"http://127.0.0.1:1\", username: u, password: p}}\n",
}

func TestExamplesAreAccepted(t *testing.T) {
	t.Parallel()
	var found []string
	must(t, filepath.WalkDir(filepath.Join(root, "examples"), func(path string, d os.DirEntry, err error) error {
		if err == nil && !d.IsDir() && filepath.Ext(path) == ".yaml" {
			path, err = filepath.Abs(path)
			found = append(found, path)
		}
		return err
	}))
	if len(found) < 2 {
		t.Fatalf("only %d examples", len(found))
	}
	for _, path := range found {
		for _, binary := range []string{full(t), program(t, "SELFHEAL_COLLECTOR_SLIM", "otelcol-selfheal-slim")} {
			t.Run(filepath.Base(path)+" "+filepath.Base(binary), func(t *testing.T) {
				t.Parallel()
				args := []string{"validate", "--config", path}
				if more := needs[filepath.Base(path)]; more != "" {
					args = append(args, "--config", written(t, more))
				}
				if code, out := run(t, binary, dummies, args...); code != 0 {
					t.Errorf("exit code %d:\n%s", code, out)
				}
			})
		}
	}
}

func written(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "more.yaml")
	must(t, os.WriteFile(path, []byte(text), 0o600))
	return path
}

// The five lines that README, the demo and the example itself tell people to
// write are the same, and work as they stand.
func TestFiveLinesForYourOwnAirflow(t *testing.T) {
	t.Parallel()
	texts := map[string]string{}
	for file, pattern := range map[string]string{
		"README.md":                  "(?s)```yaml\n(receivers:\n  airflow:\n.*?)```",
		"testbed/cmd/demo/result.go": "(?s)const yours = `(.*?)`",
		"examples/observe.yaml":      "(?s)# mine.yaml:\n(.*?)#\n",
	} {
		raw, err := os.ReadFile(filepath.Join(root, file))
		must(t, err)
		match := regexp.MustCompile(pattern).FindSubmatch(raw)
		if match == nil {
			t.Fatalf("%s does not tell the lines", file)
		}
		texts[file] = regexp.MustCompile(`(?m)^#   `).ReplaceAllString(string(match[1]), "")
	}
	want := texts["README.md"]
	if n := strings.Count(want, "\n"); n != 5 {
		t.Errorf("%d lines, not five:\n%s", n, want)
	}
	example, err := filepath.Abs(filepath.Join(root, "examples", "observe.yaml"))
	must(t, err)
	for file, text := range texts {
		if text != want {
			t.Errorf("%s tells something else:\n%s", file, text)
		}
		if code, out := run(t, full(t), dummies, "validate", "--config", example, "--config", written(t, text)); code != 0 {
			t.Errorf("%s: exit code %d:\n%s", file, code, out)
		}
	}
}
