package process

import (
	"errors"
	"fmt"
	"net"
	"sync"
)

var given sync.Map // ports handed out by this program

// Port returns a port of loopback that is free, and that it has not returned before.
func Port() (int, error) {
	for range 100 {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return 0, fmt.Errorf("find a free port: %w", err)
		}
		port := l.Addr().(*net.TCPAddr).Port
		l.Close()
		if _, again := given.LoadOrStore(port, true); !again {
			return port, nil
		}
	}
	return 0, errors.New("find a free port: the system offers the same ones again and again")
}
