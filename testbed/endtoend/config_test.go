package endtoend

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// What cannot work keeps the collector from starting, and the error names the key.
func TestWrongConfigNamesTheKey(t *testing.T) {
	t.Parallel()
	const airflow = "  airflow:\n    endpoint: http://127.0.0.1:1\n    token: t\n"
	const remediation = "  remediation:\n    airflow: {default: {endpoint: \"http://127.0.0.1:1\", token: t}}\n"
	for name, tc := range map[string]struct {
		options
		edit func(string) string
		want []string
	}{
		"airflow receiver":       {options: options{receivers: airflow + "    page_size: 0\n", metrics: ", airflow"}, want: []string{"receivers::airflow", "page_size"}},
		"data quality receiver":  {options: options{receivers: "  dataquality:\n    databases: {w: {driver: oracle, datasource: x, tables: [{name: t}]}}\n", metrics: ", dataquality"}, want: []string{"receivers::dataquality", "databases::w", "driver"}},
		"openlineage receiver":   {edit: replace("  openlineage:\n", "  openlineage:\n    limits: {depth: 0}\n"), want: []string{"receivers::openlineage", "limits::depth"}},
		"anomaly processor":      {edit: replace("connectors:\n", "processors: {anomaly_detection: {alarm_budget: many}}\nconnectors:\n"), want: []string{"anomaly_detection", "alarm_budget"}},
		"classification":         {edit: replace("  classification:\n", "  classification: {max_backlog: -1}\n"), want: []string{"connectors::classification", "max_backlog"}},
		"remediation exporter":   {options: options{exporters: remediation + "    act: [{action: \"airflow.*\"}]\n", incidents: ", remediation"}, want: []string{"exporters::remediation", "act[0]", "scope"}},
		"reliability extension":  {options: options{reliable: "    limits: {evidence: 1}\n"}, want: []string{"extensions::reliability", "limits::evidence"}},
		"a bad policy":           {options: options{reliable: "    policies: [{name: mine, effect: allow, when: \"nme == 1\"}]\n"}, want: []string{"extensions::reliability", "policies", "mine", "nme"}},
		"a bad rule":             {edit: replace("  classification:\n", "  classification: {rules: [{name: mine, class: transient_failure, confidence: 0.9, priority: 1, when: \"errr == 1\", why: w}]}\n"), want: []string{"connectors::classification", "rules", "mine", "errr"}},
		"a bad lineage name":     {options: options{reliable: "    lineage: [{job: {namespace: n}}]\n"}, want: []string{"lineage[0]::job"}},
		"an unknown key":         {options: options{reliable: "    setle: 1s\n"}, want: []string{"extensions", "setle"}},
		"no extension":           {edit: replace("extensions: [reliability]", "extensions: []"), want: []string{"classification", "reliability"}},
		"another extension's ID": {edit: replace("  classification:\n", "  classification: {reliability: reliability/other}\n"), want: []string{"classification", "reliability/other"}},
		"no place for the state": {options: options{state: "/proc/selfheal"}, want: []string{"reliability", "directory", "/proc/selfheal"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSetup(t, tc.options)
			config := s.text
			if tc.edit != nil {
				config = tc.edit(config)
				if config == s.text {
					t.Fatal("the edit changes nothing")
				}
			}
			refused(t, written(t, config), tc.want...)
		})
	}
}

func replace(from, to string) func(string) string {
	return func(s string) string { return strings.Replace(s, from, to, 1) }
}

func refused(t *testing.T, config string, want ...string) {
	t.Helper()
	code, out := run(t, full(t), nil, "--config", config)
	if code == 0 {
		t.Errorf("it ends with exit code 0")
	}
	for _, w := range want {
		if !strings.Contains(out, w) {
			t.Errorf("it does not name %q:\n%s", w, out)
		}
	}
}

func TestAStateFolderServesOneCollector(t *testing.T) {
	t.Parallel()
	first := start(t, options{})
	second := newSetup(t, options{state: first.State})
	refused(t, filepath.Join(second.folder, "collector.yaml"), "directory", first.State, "use")
	if _, err := first.Incidents(within(t, 5*time.Second)); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(filepath.Join(first.State, "state.db")); err != nil {
		t.Error(err)
	}
}
