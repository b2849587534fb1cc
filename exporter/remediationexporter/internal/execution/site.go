package execution

import (
	"sync"
	"time"

	"github.com/otelcol-selfheal/otelcol-selfheal/exporter/remediationexporter/internal/platform"
)

// How long a platform that does not answer is left alone: doubled with each
// failure, from firstBackoff to lastBackoff.
const (
	firstBackoff = 5 * time.Second
	lastBackoff  = 30 * time.Second
)

// Site is one installation of a platform.
type Site struct {
	Platform string // airflow
	Instance string // the name that receivers and plans use
	Adapter  platform.Adapter
}

// site is a Site with what the executor knows of it.
type site struct {
	Site
	limits *limits
	slots  chan struct{} // one for each plan under way

	mu        sync.Mutex
	reachable bool
	detail    string // why not
	failures  int
	askAgain  time.Time
}

func (s *site) name() string { return s.Platform + "/" + s.Instance }

// answered notes that the platform answers; changed reports whether it did not before.
func (s *site) answered() (changed bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	changed = !s.reachable
	s.reachable, s.detail, s.failures, s.askAgain = true, "", 0, time.Time{}
	return changed
}

// silent notes that it did not answer, and says for how long to leave it alone.
func (s *site) silent(now time.Time, why error) (wait time.Duration, changed bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	wait = backoff(s.failures)
	changed = s.reachable || s.failures == 0
	s.reachable, s.detail, s.askAgain = false, why.Error(), now.Add(wait)
	s.failures++
	return wait, changed
}

// dueForPing says whether it is silent and may be asked again.
func (s *site) dueForPing(now time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return !s.reachable && !now.Before(s.askAgain)
}

func (s *site) state() (reachable bool, detail string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.reachable, s.detail
}

// backoff is the wait after so many failures in a row.
func backoff(failures int) time.Duration {
	return min(firstBackoff<<min(failures, 16), lastBackoff)
}
