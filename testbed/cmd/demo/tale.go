package main

import (
	"fmt"
	"path"
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

	decided, acted time.Time // the first time
}

// say prints one line with the time since the source broke.
func (t *tale) say(at time.Time, what, format string, args ...any) {
	t.print("  %6.1f s  %-11s %s", at.Sub(t.began).Seconds(), what, fmt.Sprintf(format, args...))
}

// once reports whether this is new under the key.
func (t *tale) once(key, value string) bool {
	if t.told == nil {
		t.told = map[string]string{}
	}
	if last, ok := t.told[key]; ok && last == value {
		return false
	}
	t.told[key] = value
	return true
}

func (t *tale) tell(i *collector.Incident) {
	if t.once(i.ID, "detected") {
		t.say(i.Detected, "detected", "%s", short(i.Title))
		t.cause(i)
	}
	if i.Class != "" && t.once(i.ID+"class", i.Class+i.Rule) {
		t.say(first(i.Updated, i.Detected), "classified", "%s, %.0f %% sure%s", strings.ReplaceAll(i.Class, "_", " "), 100*i.Confidence, t.why(i))
		if len(i.AtRisk) > 0 {
			t.more("at risk: " + names(i.AtRisk))
		}
	}
	if d := i.Decision; d != nil && t.once(i.ID+"decision", d.At.String()+d.Chosen) {
		t.decided = first(t.decided, d.At)
		t.say(first(d.At, i.Decided), "decided", "%s%s", d.Chosen, given(" by policy ", d.Policy, ""))
		t.more("because " + d.Why)
		for _, a := range d.Alternatives {
			t.more(fmt.Sprintf("· %-29s %5.2f %s", a.Name, a.Score, strings.Join(a.Reasons, "; ")))
		}
	}
	if t.acted.IsZero() {
		t.acted = i.Acted
	}
	for _, s := range i.Steps {
		switch s.Outcome {
		case "pending", "begun", "observed":
		case "succeeded", "verified":
			if t.once(s.PlanID+"acted", "") {
				t.say(first(i.Acted, i.Updated), "acted", "%s", s.Summary)
			}
		default:
			if t.once(s.PlanID, s.Outcome) {
				t.say(first(i.Acted, i.Updated), "acted", "%s: %s", s.Summary, s.Outcome)
			}
		}
	}
	if v := i.Verification; v != nil {
		t.conditions(i, v)
	} else if i.Detail != "" && t.once(i.ID+"reason", i.State+i.Reason) {
		t.say(first(i.Updated, i.Detected), strings.ReplaceAll(either(i.Reason, i.State), "_", " "), "%s", i.Detail)
	}
	switch {
	case i.State == "resolved" && t.once(i.ID+"end", i.State):
		held := i.Detail
		if i.Verification != nil {
			held = fmt.Sprintf("all of it held for %s", i.Verification.Window)
		}
		t.say(first(i.Closed, i.Updated), "verified", "%s", held)
	case (i.State == "escalated" || i.State == "suppressed") && t.once(i.ID+"end", i.State+i.Reason):
		t.say(i.Updated, i.State, "%s", i.Detail)
	}
}

// more prints what belongs to the line before.
func (t *tale) more(text string) { t.print("%23s%s", "", text) }

func (t *tale) cause(i *collector.Incident) {
	for _, e := range i.Evidence {
		if x := e.Observation.Error; x != nil && x.Message != "" {
			if x.Location != "" {
				t.more("at " + x.Location)
			}
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
			t.say(first(i.Updated, v.Since), "verify", "%s %s%s", mark, strings.ReplaceAll(c.Name, "_", " "), given(": ", base(c.Detail), ""))
		}
	}
}

func names(refs []collector.Ref) string {
	var all []string
	for _, r := range refs {
		all = append(all, base(r.Name))
	}
	sort.Strings(all)
	return strings.Join(all, ", ")
}

// base leaves out the folder of a SQLite file, which says nothing here.
func base(text string) string {
	if strings.HasPrefix(text, "/") {
		name, rest, _ := strings.Cut(text, " ")
		return strings.TrimSpace(path.Base(name) + " " + rest)
	}
	return text
}

func either(words ...string) string {
	for _, w := range words {
		if w != "" {
			return w
		}
	}
	return ""
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
