// Package postgres installs and starts a real PostgreSQL without assuming an
// installation: pinned binaries from Maven Central, run by an unprivileged user.
package postgres

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/xi2/xz"

	"github.com/otelcol-selfheal/otelcol-selfheal/testbed/cache"
	"github.com/otelcol-selfheal/otelcol-selfheal/testbed/process"
)

const version = "17.5.0"

// pinned are the binaries by GOOS-GOARCH: how Maven names them, and their SHA-256.
var pinned = map[string][2]string{
	"linux-amd64":  {"linux-amd64", "646f3269075d1a23904127374e3cdbcef96beb32979fedee25d835877400fcbe"},
	"linux-arm64":  {"linux-arm64v8", "e02f27ff50ff2d90b6541d54f3f108505aacd84ea53c2890e976a684bfea2752"},
	"darwin-amd64": {"darwin-amd64", "fb70f783928e77c3d6ef5ca8ed644f1ac502f740fcfc032a375c8347820f2bdd"},
	"darwin-arm64": {"darwin-arm64v8", "e9d3398e10c2ec926395498b03e75ad1a24eeaed82895e756a7e173b202cf6de"},
}

// User and Password of the superuser.
const (
	User     = "postgres"
	Password = "postgres" //nolint:gosec // a database of tests on loopback
)

// Install unpacks PostgreSQL into the cache and returns its folder.
func Install(ctx context.Context, root string) (string, error) {
	system := runtime.GOOS + "-" + runtime.GOARCH
	pin, ok := pinned[system]
	if !ok {
		return "", fmt.Errorf("no pinned PostgreSQL for %s", system)
	}
	dir := filepath.Join(place(root), "postgres-"+version+"-"+pin[1][:12])
	return dir, cache.Once(dir, func() error {
		name := "embedded-postgres-binaries-" + pin[0]
		url := "https://repo1.maven.org/maven2/io/zonky/test/postgres/" + name + "/" + version + "/" + name + "-" + version + ".jar"
		jar, err := download(ctx, url, pin[1])
		if err != nil {
			return err
		}
		return unpack(jar, dir)
	})
}

func download(ctx context.Context, url, sum string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Minute)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return nil, fmt.Errorf("download PostgreSQL: %w", err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, fmt.Errorf("download PostgreSQL: %w", err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("download PostgreSQL: %s answers %s", url, resp.Status)
	}
	data, err := io.ReadAll(io.LimitReader(resp.Body, 256<<20))
	if err != nil {
		return nil, fmt.Errorf("download PostgreSQL: %w", err)
	}
	if got := sha256.Sum256(data); hex.EncodeToString(got[:]) != sum {
		return nil, fmt.Errorf("download PostgreSQL: %s has SHA-256 %x, the lock says %s", url, got, sum)
	}
	return data, nil
}

func unpack(jar []byte, dir string) error {
	archive, err := zip.NewReader(bytes.NewReader(jar), int64(len(jar)))
	if err != nil {
		return fmt.Errorf("unpack PostgreSQL: %w", err)
	}
	for _, f := range archive.File {
		if !strings.HasSuffix(f.Name, ".txz") {
			continue
		}
		inner, err := f.Open()
		if err != nil {
			return fmt.Errorf("unpack PostgreSQL: %w", err)
		}
		defer inner.Close()
		plain, err := xz.NewReader(inner, 0)
		if err != nil {
			return fmt.Errorf("unpack PostgreSQL: %w", err)
		}
		return extract(tar.NewReader(plain), dir)
	}
	return errors.New("unpack PostgreSQL: the archive holds no .txz")
}

func extract(files *tar.Reader, dir string) error {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return fmt.Errorf("unpack PostgreSQL: %w", err)
	}
	defer root.Close()
	for {
		h, err := files.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("unpack PostgreSQL: %w", err)
		}
		if err := one(root, h, files); err != nil {
			return fmt.Errorf("unpack %s of PostgreSQL: %w", h.Name, err)
		}
	}
}

func one(root *os.Root, h *tar.Header, content io.Reader) error {
	name := filepath.Clean(h.Name)
	switch h.Typeflag {
	case tar.TypeDir:
		return root.MkdirAll(name, 0o755)
	case tar.TypeSymlink:
		return root.Symlink(h.Linkname, name)
	case tar.TypeReg:
		if err := root.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			return err
		}
		mode := fs.FileMode(0o644)
		if h.Mode&0o100 != 0 {
			mode = 0o755 // another user runs it
		}
		f, err := root.OpenFile(name, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, mode)
		if err != nil {
			return err
		}
		defer f.Close()
		_, err = io.Copy(f, content) //nolint:gosec // the archive's hash is pinned
		return err
	}
	return nil
}

// Server is a running PostgreSQL.
type Server struct {
	Port int
	proc *process.Process
}

// Start makes a new database cluster by the name given and starts it.
func Start(ctx context.Context, root, name, logs string) (*Server, error) {
	install, err := Install(ctx, root)
	if err != nil {
		return nil, err
	}
	data := filepath.Join(place(root), "run", "postgres-"+name)
	port, err := process.Port()
	if err != nil {
		return nil, err
	}
	uid, gid, err := somebody()
	if err != nil {
		return nil, err
	}
	if err := os.RemoveAll(data); err != nil {
		return nil, fmt.Errorf("clear the old cluster: %w", err)
	}
	if err := makeFolder(data); err != nil {
		return nil, fmt.Errorf("create the cluster's folder: %w", err)
	}
	if uid != 0 {
		if err := os.Chown(data, int(uid), int(gid)); err != nil {
			return nil, fmt.Errorf("give the cluster's folder to an unprivileged user: %w", err)
		}
	}
	as := process.Identity{UID: uid, GID: gid}
	init := exec.CommandContext(ctx, filepath.Join(install, "bin", "initdb"), "-D", data, "-U", User, "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync")
	init.Dir, init.SysProcAttr = data, as.Attributes()
	if out, err := init.CombinedOutput(); err != nil {
		hint := ""
		if uid != 0 {
			hint = fmt.Sprintf(" (PostgreSQL refuses to run as root, so it runs as user %d, who must be able to enter %s)", uid, install)
		}
		return nil, fmt.Errorf("initdb: %w%s\n%s", err, hint, out)
	}
	p, err := process.Start(process.Spec{
		Name: "postgres", Path: filepath.Join(install, "bin", "postgres"), Dir: data, Env: os.Environ(), Logs: logs, As: as,
		// The cluster lives for one run of the tests: nothing has to survive a power cut.
		Args: []string{"-D", data, "-p", strconv.Itoa(port), "-h", "127.0.0.1", "-k", "", "-c", "max_connections=200", "-c", "fsync=off", "-c", "shared_buffers=128MB"},
		Quit: syscall.SIGINT, // fast shutdown
	})
	if err != nil {
		return nil, err
	}
	s := &Server{Port: port, proc: p}
	if err := s.ready(ctx); err != nil {
		return nil, errors.Join(err, s.Stop())
	}
	return s, nil
}

// somebody is the user that the server runs as when we are root; 0 when we are not.
func somebody() (uid, gid uint32, err error) {
	if os.Geteuid() != 0 {
		return 0, 0, nil
	}
	u, err := user.Lookup("nobody")
	if err != nil {
		return 0, 0, fmt.Errorf("PostgreSQL refuses to run as root, and there is no user nobody: %w", err)
	}
	id, err := strconv.ParseUint(u.Uid, 10, 32)
	if err != nil {
		return 0, 0, fmt.Errorf("read the ID of nobody: %w", err)
	}
	group, err := strconv.ParseUint(u.Gid, 10, 32)
	if err != nil {
		return 0, 0, fmt.Errorf("read the group of nobody: %w", err)
	}
	return uint32(id), uint32(group), nil
}

func makeFolder(data string) error {
	if err := os.MkdirAll(filepath.Dir(data), 0o755); err != nil {
		return err
	}
	return os.Mkdir(data, 0o700)
}

// place is the checkout's cache. As root it is a folder for all where another
// user may not enter the checkout, such as one in root's home.
func place(root string) string {
	cached := filepath.Join(root, ".cache")
	if os.Geteuid() != 0 {
		return cached
	}
	for dir := root; ; dir = filepath.Dir(dir) {
		info, err := os.Stat(dir)
		if err != nil || info.Mode()&0o001 == 0 {
			return filepath.Join(os.TempDir(), "otelcol-selfheal-cache")
		}
		if dir == filepath.Dir(dir) {
			return cached
		}
	}
}

func (s *Server) ready(ctx context.Context) error {
	for {
		if err := s.proc.Err(); err != nil {
			return fmt.Errorf("%w\n%s", err, s.proc.Tail(2000))
		}
		conn, err := pgx.Connect(ctx, s.URL("postgres"))
		if err == nil {
			return conn.Close(ctx)
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("wait for PostgreSQL: %w; last: %w", ctx.Err(), err)
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// URL names a database of the server.
func (s *Server) URL(database string) string {
	return fmt.Sprintf("postgresql://%s:%s@127.0.0.1:%d/%s?sslmode=disable", User, Password, s.Port, database)
}

// Create makes a database.
func (s *Server) Create(ctx context.Context, database string) error {
	conn, err := pgx.Connect(ctx, s.URL("postgres"))
	if err != nil {
		return fmt.Errorf("connect to PostgreSQL: %w", err)
	}
	defer conn.Close(ctx)
	if _, err := conn.Exec(ctx, "CREATE DATABASE "+pgx.Identifier{database}.Sanitize()); err != nil {
		return fmt.Errorf("create the database %s: %w", database, err)
	}
	return nil
}

// Stop ends the server.
func (s *Server) Stop() error { return s.proc.Stop(5 * time.Second) }
