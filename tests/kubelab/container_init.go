package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
)

// initCommand is what a container's process runs first, in its new namespaces.
const initCommand = "_init"

// beginsDescriptor is the end of a pipe that closes when the container's own program runs: the first after the standard ones.
const beginsDescriptor = 3

// initPlan is what has to be done there before the container's own program takes over.
type initPlan struct {
	Hostname  string
	Cgroup    string // of v1, to be joined; may be empty
	Directory string
	Mounts    []mount
	Words     []string
}

// mount is a file or directory of the host and where the container sees it.
type mount struct {
	Source, Target string
}

// private are the directories of the host that a container has empty ones for.
var private = map[string]bool{"tmp": true, "run": true}

// initContainer runs in the container's process. Its root is one of its own that shows the host's directories: there
// are no images, and mount points leave no trace on the host.
func initContainer(args []string) error {
	var plan initPlan
	if len(args) != 1 {
		return errors.New("it is started by a node, with a plan")
	}
	if err := json.Unmarshal([]byte(args[0]), &plan); err != nil {
		return err
	}
	syscall.CloseOnExec(beginsDescriptor)
	if err := syscall.Sethostname([]byte(plan.Hostname)); err != nil {
		return err
	}
	if plan.Cgroup != "" {
		if err := os.WriteFile(filepath.Join(plan.Cgroup, "cgroup.procs"), []byte("0"), 0); err != nil {
			return err
		}
	}
	if err := changeRoot(plan.Mounts); err != nil {
		return fmt.Errorf("root of the container: %w", err)
	}
	if plan.Directory != "" {
		if err := os.Chdir(plan.Directory); err != nil {
			return err
		}
	}
	program := "/proc/self/exe"
	if plan.Words[0] != "kubelab" {
		var err error
		if program, err = exec.LookPath(plan.Words[0]); err != nil {
			return err
		}
	}
	return syscall.Exec(program, plan.Words, os.Environ())
}

func changeRoot(mounts []mount) error {
	// A directory that surely exists; in this namespace nobody else sees what is mounted there.
	const root = "/mnt"
	if err := syscall.Mount("", "/", "", syscall.MS_REC|syscall.MS_PRIVATE, ""); err != nil {
		return err
	}
	if err := syscall.Mount("tmpfs", root, "tmpfs", 0, "mode=755"); err != nil {
		return err
	}
	entries, err := os.ReadDir("/")
	if err != nil {
		return err
	}
	for _, entry := range entries {
		if err := showEntry(root, entry); err != nil {
			return err
		}
	}
	for _, m := range mounts {
		if err := m.bind(root); err != nil {
			return fmt.Errorf("%s at %s: %w", m.Source, m.Target, err)
		}
	}
	if err := syscall.Chroot(root); err != nil {
		return err
	}
	return os.Chdir("/")
}

// showEntry makes an entry of the host's root visible in the new one.
func showEntry(root string, entry os.DirEntry) error {
	source, target := filepath.Join("/", entry.Name()), filepath.Join(root, entry.Name())
	if target == root+root {
		return nil
	}
	switch {
	case entry.Type()&os.ModeSymlink != 0:
		link, err := os.Readlink(source)
		if err != nil {
			return err
		}
		return os.Symlink(link, target)
	case !entry.IsDir():
		return nil
	}
	if err := os.Mkdir(target, 0o755); err != nil {
		return err
	}
	if private[entry.Name()] {
		return os.Chmod(target, 0o1777)
	}
	return syscall.Mount(source, target, "", syscall.MS_BIND|syscall.MS_REC, "")
}

// bind mounts a file or directory. A mount point that is missing is made, but never in a directory of the host.
func (m mount) bind(root string) error {
	source, err := os.Stat(m.Source)
	if err != nil {
		return err
	}
	target := filepath.Join(root, m.Target)
	if !exists(target) {
		if err := m.makePoint(root, target, source.IsDir()); err != nil {
			return err
		}
	}
	return syscall.Mount(m.Source, target, "", syscall.MS_BIND, "")
}

func (m mount) makePoint(root, target string, directory bool) error {
	ancestor := filepath.Dir(target)
	for !exists(ancestor) {
		ancestor = filepath.Dir(ancestor)
	}
	var here, there syscall.Stat_t
	if err := errors.Join(syscall.Stat(root, &here), syscall.Stat(ancestor, &there)); err != nil {
		return err
	}
	if here.Dev != there.Dev {
		return errors.New("the mount point would be made on the host: use a directory of its own, or one below /run or /tmp")
	}
	if directory {
		return os.MkdirAll(target, 0o755)
	}
	if err := os.MkdirAll(filepath.Dir(target), 0o755); err != nil {
		return err
	}
	return os.WriteFile(target, nil, 0o644)
}
