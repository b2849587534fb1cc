// Package cleaning takes secrets and values out of an event before it travels
// as the body of a record. Names, times and shapes stay.
package cleaning

import (
	"strings"
	"sync"

	"go.opentelemetry.io/collector/pdata/pcommon"

	"github.com/otelcol-selfheal/otelcol-selfheal/internal/scrub"
	"github.com/otelcol-selfheal/otelcol-selfheal/receiver/openlineagereceiver/internal/event"
	"github.com/otelcol-selfheal/otelcol-selfheal/receiver/openlineagereceiver/internal/naming"
)

// Limits bound the work on one event. Each must be positive.
type Limits struct {
	// TextBytes is the length of one text after cleaning.
	TextBytes int
	// ScrubBytes of text are read in one event; texts beyond are masked unread.
	ScrubBytes int
}

// Cleaner cleans events. It is safe for concurrent use.
type Cleaner struct {
	limits Limits

	mu    sync.Mutex
	clean map[string]struct{} // texts that are known to hold nothing; never those that hold a secret
}

const (
	// maxKnown and maxKnownBytes bound the memory of clean texts: 4 MiB.
	maxKnown      = 8192
	maxKnownBytes = 512
)

// New makes a Cleaner.
func New(limits Limits) *Cleaner {
	return &Cleaner{limits: limits, clean: map[string]struct{}{}}
}

// Event cleans e.Body in place. It returns how many texts were masked unread.
func (c *Cleaner) Event(e *event.Event) (unread int) {
	w := walk{c: c, budget: c.limits.ScrubBytes}
	w.object(e.Body.Map())
	body := e.Body.Map()
	for key, list := range map[string][]event.Dataset{"inputs": e.Inputs, "outputs": e.Outputs} {
		v, _ := body.Get(key)
		for i := range list {
			withhold(&list[i], v.Slice().At(i).Map())
		}
	}
	if e.Dataset != nil {
		v, _ := body.Get("dataset")
		withhold(e.Dataset, v.Map())
	}
	return w.unread
}

type walk struct {
	c      *Cleaner
	budget int
	unread int
}

// fixed are keys whose values the schema gives a form in which no secret fits,
// or that are checked where they are read.
var fixed = map[string]bool{
	"eventTime": true, "eventType": true, "runId": true, "producer": true, "schemaURL": true, "_producer": true, "_schemaURL": true,
	"taskUuid": true, "name": true, "field": true, "column": true, "dag_id": true, "run_id": true, "task_id": true, "type": true,
}

func (w *walk) value(key string, v pcommon.Value) {
	switch v.Type() {
	case pcommon.ValueTypeMap:
		w.object(v.Map())
	case pcommon.ValueTypeSlice:
		for i := range v.Slice().Len() {
			w.value(key, v.Slice().At(i))
		}
	case pcommon.ValueTypeStr:
		s := v.Str()
		switch {
		case secretKey(key):
			v.SetStr(scrub.Mask)
		case key == "namespace":
			v.SetStr(naming.Namespace(s))
		case fixed[key] && short(s):
		default:
			if cleaned := w.text(s); cleaned != s {
				v.SetStr(cleaned)
			}
		}
	case pcommon.ValueTypeInt, pcommon.ValueTypeDouble:
		if secretKey(key) {
			v.SetStr(scrub.Mask)
		}
	}
}

// short texts under a fixed key are taken as they are; others are scrubbed.
func short(s string) bool { return len(s) <= 512 && !strings.Contains(s, "@") }

func (w *walk) object(m pcommon.Map) {
	// {name: DB_PASSWORD, value: …} and {key: …, value: …} say in one value what the other is.
	secret := false
	for _, label := range []string{"name", "key"} {
		if v, ok := m.Get(label); ok && v.Type() == pcommon.ValueTypeStr && secretKey(v.Str()) {
			secret = true
		}
	}
	for key, v := range m.All() {
		if secret && key == "value" {
			v.SetStr(scrub.Mask)
			continue
		}
		w.value(key, v)
	}
}

func (w *walk) text(s string) string {
	if plain(s) {
		return s
	}
	if w.c.known(s) {
		return s
	}
	if w.budget -= min(len(s), 2*w.c.limits.TextBytes); w.budget < 0 {
		w.unread++
		return scrub.Mask
	}
	cleaned := scrub.Text(s, w.c.limits.TextBytes)
	if cleaned == s {
		w.c.remember(s)
	}
	return cleaned
}

// plain texts are too short and too simple for a secret.
func plain(s string) bool {
	if len(s) > 12 {
		return false
	}
	for i := range len(s) {
		switch c := s[i]; {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c == '_', c == '.', c == '-', c == '[', c == ']', c == '{', c == '}':
		default:
			return len(s) <= 3
		}
	}
	return true
}

func (c *Cleaner) known(s string) bool {
	if len(s) > maxKnownBytes {
		return false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	_, ok := c.clean[s]
	return ok
}

func (c *Cleaner) remember(s string) {
	if len(s) > maxKnownBytes {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.clean) >= maxKnown {
		clear(c.clean)
	}
	c.clean[s] = struct{}{}
}

// secretKey tells keys whose values are secrets by what they say, whatever their form.
func secretKey(key string) bool {
	if len(key) < 5 || len(key) > 128 {
		return false
	}
	for _, part := range []string{"password", "passwd", "secret", "token", "apikey", "api_key", "api-key", "accesskey", "access_key", "privatekey", "private_key", "credential"} {
		if containsFold(key, part) {
			return true
		}
	}
	return false
}

// containsFold looks for a lower-case ASCII text, whatever the case of s.
func containsFold(s, part string) bool {
	for i := 0; i+len(part) <= len(s); i++ {
		if strings.EqualFold(s[i:i+len(part)], part) {
			return true
		}
	}
	return false
}
