// Package source is the system that pipelines read from: an HTTP server with
// the same rows each time for the same load, and faults to switch on.
package source

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"net"
	"net/http"
	"strconv"
	"sync"
	"time"
)

// Mode says how a feed answers.
type Mode string

const (
	Normal       Mode = "normal"
	Unavailable  Mode = "unavailable"  // 503 at once
	Stalling     Mode = "stalling"     // 503 after the delay
	Tenth        Mode = "tenth"        // a tenth of the rows, and 200
	Slow         Mode = "slow"         // all rows, after the delay
	Malformed    Mode = "malformed"    // 200 and half a document
	Unauthorized Mode = "unauthorized" // 401
)

// Row is one order.
type Row struct {
	OrderID  string  `json:"order_id"`
	Customer int     `json:"customer"`
	Amount   float64 `json:"amount"`
}

// Source serves /feeds/<feed>/loads/<load>.
type Source struct {
	URL string

	rows   int
	jitter int
	server *http.Server

	mu    sync.Mutex
	feeds map[string]*feed
}

type feed struct {
	mode   Mode
	until  time.Time
	delay  time.Duration
	counts map[int]int // answers by status code
}

// Start serves rows rows for each load, more or fewer by at most jitter.
func Start(rows, jitter int) (*Source, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("start the source: %w", err)
	}
	s := &Source{URL: "http://" + l.Addr().String(), rows: rows, jitter: jitter, feeds: map[string]*feed{}}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /feeds/{feed}/loads/{load}", s.serve)
	s.server = &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second}
	go func() { _ = s.server.Serve(l) }()
	return s, nil
}

// Stop ends the server.
func (s *Source) Stop(ctx context.Context) error {
	if err := s.server.Shutdown(ctx); err != nil {
		return errors.Join(err, s.server.Close())
	}
	return nil
}

// Set makes a feed answer in a mode from now on.
func (s *Source) Set(name string, mode Mode) { s.SetFor(name, mode, 0, 0) }

// SetFor makes a feed answer in a mode for a while (0: until further notice);
// delay is how long Slow and Stalling take.
func (s *Source) SetFor(name string, mode Mode, d, delay time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f := s.feed(name)
	f.mode, f.delay, f.until = mode, delay, time.Time{}
	if d > 0 {
		f.until = time.Now().Add(d)
	}
}

// Count is how often a feed has answered with a status.
func (s *Source) Count(name string, status int) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.feed(name).counts[status]
}

func (s *Source) feed(name string) *feed {
	f := s.feeds[name]
	if f == nil {
		f = &feed{mode: Normal, counts: map[int]int{}}
		s.feeds[name] = f
	}
	return f
}

// Rows are the rows that a load of a feed owes, the same at every call.
func (s *Source) Rows(name string, load int64) []Row {
	h := fnv.New64a()
	fmt.Fprintf(h, "%s/%d", name, load)
	n := s.rows
	if s.jitter > 0 {
		n += int(h.Sum64()%uint64(2*s.jitter+1)) - s.jitter //nolint:gosec // small numbers
	}
	rows := make([]Row, n)
	for i := range rows {
		rows[i] = Row{OrderID: fmt.Sprintf("%d-%05d", load, i), Customer: (i*7919 + int(load)) % 4001, Amount: float64((i*31+int(load))%9900+100) / 100}
	}
	return rows
}

func (s *Source) serve(w http.ResponseWriter, r *http.Request) {
	name := r.PathValue("feed")
	load, err := strconv.ParseInt(r.PathValue("load"), 10, 64)
	if err != nil {
		http.Error(w, "no such load", http.StatusNotFound)
		return
	}
	s.mu.Lock()
	f := s.feed(name)
	if !f.until.IsZero() && time.Now().After(f.until) {
		f.mode, f.until = Normal, time.Time{}
	}
	mode, delay := f.mode, f.delay
	s.mu.Unlock()

	if mode == Slow || mode == Stalling {
		select {
		case <-time.After(delay):
		case <-r.Context().Done():
			return
		}
	}
	status := http.StatusOK
	switch mode {
	case Unavailable, Stalling:
		status = http.StatusServiceUnavailable
	case Unauthorized:
		status = http.StatusUnauthorized
	}
	s.mu.Lock()
	f.counts[status]++
	s.mu.Unlock()
	if status != http.StatusOK {
		http.Error(w, http.StatusText(status), status)
		return
	}
	rows := s.Rows(name, load)
	if mode == Tenth {
		rows = rows[:len(rows)/10]
	}
	body, err := json.Marshal(rows)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	if mode == Malformed {
		body = body[:len(body)/2]
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(body)
}
