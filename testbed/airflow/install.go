// Package airflow installs and starts a real Apache Airflow 3 from the
// project's own lock, and talks to it as a person would.
package airflow

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/otelcol-selfheal/otelcol-selfheal/testbed/cache"
	"github.com/otelcol-selfheal/otelcol-selfheal/testbed/process"
)

// Venv is an installed Airflow.
type Venv struct{ Dir string }

func (v Venv) bin(name string) string { return filepath.Join(v.Dir, "bin", name) }

// minimum asks a Python whether it is new enough, and complete.
const minimum = `import sys, venv, ensurepip; print("%d.%d" % sys.version_info[:2]); sys.exit(sys.version_info < (3, 10))`

// Python finds a Python that is 3.10 or later and can make virtual environments.
func Python() (path, version string, err error) {
	for _, name := range []string{"python3", "python3.14", "python3.13", "python3.12", "python3.11", "python3.10", "python"} {
		path, err := exec.LookPath(name)
		if err != nil {
			continue
		}
		if out, err := exec.Command(path, "-c", minimum).Output(); err == nil {
			return path, strings.TrimSpace(string(out)), nil
		}
	}
	return "", "", errors.New("missing: python3, 3.10 or later, with its venv module (on Debian: apt-get install python3 python3-venv)")
}

// Install makes a virtual environment with exactly what the lock names, unless
// the cache has it.
func Install(ctx context.Context, root string) (Venv, error) {
	python, version, err := Python()
	if err != nil {
		return Venv{}, err
	}
	platforms, cached := filepath.Join(root, "testbed", "platforms"), filepath.Join(root, ".cache")
	uvLock := filepath.Join(platforms, "uv", "requirements.lock")
	lock := filepath.Join(platforms, "airflow", "requirements.lock")
	hash, err := cache.Hash([]string{uvLock, lock}, version, python)
	if err != nil {
		return Venv{}, err
	}
	env := append(os.Environ(), "UV_CACHE_DIR="+filepath.Join(cached, "uv-downloads"), "UV_NO_PROGRESS=1", "UV_PYTHON_DOWNLOADS=never")
	run := func(name, path string, args ...string) error {
		return process.Run(ctx, process.Spec{Name: name, Path: path, Args: args, Env: env, Dir: root, Logs: filepath.Join(cached, "logs")})
	}
	uv := filepath.Join(cached, "uv-"+hash)
	err = cache.Once(uv, func() error {
		if err := run("uv-venv", python, "-m", "venv", uv); err != nil {
			return err
		}
		return run("uv-install", filepath.Join(uv, "bin", "pip"), "install", "--quiet", "--disable-pip-version-check",
			"--require-hashes", "--only-binary", ":all:", "-r", uvLock)
	})
	if err != nil {
		return Venv{}, fmt.Errorf("install uv: %w", err)
	}
	venv, tool := Venv{Dir: filepath.Join(cached, "airflow-"+hash)}, filepath.Join(uv, "bin", "uv")
	err = cache.Once(venv.Dir, func() error {
		if err := run("airflow-venv", tool, "venv", "--quiet", "--allow-existing", "--python", python, venv.Dir); err != nil {
			return err
		}
		return run("airflow-install", tool, "pip", "install", "--quiet", "--python", venv.bin("python"), "--require-hashes",
			"--compile-bytecode", "-r", lock)
	})
	if err != nil {
		return Venv{}, fmt.Errorf("install Airflow: %w", err)
	}
	return venv, nil
}
