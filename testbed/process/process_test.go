package process

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

func TestMain(m *testing.M) {
	Watchdog()
	if os.Getenv("SELFHEAL_TESTBED_DIES") != "" {
		p, err := Start(family(os.Getenv("SELFHEAL_TESTBED_DIES")))
		if err != nil {
			panic(err)
		}
		os.Stdout.WriteString(strconv.Itoa(p.PID) + "\n")
		select {}
	}
	os.Exit(m.Run())
}

// family is a shell with a child that has left its process group and ignores SIGTERM.
func family(logs string) Spec {
	script := `import os,signal,time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
if os.fork()==0: os.setpgid(0,0)
print("up", flush=True)
time.sleep(600)`
	return Spec{Name: "family", Path: "/usr/bin/env", Args: []string{"python3", "-c", script}, Env: os.Environ(), Logs: logs}
}

func eventually(t *testing.T, what string, f func() bool) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		if f() {
			return
		}
	}
	t.Fatalf("not in 20 s: %s", what)
}

func TestStopEndsChildrenThatLeftTheGroup(t *testing.T) {
	p, err := Start(family(t.TempDir()))
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, "two processes", func() bool { return strings.Count(p.Tail(100), "up") == 2 && len(members(p.PID)) == 2 })
	if err := p.Stop(100 * time.Millisecond); err != nil {
		t.Fatal(err)
	}
	if left := members(p.PID); len(left) != 0 {
		t.Fatalf("left behind: %v", left)
	}
	if p.Err() == nil {
		t.Fatal("an ended process tells no error")
	}
}

func TestWatchdogEndsWhatAKilledParentLeaves(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	logs := t.TempDir()
	parent := exec.Command(self)
	parent.Env = append(os.Environ(), "SELFHEAL_TESTBED_DIES="+logs)
	out, err := parent.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := parent.Start(); err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 32)
	n, err := out.Read(buf)
	if err != nil {
		t.Fatal(err)
	}
	session, err := strconv.Atoi(strings.TrimSpace(string(buf[:n])))
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, "two processes", func() bool {
		log, _ := os.ReadFile(filepath.Join(logs, "family.log"))
		return strings.Count(string(log), "up") == 2
	})
	if err := parent.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = parent.Wait()
	eventually(t, "all ended", func() bool { return len(members(session)) == 0 })
}
