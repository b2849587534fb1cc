// Command demo shows the whole loop on a real Airflow: it breaks a pipeline's
// source, and tells live how the collector finds the fault, heals it and proves it.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"golang.org/x/term"

	"github.com/otelcol-selfheal/otelcol-selfheal/testbed/airflow"
	"github.com/otelcol-selfheal/otelcol-selfheal/testbed/cache"
	"github.com/otelcol-selfheal/otelcol-selfheal/testbed/process"
)

func main() {
	process.Watchdog()
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	err := demo(ctx)
	if end := process.EndAll(); end != nil {
		err = errors.Join(err, end)
	}
	switch {
	case err == nil:
	case errors.Is(err, errInterrupted):
		fmt.Println("\nInterrupted. Everything that the demo started has ended.")
		os.Exit(130)
	default:
		fmt.Fprintln(os.Stderr, "\ndemo: "+err.Error())
		os.Exit(1)
	}
}

// errInterrupted: a person ended the demo before it was over.
var errInterrupted = errors.New("interrupted")

func demo(ctx context.Context) error {
	root, err := cache.Root()
	if err != nil {
		return err
	}
	if err := tools(); err != nil {
		return err
	}
	home := filepath.Join(root, "build", "demo")
	unlock, err := claim(home)
	if err != nil {
		return err
	}
	defer unlock()
	terminal := term.IsTerminal(int(os.Stdin.Fd()))
	stage, err := setUp(ctx, root, home, term.IsTerminal(int(os.Stdout.Fd())))
	if err != nil {
		return interrupted(ctx, err)
	}
	defer stage.close()
	result, err := stage.play(ctx)
	if err != nil {
		return interrupted(ctx, err)
	}
	if err := result.write(filepath.Join(root, "build", "demo.json")); err != nil {
		return err
	}
	fmt.Print(result.table())
	fmt.Print(stage.epilogue())
	if !result.Healed {
		return fmt.Errorf("the fault was not healed: %s", result.Verdict)
	}
	if !terminal {
		return nil
	}
	fmt.Println("\nAll of it stays up to look around. Ctrl-C ends it.")
	<-ctx.Done()
	fmt.Println("\nEnding everything …")
	return nil
}

func interrupted(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return errInterrupted
	}
	return err
}

// tools names what the demo needs and does not find.
func tools() error {
	for _, t := range []struct{ name, hint string }{
		{"go", "1.26 or later, see https://go.dev/dl"},
		{"make", "GNU make"},
	} {
		if _, err := exec.LookPath(t.name); err != nil {
			return fmt.Errorf("missing: %s (%s)", t.name, t.hint)
		}
	}
	_, _, err := airflow.Python()
	return err
}

// claim empties the demo's folder and keeps a second demo out of it.
func claim(home string) (unlock func(), err error) {
	if err := os.MkdirAll(filepath.Dir(home), 0o755); err != nil {
		return nil, fmt.Errorf("create the demo's folder: %w", err)
	}
	lock, err := os.OpenFile(home+".lock", os.O_CREATE|os.O_RDWR, 0o644) //nolint:gosec // an empty file
	if err != nil {
		return nil, fmt.Errorf("lock the demo's folder: %w", err)
	}
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		lock.Close()
		return nil, fmt.Errorf("another demo runs in %s; end it first", home)
	}
	deadline := time.Now().Add(5 * time.Second)
	for err = os.RemoveAll(home); err != nil && time.Now().Before(deadline); err = os.RemoveAll(home) {
		time.Sleep(100 * time.Millisecond) // a process of an earlier demo is just ending
	}
	if err != nil {
		lock.Close()
		return nil, fmt.Errorf("empty the demo's folder: %w", err)
	}
	if err := os.Mkdir(home, 0o755); err != nil {
		lock.Close()
		return nil, fmt.Errorf("create the demo's folder: %w", err)
	}
	return func() { lock.Close() }, nil
}
