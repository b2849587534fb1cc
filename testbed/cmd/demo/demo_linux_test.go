package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"github.com/otelcol-selfheal/otelcol-selfheal/testbed/cache"
	"github.com/otelcol-selfheal/otelcol-selfheal/testbed/process"
)

func TestMain(m *testing.M) {
	process.Watchdog()
	os.Exit(m.Run())
}

// adopt makes this process the parent of whatever the demo leaves behind, so
// that it can be counted whatever it calls itself.
func adopt(t *testing.T) {
	t.Helper()
	const setChildSubreaper = 36 // PR_SET_CHILD_SUBREAPER of prctl(2)
	if _, _, errno := syscall.Syscall(syscall.SYS_PRCTL, setChildSubreaper, 1, 0); errno != 0 {
		t.Fatal(errno)
	}
}

// left counts the children that this process has, living ones.
func left(t *testing.T) []string {
	t.Helper()
	for {
		// The dead ones are ours to bury.
		var status syscall.WaitStatus
		if pid, err := syscall.Wait4(-1, &status, syscall.WNOHANG, nil); pid <= 0 || err != nil {
			break
		}
	}
	entries, err := os.ReadDir("/proc")
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, e := range entries {
		stat, err := os.ReadFile("/proc/" + e.Name() + "/stat")
		if err != nil {
			continue
		}
		after := string(stat[strings.LastIndexByte(string(stat), ')')+1:])
		if fields := strings.Fields(after); len(fields) > 1 && fields[1] == strconv.Itoa(os.Getpid()) {
			out = append(out, string(stat[:min(len(stat), 80)]))
		}
	}
	return out
}

func none(t *testing.T) {
	t.Helper()
	var alive []string
	for end := time.Now().Add(5 * time.Second); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		if alive = left(t); len(alive) == 0 {
			return
		}
	}
	t.Fatalf("the demo leaves %d processes behind:\n%s", len(alive), strings.Join(alive, "\n"))
}

// build makes the demo's own binary; `go run` would stand between it and signals.
func build(t *testing.T) string {
	t.Helper()
	if os.Getenv("SELFHEAL_PLATFORMS") == "" {
		t.Skip("starts a platform; make test-scenarios runs it")
	}
	path := filepath.Join(t.TempDir(), "demo")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", path, ".").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return path
}

// Without a terminal the demo heals, tells it in build/demo.json, exits with 0
// and leaves nothing behind.
func TestDemoHealsAndLeavesNothing(t *testing.T) {
	binary := build(t)
	adopt(t)
	root, err := cache.Root()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 15*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, binary)
	out, err := cmd.CombinedOutput()
	t.Logf("%s", out)
	if err != nil {
		t.Fatal(err)
	}
	none(t)
	data, err := os.ReadFile(filepath.Join(root, "build", "demo.json"))
	if err != nil {
		t.Fatal(err)
	}
	var r result
	if err := json.Unmarshal(data, &r); err != nil {
		t.Fatal(err)
	}
	if !r.Healed || r.Before != 0 || r.After != rows || r.Duplicates != 0 {
		t.Errorf("build/demo.json tells %+v", r)
	}
	if took := r.SetUp + r.Verified.Sub(r.Broke); took > 8*time.Minute {
		t.Errorf("the first verified heal took %s", took)
	}
}

// At a terminal it stays up until it is interrupted, and then leaves nothing behind.
func TestInterruptedDemoLeavesNothing(t *testing.T) {
	binary := build(t)
	adopt(t)
	for _, wait := range []string{stepAirflow, stepBaseline} {
		t.Run(wait, func(t *testing.T) {
			terminal, err := openTerminal(t)
			if err != nil {
				t.Skip("no pseudo terminal here: ", err)
			}
			defer terminal.Close()
			cmd := exec.CommandContext(t.Context(), binary)
			cmd.Stdin = terminal
			out, err := cmd.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			var text strings.Builder
			buf := make([]byte, 4096)
			interrupted := false
			for {
				n, err := out.Read(buf)
				text.Write(buf[:n])
				if !interrupted && strings.Contains(text.String(), "…  "+wait) {
					interrupted = true
					time.Sleep(2 * time.Second) // into the middle of it
					if err := cmd.Process.Signal(syscall.SIGINT); err != nil {
						t.Fatal(err)
					}
				}
				if err != nil {
					break
				}
			}
			var exit *exec.ExitError
			if err := cmd.Wait(); !errors.As(err, &exit) || exit.ExitCode() != 130 {
				t.Errorf("it ends with %v, want exit code 130\n%s", err, text.String())
			}
			none(t)
		})
	}
}

// openTerminal returns the program's side of a new pseudo terminal.
func openTerminal(t *testing.T) (*os.File, error) {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}
	t.Cleanup(func() { master.Close() })
	var number, unlock int32
	for _, call := range []struct {
		request uintptr
		value   *int32
	}{{syscall.TIOCSPTLCK, &unlock}, {syscall.TIOCGPTN, &number}} {
		if _, _, errno := syscall.Syscall(syscall.SYS_IOCTL, master.Fd(), call.request, uintptr(unsafe.Pointer(call.value))); errno != 0 {
			return nil, errno
		}
	}
	return os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|syscall.O_NOCTTY, 0)
}
