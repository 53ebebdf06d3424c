package main

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"

	"golang.org/x/sys/unix"
)

// run runs a program; what it wrote is part of its error.
func run(program string, args ...string) error {
	return runWith("", program, args...)
}

func runWith(stdin, program string, args ...string) error {
	command := exec.Command(program, args...)
	command.Stdin = strings.NewReader(stdin)
	if output, err := command.CombinedOutput(); err != nil {
		return fmt.Errorf("%s %s: %w: %s", program, strings.Join(args, " "), err, strings.TrimSpace(string(output)))
	}
	return nil
}

// ip runs lines of ip(8) inside a network namespace, all in one process.
func ip(namespace string, lines ...string) error {
	return runWith(strings.Join(lines, "\n")+"\n", "ip", "-n", namespace, "-batch", "-")
}

func addNamespace(name string) error {
	if err := run("ip", "netns", "add", name); err != nil {
		return err
	}
	return ip(name, "link set lo up")
}

// removeNamespace takes all that is in it along: links, addresses, rules.
func removeNamespace(name string) error {
	return run("ip", "netns", "delete", name)
}

// inNamespace runs f on a thread that has entered the network namespace. What f starts is born in it.
func inNamespace(name string, f func() error) error {
	done := make(chan error)
	go func() {
		// Never unlocked: the thread ends with the goroutine, so nothing else runs in the wrong namespace.
		runtime.LockOSThread()
		fd, err := unix.Open(filepath.Join("/run/netns", name), unix.O_RDONLY|unix.O_CLOEXEC, 0)
		if err != nil {
			done <- fmt.Errorf("network namespace %s: %w", name, err)
			return
		}
		defer unix.Close(fd)
		if err := unix.Setns(fd, unix.CLONE_NEWNET); err != nil {
			done <- fmt.Errorf("network namespace %s: %w", name, err)
			return
		}
		done <- f()
	}()
	return <-done
}

func listenIn(namespace, address string) (listener net.Listener, err error) {
	err = inNamespace(namespace, func() (err error) {
		listener, err = net.Listen("tcp", address)
		return err
	})
	return listener, err
}

// sysctl writes kernel settings of a network namespace, by their paths below /proc/sys/net.
func sysctl(namespace, value string, paths ...string) error {
	return inNamespace(namespace, func() error {
		for _, path := range paths {
			if err := os.WriteFile(filepath.Join("/proc/sys/net", path), []byte(value), 0); err != nil {
				return err
			}
		}
		return nil
	})
}
