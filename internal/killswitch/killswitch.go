// Package killswitch stops every action with a file in the state folder, so
// that a person can use it while the collector is down and it holds when the
// collector comes back. Who can write the folder can pull it.
package killswitch

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// File is the name of the switch in the state folder.
const File = "paused.json"

// Pulled says who stopped all actions, when and why.
type Pulled struct {
	By     string    `json:"by"`
	At     time.Time `json:"at"`
	Reason string    `json:"reason"`
}

// Read returns the switch of a state folder, nil where it is not pulled. A file
// that cannot be read or understood counts as pulled: doubt stops.
func Read(dir string) *Pulled {
	raw, err := os.ReadFile(filepath.Join(dir, File)) //nolint:gosec // the operator names the folder
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	var p Pulled
	if err == nil {
		err = json.Unmarshal(raw, &p)
	}
	if err != nil {
		return &Pulled{By: "unknown", Reason: fmt.Sprintf("the switch cannot be read: %v", err)}
	}
	return &p
}

// Pull stops all actions. It is durable when it returns nil.
func Pull(dir string, p Pulled) error {
	raw, err := json.Marshal(p)
	if err != nil {
		return err
	}
	tmp, err := os.CreateTemp(dir, File+".*")
	if err != nil {
		return fmt.Errorf("pause: %w", err)
	}
	defer os.Remove(tmp.Name()) //nolint:errcheck // gone after the rename
	_, err = tmp.Write(append(raw, '\n'))
	err = errors.Join(err, tmp.Sync(), tmp.Close())
	if err == nil {
		err = os.Rename(tmp.Name(), filepath.Join(dir, File))
	}
	if err == nil {
		err = syncDir(dir)
	}
	if err != nil {
		return fmt.Errorf("pause: %w", err)
	}
	return nil
}

// Release lets actions go on. Releasing what is not pulled is no error.
func Release(dir string) error {
	err := os.Remove(filepath.Join(dir, File))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("resume: %w", err)
	}
	return syncDir(dir)
}

func syncDir(dir string) error {
	d, err := os.Open(dir) //nolint:gosec // the operator names the folder
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
