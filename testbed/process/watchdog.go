package process

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
)

const watchdogVar = "SELFHEAL_TESTBED_WATCHDOG"

var dog struct {
	sync.Mutex
	pipe io.WriteCloser
}

// Watchdog must be the first call in main or TestMain of a program that uses
// this package. In the program itself it returns at once; in the copy of it
// that Start puts beside it, it waits until the program is gone, ends the
// sessions that are left, and exits.
func Watchdog() {
	if os.Getenv(watchdogVar) == "" {
		return
	}
	signal.Ignore(syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
	var sessions []int
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		if id, err := strconv.Atoi(strings.TrimSpace(lines.Text())); err == nil && id > 1 {
			sessions = append(sessions, id)
		}
	}
	for _, session := range slices.Backward(sessions) {
		_ = killSession(session)
	}
	os.Exit(0)
}

// watch starts the watchdog unless it is there.
func watch() error {
	dog.Lock()
	defer dog.Unlock()
	if dog.pipe != nil {
		return nil
	}
	self, err := os.Executable()
	if err != nil {
		return fmt.Errorf("find this program, to start its watchdog: %w", err)
	}
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), watchdogVar+"=1")
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	pipe, err := cmd.StdinPipe()
	if err != nil {
		return fmt.Errorf("connect to the watchdog: %w", err)
	}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start the watchdog: %w", err)
	}
	dog.pipe = pipe
	go func() { _ = cmd.Wait() }()
	return nil
}

func tellWatchdog(session int) {
	dog.Lock()
	defer dog.Unlock()
	fmt.Fprintln(dog.pipe, session)
}
