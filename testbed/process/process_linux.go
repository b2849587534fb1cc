package process

import (
	"bytes"
	"os"
	"strconv"
	"syscall"
)

// Attributes are what exec needs to start a program with the identity.
func (i Identity) Attributes() *syscall.SysProcAttr {
	a := &syscall.SysProcAttr{Setsid: true, Pdeathsig: syscall.SIGTERM}
	if i.UID != 0 {
		a.Credential = &syscall.Credential{Uid: i.UID, Gid: i.GID}
	}
	return a
}

// members lists the living processes of a session.
func members(session int) []int {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil
	}
	var pids []int
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		stat, err := os.ReadFile("/proc/" + e.Name() + "/stat")
		if err != nil {
			continue
		}
		// pid (name, which may hold anything) state ppid pgrp session …
		fields := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:])
		if len(fields) < 4 || fields[0][0] == 'Z' || fields[0][0] == 'X' {
			continue
		}
		if id, err := strconv.Atoi(string(fields[3])); err == nil && id == session {
			pids = append(pids, pid)
		}
	}
	return pids
}
