package main

import (
	"io"
	"net"
	"os"
	"strconv"

	"k8s.io/klog/v2"
)

// The network that joins the nodes of a lab, with the API server in it. Nothing leads from it to the host or beyond, so
// labs may use the same addresses; their names differ.
const (
	fabricIP     = "192.168.77.1"
	fabricIPv6   = "fd77::1"
	fabricBridge = "fabric"
)

// fabric is a network namespace with a bridge, and a way for what is in it to the API server.
type fabric struct {
	namespace string
	listener  net.Listener
}

func fabricNamespace(lab string) string { return lab + "-fabric" }

// serveFabric makes the network of a lab and serves the API in it.
func serveFabric(lab string, apiPort int) (*fabric, error) {
	f := &fabric{namespace: fabricNamespace(lab)}
	if err := f.open(apiPort); err != nil {
		f.remove()
		return nil, err
	}
	go f.forward(net.JoinHostPort(apiHost, strconv.Itoa(apiPort)))
	return f, nil
}

func (f *fabric) open(apiPort int) (err error) {
	// The nodes live on when the control plane is killed: so does their network, and is found again here.
	if _, err := os.Stat("/run/netns/" + f.namespace); err != nil {
		if err := addNamespace(f.namespace); err != nil {
			return err
		}
		if err := ip(f.namespace,
			"link add "+fabricBridge+" type bridge",
			"address add "+fabricIP+"/24 dev "+fabricBridge,
			"address add "+fabricIPv6+"/64 dev "+fabricBridge+" nodad",
			"link set "+fabricBridge+" up"); err != nil {
			return err
		}
	}
	f.listener, err = listenIn(f.namespace, net.JoinHostPort(fabricIP, strconv.Itoa(apiPort)))
	return err
}

func (f *fabric) remove() {
	if f.listener != nil {
		f.listener.Close()
	}
	if err := removeNamespace(f.namespace); err != nil {
		klog.Error(err)
	}
}

// forward joins each connection to the listener with one to the address, in the host's namespace.
func (f *fabric) forward(address string) {
	for {
		inner, err := f.listener.Accept()
		if err != nil {
			return // the listener was closed
		}
		go func() {
			defer inner.Close()
			outer, err := net.Dial("tcp", address)
			if err != nil {
				return // the API server is away: so is this connection
			}
			defer outer.Close()
			go func() {
				_, _ = io.Copy(outer, inner)
				_ = outer.(*net.TCPConn).CloseWrite()
			}()
			_, _ = io.Copy(inner, outer)
		}()
	}
}
