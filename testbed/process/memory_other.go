//go:build !linux

package process

import "errors"

// Resident is the memory of the program itself, in bytes.
func (p *Process) Resident() (int64, error) {
	return 0, errors.New("the memory of a process is read on Linux only")
}
