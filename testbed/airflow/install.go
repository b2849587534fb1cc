// Package airflow installs and starts a real Apache Airflow 3 from the
// project's own lock, and talks to it as a person would.
package airflow

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/otelcol-selfheal/otelcol-selfheal/testbed/cache"
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
func Install(root string) (Venv, error) {
	python, version, err := Python()
	if err != nil {
		return Venv{}, err
	}
	platforms := filepath.Join(root, "testbed", "platforms")
	uvLock := filepath.Join(platforms, "uv", "requirements.lock")
	lock := filepath.Join(platforms, "airflow", "requirements.lock")
	hash, err := cache.Hash([]string{uvLock, lock}, version, python)
	if err != nil {
		return Venv{}, err
	}
	uv := filepath.Join(root, ".cache", "uv-"+hash)
	err = cache.Once(uv, func() error {
		if err := cache.Run(os.Environ(), python, "-m", "venv", uv); err != nil {
			return err
		}
		return cache.Run(os.Environ(), filepath.Join(uv, "bin", "pip"), "install", "--quiet", "--disable-pip-version-check",
			"--require-hashes", "--only-binary", ":all:", "-r", uvLock)
	})
	if err != nil {
		return Venv{}, fmt.Errorf("install uv: %w", err)
	}
	venv := Venv{Dir: filepath.Join(root, ".cache", "airflow-"+hash)}
	err = cache.Once(venv.Dir, func() error {
		env := append(os.Environ(), "UV_CACHE_DIR="+filepath.Join(root, ".cache", "uv-downloads"), "UV_NO_PROGRESS=1", "UV_PYTHON_DOWNLOADS=never")
		tool := filepath.Join(uv, "bin", "uv")
		if err := cache.Run(env, tool, "venv", "--quiet", "--allow-existing", "--python", python, venv.Dir); err != nil {
			return err
		}
		return cache.Run(env, tool, "pip", "install", "--quiet", "--python", venv.bin("python"), "--require-hashes",
			"--compile-bytecode", "-r", lock)
	})
	if err != nil {
		return Venv{}, fmt.Errorf("install Airflow: %w", err)
	}
	return venv, nil
}
