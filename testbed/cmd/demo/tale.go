package main

import (
	"fmt"
	"sort"
	"strconv"
	"strings"
	"time"

	"github.com/otelcol-selfheal/otelcol-selfheal/testbed/collector"
)

// tale prints what is new in an incident since it was last told.
type tale struct {
	began time.Time
	print func(format string, args ...any)
	told  map[string]string
}

// say prints one line with the time since the source broke.
func (t *tale) say(at time.Time, what, format string, args ...any) {
	t.print("  %6.1f s  %-10s %s", at.Sub(t.began).Seconds(), what, fmt.Sprintf(format, args...))
}

// once reports whether this is new under the key.
func (t *tale) once(key, value string) bool {
	if t.told == nil {
		t.told = map[string]string{}
	}
	if t.told[key] == value {
		return false
	}
	t.told[key] = value
	return true
}

func (t *tale) tell(i *collector.Incident) {
	if t.once(i.ID, "detected") {
		t.say(i.Detected, "detected", "%s", i.Title)
		t.cause(i)
	}
	if t.once(i.ID+"class", i.Class+i.Rule) && i.Class != "" {
		t.say(first(i.Updated, i.Detected), "classified", "%s, %.0f %% sure%s", strings.ReplaceAll(i.Class, "_", " "), 100*i.Confidence, t.why(i))
		if len(i.AtRisk) > 0 {
			t.print("%22s%s", "", "at risk: "+names(i.AtRisk))
		}
	}
	if d := i.Decision; d != nil && t.once(i.ID+"decision", d.At.String()+d.Chosen) {
		t.say(first(d.At, i.Decided), "decided", "%s: %s%s", d.Chosen, d.Why, given(" (policy ", d.Policy, ")"))
		for _, a := range d.Alternatives {
			allowed := "not allowed"
			if a.Allowed {
				allowed = "allowed"
			}
			t.print("%22s%s", "", fmt.Sprintf("· %-29s %5.2f, %s%s", a.Name, a.Score, allowed, given(": ", strings.Join(a.Reasons, "; "), "")))
		}
	}
	for _, s := range i.Steps {
		if t.once(s.PlanID, s.Outcome) {
			t.say(first(s.At, i.Updated), "act", "%s%s", s.Summary, given(" — ", s.Outcome, ""))
		}
	}
	if i.Reason != "" && t.once(i.ID+"reason", i.State+i.Reason) && i.State != "resolved" {
		t.say(first(i.Updated, i.Detected), i.State, "%s", i.Detail)
	}
	if v := i.Verification; v != nil {
		t.conditions(i, v)
	}
	if i.State == "resolved" && t.once(i.ID+"closed", i.Reason) {
		t.say(first(i.Closed, i.Updated), "verified", "%s", i.Detail)
	}
}

func (t *tale) cause(i *collector.Incident) {
	for _, e := range i.Evidence {
		if x := e.Observation.Error; x != nil && x.Message != "" {
			t.print("%22s%s", "", short(x.Type+": "+x.Message)+given(" at ", x.Location, ""))
			return
		}
	}
}

func (t *tale) why(i *collector.Incident) string {
	for _, e := range i.Evidence {
		if h := e.Observation.Hypothesis; h != nil && h.Class == i.Class && h.Why != "" {
			return ": " + h.Why + given(" (rule ", h.Rule, ")")
		}
	}
	return given(" (rule ", i.Rule, ")")
}

func (t *tale) conditions(i *collector.Incident, v *collector.Verification) {
	for _, c := range v.Conditions {
		mark := "…"
		switch {
		case c.Holds:
			mark = "✓"
		case c.Silent:
			mark = "?"
		}
		if t.once(i.ID+c.Name+c.Entity.Name, mark+c.Detail) {
			t.say(first(i.Updated, v.Since), "verify", "%s %s%s", mark, strings.ReplaceAll(c.Name, "_", " "), given(": ", c.Detail, ""))
		}
	}
}

func names(refs []collector.Ref) string {
	var all []string
	for _, r := range refs {
		name := r.Name
		if k := strings.LastIndex(name, "/"); k >= 0 {
			name = name[k+1:] // the path of a SQLite file says nothing here
		}
		all = append(all, name)
	}
	sort.Strings(all)
	return strings.Join(all, ", ")
}

func given(before, text, after string) string {
	if text == "" {
		return ""
	}
	return before + text + after
}

func short(s string) string {
	s, _, _ = strings.Cut(s, "\n")
	if r := []rune(s); len(r) > 110 {
		return string(r[:109]) + "…"
	}
	return s
}

func first(times ...time.Time) time.Time {
	for _, t := range times {
		if !t.IsZero() {
			return t
		}
	}
	return time.Now()
}

// thousands writes a number as people do.
func thousands(n int) string {
	s := strconv.Itoa(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
