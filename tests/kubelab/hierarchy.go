package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Where a node's containers have their cgroups.
const (
	// unified: in the cgroup2 hierarchy.
	unified = "unified"
	// hybrid: in a v1 hierarchy; in the cgroup2 one they stay where their runtime is.
	hybrid = "hybrid"
	// legacy: in a v1 hierarchy; in the cgroup2 one they are in the root.
	legacy = "v1"
)

// hierarchy is a cgroup v1 hierarchy without controllers, as systemd's is. It is mounted nowhere: this process holds it.
type hierarchy struct {
	name string
	root int // a file descriptor
}

func openHierarchy(name string) (*hierarchy, error) {
	context, err := unix.Fsopen("cgroup", unix.FSOPEN_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("cgroup v1: %w", err)
	}
	defer unix.Close(context)
	for _, step := range []func() error{
		func() error { return unix.FsconfigSetFlag(context, "none") },
		func() error { return unix.FsconfigSetString(context, "name", name) },
		func() error { return unix.FsconfigCreate(context) },
	} {
		if err := step(); err != nil {
			return nil, fmt.Errorf("cgroup v1 hierarchy %s: %w", name, err)
		}
	}
	root, err := unix.Fsmount(context, unix.FSMOUNT_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("cgroup v1 hierarchy %s: %w", name, err)
	}
	return &hierarchy{name: name, root: root}, nil
}

// path leads to its root, also from other processes.
func (h *hierarchy) path() string {
	return fmt.Sprintf("/proc/%d/fd/%d", unix.Getpid(), h.root)
}

// close ends it. Cgroups that were removed are there for some moments more, and an hierarchy that is let go of while it has
// any stays for ever: then it is taken up once more.
func (h *hierarchy) close() {
	for range removalAttempts {
		_ = unix.Close(h.root)
		all, err := os.ReadFile("/proc/self/cgroup")
		if err != nil || !strings.Contains(string(all), ":name="+h.name+":") {
			return
		}
		again, err := openHierarchy(h.name)
		if err != nil {
			return
		}
		h.root = again.root
		time.Sleep(removalPause)
	}
}

// hierarchyRoot is the root of the cgroup2 hierarchy that a directory is in: the only one without a type.
func hierarchyRoot(directory string) string {
	for exists(filepath.Join(directory, "cgroup.type")) {
		directory = filepath.Dir(directory)
	}
	return directory
}
