// Package capturetest is for tests that observe this machine: it says what they need, and makes connections for them to
// see.
package capturetest

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// Require skips the test, loudly, where this process may not load eBPF programs. With SERVICEMAP_REQUIRE_ALL=1 in the
// environment, as in CI, the test fails instead.
func Require(t testing.TB) {
	t.Helper()
	if os.Geteuid() == 0 {
		return
	}
	const why = "SKIPPED: observing the kernel needs root: run the tests as root (sudo -E go test ./...)"
	if os.Getenv("SERVICEMAP_REQUIRE_ALL") == "1" {
		t.Fatal(why)
	}
	t.Skip(why)
}

// roleVariable makes a test program play a peer instead of running tests.
const roleVariable = "SERVICEMAP_TEST_PEER"

// RunPeer plays the peer that this process was started for, and does not return then. A TestMain calls it first.
func RunPeer() {
	var err error
	switch os.Getenv(roleVariable) {
	case "":
		return
	case "server":
		err = serve()
	case "client":
		err = connect(os.Args[1])
	default:
		err = fmt.Errorf("unknown peer %q", os.Getenv(roleVariable))
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

// serve says where it listens, then accepts connections and reads them until its input is closed.
func serve() error {
	listener, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Println(listener.Addr())
	go func() {
		for {
			peer, err := listener.Accept()
			if err != nil {
				return
			}
			go func() { _, _ = io.Copy(io.Discard, peer) }()
		}
	}()
	_, err = io.Copy(io.Discard, os.Stdin)
	return err
}

// connect connects, sends a byte, says from where, and holds the connection until its input is closed.
func connect(address string) error {
	server, err := net.Dial("tcp4", address)
	if err != nil {
		return err
	}
	defer server.Close()
	if _, err := server.Write([]byte{1}); err != nil {
		return err
	}
	fmt.Println(server.LocalAddr())
	_, err = io.Copy(io.Discard, os.Stdin)
	return err
}

// Peer is a process of its own, under a program name of its own, at one end of a connection.
type Peer struct {
	// Address is the local one, as 127.0.0.1:PORT.
	Address string
	// Port is the port of Address.
	Port int
}

// Server starts a program of the given name (at most 15 bytes, the kernel keeps no more) that listens on loopback. It
// ends with the test.
func Server(t testing.TB, program string) Peer { return start(t, program, "server") }

// Client starts a program of the given name that holds one connection to a server. It ends with the test.
func Client(t testing.TB, program string, server Peer) Peer {
	return start(t, program, "client", server.Address)
}

func start(t testing.TB, program, role string, args ...string) Peer {
	t.Helper()
	path := filepath.Join(t.TempDir(), program)
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	// A copy and not a link: the executable's path is one of the ways to name a program.
	if err := copyFile(self, path); err != nil {
		t.Fatal(err)
	}
	peer := exec.Command(path, args...)
	peer.Env = append(os.Environ(), roleVariable+"="+role)
	peer.Stderr = os.Stderr
	stdin, err := peer.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := peer.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := peer.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = stdin.Close()
		if err := peer.Wait(); err != nil {
			t.Errorf("%s ended with %v", program, err)
		}
	})
	line, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil {
		t.Fatalf("%s did not say its address: %v", program, err)
	}
	address, err := net.ResolveTCPAddr("tcp4", strings.TrimSpace(line))
	if err != nil {
		t.Fatal(err)
	}
	return Peer{Address: address.String(), Port: address.Port}
}

func copyFile(from, to string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_CREATE|os.O_WRONLY|os.O_EXCL, 0o755)
	if err != nil {
		return err
	}
	if _, err := io.Copy(out, in); err != nil {
		_ = out.Close()
		return err
	}
	return out.Close()
}
