package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"strconv"
)

// ports are those of one control plane on loopback.
type ports struct {
	API, Etcd, EtcdPeer int
}

// Below the range from which Linux takes ports for outgoing connections (32768 and up): nobody takes a port while the
// control plane that owns it is down.
const (
	firstPort = 20_000
	lastPort  = 32_000
	// How often a port that is taken may be picked. With a thousand taken ones, all fail once in 10^100 starts.
	portAttempts = 100
)

// portsOf are those that the directory's control plane had before; free ones at its first start.
func portsOf(dir string) (ports, error) {
	path := filepath.Join(dir, "ports.json")
	var p ports
	text, err := os.ReadFile(path)
	if err == nil {
		return p, json.Unmarshal(text, &p)
	}
	if !errors.Is(err, os.ErrNotExist) {
		return p, err
	}
	for _, port := range []*int{&p.API, &p.Etcd, &p.EtcdPeer} {
		if *port, err = freePort(); err != nil {
			return p, err
		}
	}
	if text, err = json.Marshal(p); err != nil {
		return p, err
	}
	return p, os.WriteFile(path, text, 0o644)
}

func freePort() (int, error) {
	for range portAttempts {
		port := firstPort + rand.IntN(lastPort-firstPort)
		listener, err := net.Listen("tcp", net.JoinHostPort(apiHost, strconv.Itoa(port)))
		if err != nil {
			continue
		}
		return port, listener.Close()
	}
	return 0, fmt.Errorf("no free port between %d and %d in %d attempts", firstPort, lastPort, portAttempts)
}
