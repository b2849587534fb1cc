// Package progress tells a person at a terminal what is being done, for how
// long already, and about how long it will still take.
package progress

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

// Step is one thing to do. Steps of one lane follow each other, lanes run side
// by side, and the steps of the empty lane come after all lanes.
type Step struct {
	Lane, Name string
	Expected   time.Duration // a guess for the first time; later what it took last time

	began, ended time.Time
}

// Board shows steps as they go.
type Board struct {
	mu     sync.Mutex
	out    io.Writer
	live   bool // the terminal can rewrite a line
	memory string
	steps  []*Step
	began  time.Time
	shown  bool // a live line is on the screen
	quiet  bool // lines of the caller only; no ticking
	stop   chan struct{}
	ended  sync.WaitGroup
}

// New starts a board. memory is the file that remembers how long each step took.
func New(out io.Writer, live bool, memory string, steps ...Step) *Board {
	b := &Board{out: out, live: live, memory: memory, began: time.Now(), stop: make(chan struct{})}
	past := map[string]time.Duration{}
	if data, err := os.ReadFile(memory); err == nil {
		_ = json.Unmarshal(data, &past) // a broken memory only costs the estimate
	}
	for _, s := range steps {
		if d, ok := past[s.Name]; ok {
			s.Expected = d
		}
		b.steps = append(b.steps, &s)
	}
	every := 10 * time.Second
	if live {
		every = time.Second
	}
	b.ended.Go(func() {
		ticker := time.NewTicker(every)
		defer ticker.Stop()
		for {
			select {
			case <-b.stop:
				return
			case <-ticker.C:
				b.tick()
			}
		}
	})
	return b
}

// Do runs one declared step and shows its beginning and end.
func (b *Board) Do(name string, f func() error) error {
	b.mu.Lock()
	step := b.find(name)
	step.began = time.Now()
	b.line("  …  " + name)
	b.mu.Unlock()
	err := f()
	b.mu.Lock()
	defer b.mu.Unlock()
	step.ended = time.Now()
	took := step.ended.Sub(step.began)
	if err != nil {
		b.line(fmt.Sprintf("  ✗  %s: failed after %s", name, round(took)))
		return err
	}
	step.Expected = took
	rest := ""
	if r := b.remaining(step.ended); r > 0 {
		rest = fmt.Sprintf(", about %s left", round(r))
	}
	b.line(fmt.Sprintf("  ✓  %s: %s%s", name, round(took), rest))
	return nil
}

func (b *Board) find(name string) *Step {
	for _, s := range b.steps {
		if s.Name == name {
			return s
		}
	}
	s := &Step{Name: name, Expected: time.Second}
	b.steps = append(b.steps, s)
	return s
}

// Print writes lines of the caller between the steps.
func (b *Board) Print(format string, args ...any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.line(fmt.Sprintf(format, args...))
}

// Quiet ends the ticking lines: what follows speaks for itself.
func (b *Board) Quiet() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.quiet = true
	b.wipe()
}

// Close ends the board and remembers what each step took.
func (b *Board) Close() {
	close(b.stop)
	b.ended.Wait()
	b.mu.Lock()
	defer b.mu.Unlock()
	b.wipe()
	past := map[string]time.Duration{}
	for _, s := range b.steps {
		past[s.Name] = s.Expected
	}
	data, err := json.MarshalIndent(past, "", "  ")
	if err != nil {
		return
	}
	if os.MkdirAll(filepath.Dir(b.memory), 0o755) == nil {
		_ = os.WriteFile(b.memory, data, 0o644) //nolint:gosec // durations only
	}
}

func (b *Board) tick() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.quiet {
		return
	}
	now := time.Now()
	var doing []string
	for _, s := range b.steps {
		if !s.began.IsZero() && s.ended.IsZero() {
			doing = append(doing, fmt.Sprintf("%s %s of about %s", s.Name, round(now.Sub(s.began)), round(s.Expected)))
		}
	}
	if len(doing) == 0 {
		return
	}
	text := fmt.Sprintf("     %s · in all %s, about %s left", strings.Join(doing, " · "), round(now.Sub(b.began)), round(b.remaining(now)))
	if !b.live {
		fmt.Fprintln(b.out, text)
		return
	}
	fmt.Fprint(b.out, "\r\x1b[K"+text)
	b.shown = true
}

// remaining is the longest lane's rest and what comes after the lanes.
func (b *Board) remaining(now time.Time) time.Duration {
	lanes := map[string]time.Duration{}
	for _, s := range b.steps {
		switch {
		case !s.ended.IsZero():
		case s.began.IsZero():
			lanes[s.Lane] += s.Expected
		default:
			lanes[s.Lane] += max(s.Expected-now.Sub(s.began), time.Second)
		}
	}
	var longest time.Duration
	for lane, d := range lanes {
		if lane != "" {
			longest = max(longest, d)
		}
	}
	return longest + lanes[""]
}

func (b *Board) line(text string) {
	b.wipe()
	fmt.Fprintln(b.out, text)
}

func (b *Board) wipe() {
	if b.shown {
		fmt.Fprint(b.out, "\r\x1b[K")
		b.shown = false
	}
}

func round(d time.Duration) time.Duration {
	if d < 10*time.Second {
		return d.Round(100 * time.Millisecond)
	}
	return d.Round(time.Second)
}
