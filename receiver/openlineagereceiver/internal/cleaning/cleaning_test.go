package cleaning

import (
	"encoding/json"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/otelcol-selfheal/otelcol-selfheal/receiver/openlineagereceiver/internal/event"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func read(t *testing.T, facet string) *event.Event {
	t.Helper()
	e, err := event.Read([]byte(`{"eventTime":"2026-01-01T12:00:00Z","producer":"p","schemaURL":"s","run":{"runId":"r","facets":{"acme":`+facet+`}},
		"job":{"namespace":"kafka://me:hunter2@h:1","name":"j"}}`), event.Limits{Depth: 20, StringBytes: 1e6, Keys: 99, Values: 999, Datasets: 9})
	require.NoError(t, err)
	return e
}

func TestWhatIsTakenOut(t *testing.T) {
	t.Parallel()
	c := New(Limits{TextBytes: 64, ScrubBytes: 1 << 20})
	for in, want := range map[string]string{
		`{"a":"plain words","n":1,"b":null}`:                  `{"a":"plain words","n":1,"b":null}`,
		`{"uri":"jdbc:postgresql://me:hunter2@h/d"}`:          `{"uri":"jdbc:postgresql://***@h/d"}`,
		`{"DB_Password":"x","apiKey":12,"client_secret":"y"}`: `{"DB_Password":"***","apiKey":"***","client_secret":"***"}`,
		`{"tokens":["a","b"]}`:                                `{"tokens":["***","***"]}`,
		`{"v":[{"name":"AWS_SECRET","value":"q"},{"name":"ZONE","value":"a"},{"key":"token","value":{"x":1}}]}`: `{"v":[{"name":"AWS_SECRET","value":"***"},{"name":"ZONE","value":"a"},{"key":"token","value":"***"}]}`,
		`{"run_id":"manual__2026-01-01T12:00:00+00:00"}`:                                                        `{"run_id":"manual__2026-01-01T12:00:00+00:00"}`,
	} {
		for range 2 { // the second time from memory
			e := read(t, in)
			assert.Zero(t, c.Event(e))
			body := e.Body.Map().AsRaw()
			got, err := json.Marshal(body["run"].(map[string]any)["facets"].(map[string]any)["acme"])
			require.NoError(t, err)
			assert.JSONEq(t, want, string(got))
			assert.Equal(t, "kafka://h:1", body["job"].(map[string]any)["namespace"])
		}
	}
	for known := range c.clean {
		assert.NotContains(t, known, "hunter2", "the memory holds no secrets")
	}
}

func TestWorkIsBounded(t *testing.T) {
	t.Parallel()
	c := New(Limits{TextBytes: 64, ScrubBytes: 1000})
	texts := make([]string, 80)
	for i := range texts {
		texts[i] = `"some words here ` + strconv.Itoa(i) + `"`
	}
	e := read(t, `{"long":"`+strings.Repeat("word ", 1000)+`","list":[`+strings.Join(texts, ",")+`]}`)
	unread := c.Event(e)
	assert.Positive(t, unread)
	assert.Less(t, unread, 80)
	assert.LessOrEqual(t, len(e.Body.Map().AsRaw()["run"].(map[string]any)["facets"].(map[string]any)["acme"].(map[string]any)["long"].(string)), 64)
}

func TestTheMemoryOfCleanTextsIsBounded(t *testing.T) {
	t.Parallel()
	c := New(Limits{TextBytes: 64, ScrubBytes: 1000})
	for i := range maxKnown + 10 {
		c.remember(strings.Repeat("x", i%maxKnownBytes) + string(rune('a'+i/maxKnownBytes)))
	}
	c.remember(strings.Repeat("x", maxKnownBytes+1))
	assert.LessOrEqual(t, len(c.clean), maxKnown)
	assert.False(t, c.known(strings.Repeat("x", maxKnownBytes+1)))
}
