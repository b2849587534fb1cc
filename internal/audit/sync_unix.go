//go:build !windows

package audit

import (
	"errors"
	"os"
)

// syncFolder makes the names of new files durable.
func syncFolder(dir string) error {
	d, err := os.Open(dir) //nolint:gosec // the state folder
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
