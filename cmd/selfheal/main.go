// Command selfheal is the operator's tool: what the loop does and has done, the
// kill switch, silences, users and the check of the audit log.
//
// Exit codes: 0 done; 1 it failed; 2 it was called wrongly; 3 the audit log has
// been tampered with; 4 the collector does not answer.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"
)

const (
	exitFailed      = 1
	exitUsage       = 2
	exitTampered    = 3
	exitUnreachable = 4
)

var (
	errUsage    = errors.New("usage")
	errTampered = errors.New("the audit log has been tampered with")
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

func exitCode(err error) int {
	var down *unreachable
	switch {
	case err == nil:
		return 0
	case errors.Is(err, errUsage), strings.HasPrefix(err.Error(), "unknown command"):
		return exitUsage
	case errors.Is(err, errTampered):
		return exitTampered
	case errors.As(err, &down):
		return exitUnreachable
	}
	return exitFailed
}

func usagef(format string, args ...any) error {
	return fmt.Errorf("%w: %s", errUsage, fmt.Sprintf(format, args...))
}
