//go:build !linux

package process

import (
	"os/exec"
	"strconv"
	"strings"
	"syscall"
)

// Attributes are what exec needs to start a program with the identity.
func (i Identity) Attributes() *syscall.SysProcAttr {
	a := &syscall.SysProcAttr{Setsid: true}
	if i.UID != 0 {
		a.Credential = &syscall.Credential{Uid: i.UID, Gid: i.GID}
	}
	return a
}

// members lists the living processes of the group and all descendants; ps on
// other systems does not tell session IDs.
func members(session int) []int {
	out, err := exec.Command("ps", "-A", "-o", "pid=,ppid=,pgid=,stat=").Output()
	if err != nil {
		return nil
	}
	inside := map[int]bool{session: true}
	var pids []int
	for grew := true; grew; {
		grew, pids = false, pids[:0]
		for line := range strings.Lines(string(out)) {
			f := strings.Fields(line)
			if len(f) < 4 || strings.HasPrefix(f[3], "Z") {
				continue
			}
			pid, _ := strconv.Atoi(f[0])
			parent, _ := strconv.Atoi(f[1])
			group, _ := strconv.Atoi(f[2])
			if pid != session && group != session && !inside[parent] {
				continue
			}
			if !inside[pid] {
				inside[pid], grew = true, true
			}
			pids = append(pids, pid)
		}
	}
	return pids
}
