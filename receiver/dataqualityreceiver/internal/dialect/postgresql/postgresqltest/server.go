//go:build platform

// Package postgresqltest runs a PostgreSQL server for tests, fetched from Maven
// Central, on any machine that can build them. PostgreSQL does not run as root;
// a test that does lends its server to an unprivileged user.
package postgresqltest

import (
	"bytes"
	"context"
	"database/sql"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"

	embeddedpostgres "github.com/fergusstrange/embedded-postgres"
	_ "github.com/jackc/pgx/v5/stdlib" // the driver
	"github.com/stretchr/testify/require"
)

const (
	version = embeddedpostgres.V17
	nobody  = 65534
	// Password of the superuser postgres.
	Password = "pw-of-the-test-4cKz"
)

// Server is a running server.
type Server struct {
	Port int
	// Admin is a pool of the superuser.
	Admin *sql.DB

	process *exec.Cmd
}

// Start runs a server until the test has ended. It fails the test where it cannot.
func Start(t *testing.T) *Server {
	t.Helper()
	// Not t.TempDir: its parents keep other users out.
	folder, err := os.MkdirTemp("", "postgresqltest")
	require.NoError(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(folder) })
	require.NoError(t, os.Chmod(folder, 0o755))
	binaries, data := filepath.Join(folder, "pg"), filepath.Join(folder, "data")
	fetch(t, binaries, folder)
	require.NoError(t, os.Mkdir(data, 0o700))
	password := filepath.Join(folder, "password")
	require.NoError(t, os.WriteFile(password, []byte(Password), 0o600))
	if os.Getuid() == 0 {
		require.NoError(t, os.Chown(data, nobody, nobody))
		require.NoError(t, os.Chown(password, nobody, nobody))
	}
	output, err := command(t.Context(), folder, filepath.Join(binaries, "bin", "initdb"), "-D", data, "-U", "postgres",
		"-A", "scram-sha-256", "--pwfile", password, "--no-locale", "-E", "UTF8", "--no-sync").CombinedOutput()
	require.NoError(t, err, "initdb: %s", output)

	s := &Server{Port: freePort(t)}
	var log bytes.Buffer
	// Not the test's context, which ends before the clean-up does.
	s.process = command(context.Background(), folder, filepath.Join(binaries, "bin", "postgres"), "-D", data, "-p", strconv.Itoa(s.Port),
		"-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories=", "-c", "fsync=off")
	s.process.Stdout, s.process.Stderr = &log, &log
	require.NoError(t, s.process.Start())
	t.Cleanup(func() {
		_ = s.process.Process.Signal(syscall.SIGINT) // ends sessions and then itself
		_ = s.process.Wait()
		if t.Failed() {
			t.Logf("PostgreSQL's log:\n%s", log.String())
		}
	})
	s.Admin, err = sql.Open("pgx", s.DSN("postgres", Password, "postgres"))
	require.NoError(t, err)
	t.Cleanup(func() { _ = s.Admin.Close() })
	require.Eventually(t, func() bool { return s.Admin.PingContext(t.Context()) == nil }, 30*time.Second, 20*time.Millisecond)
	return s
}

// DSN is the data source of a user.
func (s *Server) DSN(user, password, database string) string {
	return fmt.Sprintf("postgres://%s:%s@127.0.0.1:%d/%s", user, password, s.Port, database)
}

// Exec runs statements as the superuser.
func (s *Server) Exec(t *testing.T, statements ...string) {
	t.Helper()
	for _, statement := range statements {
		_, err := s.Admin.ExecContext(t.Context(), statement)
		require.NoError(t, err, statement)
	}
}

// Stop stops every process of the server where it stands, as a machine that hangs
// does; Continue lets them run on.
func (s *Server) Stop(t *testing.T) { s.signal(t, syscall.SIGSTOP) }

// Continue undoes Stop.
func (s *Server) Continue(t *testing.T) { s.signal(t, syscall.SIGCONT) }

func (s *Server) signal(t *testing.T, sig syscall.Signal) {
	t.Helper()
	parent := s.process.Process.Pid
	children, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", parent, parent))
	require.NoError(t, err)
	require.NoError(t, syscall.Kill(parent, sig))
	for _, pid := range bytes.Fields(children) {
		id, err := strconv.Atoi(string(pid))
		require.NoError(t, err)
		// A child that has just ended needs no signal.
		_ = syscall.Kill(id, sig)
	}
}

// fetch unpacks the binaries. The library only does so on its way to a running
// server, which it cannot start for root: a locale that does not exist ends its
// way there.
func fetch(t *testing.T, binaries, folder string) {
	t.Helper()
	err := embeddedpostgres.NewDatabase(embeddedpostgres.DefaultConfig().Version(version).
		BinariesPath(binaries).RuntimePath(filepath.Join(folder, "runtime")).DataPath(filepath.Join(folder, "unused")).
		Port(uint32(freePort(t))).Locale("no such locale").Logger(io.Discard)).Start()
	require.FileExists(t, filepath.Join(binaries, "bin", "initdb"), "fetch PostgreSQL %s: %v", version, err)
	require.NoError(t, filepath.WalkDir(binaries, func(path string, e os.DirEntry, err error) error {
		if err != nil || !e.IsDir() {
			return err
		}
		return os.Chmod(path, 0o755)
	}))
}

func command(ctx context.Context, folder, name string, args ...string) *exec.Cmd {
	c := exec.CommandContext(ctx, name, args...)
	c.Dir = folder
	c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if os.Getuid() == 0 {
		c.SysProcAttr.Credential = &syscall.Credential{Uid: nobody, Gid: nobody, NoSetGroups: true}
	}
	return c
}

func freePort(t *testing.T) int {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer func() { _ = listener.Close() }()
	return listener.Addr().(*net.TCPAddr).Port
}
