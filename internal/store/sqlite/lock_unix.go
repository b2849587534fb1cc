//go:build !windows

package sqlite

import (
	"os"

	"golang.org/x/sys/unix"
)

// lockFile takes f for this process alone; busy tells that another has it. The
// lock is the kernel's and ends with the process, however it ends.
func lockFile(f *os.File) (busy bool, err error) {
	err = unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	return err == unix.EWOULDBLOCK, err
}

func unlockFile(f *os.File) error { return unix.Flock(int(f.Fd()), unix.LOCK_UN) }

// syncFolder makes the names of new files durable.
func syncFolder(dir string) error {
	d, err := os.Open(dir) //nolint:gosec // the state folder
	if err != nil {
		return err
	}
	defer d.Close() //nolint:errcheck // read only
	return d.Sync()
}

// freeBytes is the room that this process may use on the disk of dir.
func freeBytes(dir string) (uint64, error) {
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil {
		return 0, err
	}
	return uint64(st.Bavail) * uint64(st.Bsize), nil
}
