// Package process starts programs that surely end: each in a session of its
// own, so that everything it starts can be found and ended with it, also when
// its children move to process groups of their own as Airflow's tasks do.
//
// Three things end them: Stop, EndAll (deferred by main and called on SIGINT
// and SIGTERM by whoever uses the package), and a watchdog process that ends
// what is left when this process dies without a word.
package process

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"
)

// Spec says what to start.
type Spec struct {
	Name string // for logs and errors; also the name of the log file
	Path string
	Args []string
	Env  []string // the whole environment
	Dir  string
	Logs string // folder that gets <Name>.log, appended to
	As   Identity
	// Quit is the signal that asks it to end, SIGTERM where not set.
	Quit syscall.Signal
}

// Identity says as whom a program runs; the zero value as ourselves.
type Identity struct {
	UID, GID uint32
}

// Process is one started program and everything it started.
type Process struct {
	Name string
	PID  int
	Log  string // path of its log

	quit syscall.Signal
	done chan struct{}
	err  error // valid when done is closed
}

var (
	mu      sync.Mutex
	started []*Process
	starter = sync.OnceValue(func() chan func() {
		// The kernel's parent-death signal is tied to the thread that forked, so all
		// forks come from one thread that lives as long as this process.
		work := make(chan func())
		go func() {
			runtime.LockOSThread()
			for f := range work {
				f()
			}
		}()
		return work
	})
)

// Start starts the program and returns at once.
func Start(s Spec) (*Process, error) {
	if err := os.MkdirAll(s.Logs, 0o755); err != nil {
		return nil, fmt.Errorf("create the log folder of %s: %w", s.Name, err)
	}
	path := filepath.Join(s.Logs, s.Name+".log")
	log, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644) //nolint:gosec // a log of test platforms
	if err != nil {
		return nil, fmt.Errorf("open the log of %s: %w", s.Name, err)
	}
	defer log.Close()
	if err := watch(); err != nil {
		return nil, err
	}
	cmd := exec.Command(s.Path, s.Args...)
	cmd.Env, cmd.Dir, cmd.Stdout, cmd.Stderr = s.Env, s.Dir, log, log
	cmd.SysProcAttr = s.As.Attributes()
	result := make(chan error, 1)
	starter() <- func() { result <- cmd.Start() }
	if err := <-result; err != nil {
		return nil, fmt.Errorf("start %s: %w", s.Name, err)
	}
	p := &Process{Name: s.Name, PID: cmd.Process.Pid, Log: path, quit: s.Quit, done: make(chan struct{})}
	if p.quit == 0 {
		p.quit = syscall.SIGTERM
	}
	mu.Lock()
	started = append(started, p)
	mu.Unlock()
	tellWatchdog(p.PID)
	go func() {
		p.err = cmd.Wait()
		close(p.done)
	}()
	return p, nil
}

// Run runs a program to its end, or ends it and all that it started when ctx is
// over. An error shows the end of its output.
func Run(ctx context.Context, s Spec) error {
	_ = os.Remove(filepath.Join(s.Logs, s.Name+".log")) // the output of an earlier time explains nothing
	p, err := Start(s)
	if err != nil {
		return err
	}
	select {
	case <-p.done:
	case <-ctx.Done():
		return errors.Join(fmt.Errorf("%s: %w", s.Name, ctx.Err()), p.Stop(2*time.Second))
	}
	if p.err != nil {
		return fmt.Errorf("%s %s: %w, see %s\n%s", s.Path, strings.Join(s.Args, " "), p.err, p.Log, p.Tail(3000))
	}
	return nil
}

// Done is closed when the program itself has ended.
func (p *Process) Done() <-chan struct{} { return p.done }

// Err tells how it ended. It is nil while it runs.
func (p *Process) Err() error {
	select {
	case <-p.done:
		if p.err == nil {
			return fmt.Errorf("%s ended by itself, see %s", p.Name, p.Log)
		}
		return fmt.Errorf("%s ended (%w), see %s", p.Name, p.err, p.Log)
	default:
		return nil
	}
}

// Kill sends SIGKILL to the program alone, and waits until it is gone.
func (p *Process) Kill() {
	_ = syscall.Kill(p.PID, syscall.SIGKILL)
	<-p.done
}

// Stop asks the program to end, waits up to grace, and kills it and whatever it
// left behind. It returns when nothing of it lives any more.
func (p *Process) Stop(grace time.Duration) error {
	select {
	case <-p.done:
	default:
		_ = syscall.Kill(p.PID, p.quit)
	}
	select {
	case <-p.done:
	case <-time.After(grace):
	}
	return killSession(p.PID)
}

// EndAll stops everything that was started, the last first.
func EndAll() error {
	mu.Lock()
	all := started
	started = nil
	mu.Unlock()
	var errs []error
	for _, a := range slices.Backward(all) {
		errs = append(errs, a.Stop(10*time.Second))
	}
	return errors.Join(errs...)
}

// killSession kills every process of the session until none is left.
func killSession(session int) error {
	for range 200 {
		alive := members(session)
		if len(alive) == 0 {
			return nil
		}
		for _, pid := range alive {
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
		time.Sleep(20 * time.Millisecond)
	}
	return fmt.Errorf("processes of session %d outlive SIGKILL: %v", session, members(session))
}

// Tail returns the end of the log, to explain a failure.
func (p *Process) Tail(bytes int64) string {
	f, err := os.Open(p.Log)
	if err != nil {
		return ""
	}
	defer f.Close()
	if info, err := f.Stat(); err == nil && info.Size() > bytes {
		_, _ = f.Seek(-bytes, 2)
	}
	buf := make([]byte, bytes)
	n, _ := f.Read(buf)
	return string(buf[:n])
}
