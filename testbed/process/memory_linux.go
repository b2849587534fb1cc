package process

import (
	"fmt"
	"os"
)

// Resident is the memory of the program itself, in bytes.
func (p *Process) Resident() (int64, error) {
	f, err := os.Open(fmt.Sprintf("/proc/%d/statm", p.PID))
	if err != nil {
		return 0, fmt.Errorf("read the memory of %s: %w", p.Name, err)
	}
	defer f.Close()
	var size, resident int64
	if _, err := fmt.Fscan(f, &size, &resident); err != nil {
		return 0, fmt.Errorf("read the memory of %s: %w", p.Name, err)
	}
	return resident * int64(os.Getpagesize()), nil
}
