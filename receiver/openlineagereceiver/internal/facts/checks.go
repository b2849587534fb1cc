package facts

import (
	"strings"

	"github.com/otelcol-selfheal/otelcol-selfheal/receiver/openlineagereceiver/internal/event"
	"github.com/otelcol-selfheal/otelcol-selfheal/receiver/openlineagereceiver/internal/metadata"
)

// checks are results of data-quality checks. Several results of one check are
// one: it passed if all did.
type checks struct {
	order  []check
	passed map[check]bool
}

type check struct{ name, column, severity string }

func (c *checks) put(k check, passed bool) {
	if c.passed == nil {
		c.passed = map[check]bool{}
	}
	before, known := c.passed[k]
	if !known {
		c.order = append(c.order, k)
	}
	c.passed[k] = passed && (before || !known)
}

func (c *checks) add(f *event.Assertions) {
	if f == nil || f.Deleted {
		return
	}
	for i := range f.Assertions {
		a := &f.Assertions[i]
		name := a.Name
		if name == "" {
			name = a.Assertion
		}
		c.put(check{clip(name), clip(a.Column), severity(a.Severity)}, a.Success)
	}
}

// addTests leaves out tests that were skipped: they neither passed nor failed.
func (c *checks) addTests(f *event.Test) {
	if f == nil || f.Deleted {
		return
	}
	for i := range f.Tests {
		t := &f.Tests[i]
		switch status := strings.ToLower(t.Status); status {
		case "pass", "fail":
			c.put(check{name: clip(t.Name), severity: severity(t.Severity)}, status == "pass")
		}
	}
}

// severity passes on the two values that the specification knows.
func severity(s string) string {
	switch s = strings.ToLower(s); s {
	case "error", "warn":
		return s
	}
	return ""
}

func (b *batch) checks(c *checks) {
	for _, k := range c.order {
		var options []metadata.MetricAttributeOption
		if k.column != "" {
			options = append(options, metadata.WithCheckColumnMetricAttribute(k.column))
		}
		if k.severity != "" {
			options = append(options, metadata.WithSeverityMetricAttribute(k.severity))
		}
		value := int64(0)
		if c.passed[k] {
			value = 1
		}
		b.mb.RecordDataQualityAssertionSuccessDataPoint(b.at, value, k.name, options...)
	}
}

// maxLabel bounds a point's attribute, in bytes.
const maxLabel = 256

func clip(s string) string {
	if len(s) > maxLabel {
		return strings.ToValidUTF8(s[:maxLabel], "")
	}
	return s
}
