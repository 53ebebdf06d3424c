package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
	corev1 "k8s.io/api/core/v1"
)

// removalAttempts and removalPause bound the wait for killed processes to leave their cgroup: two seconds.
const (
	removalAttempts = 200
	removalPause    = 10 * time.Millisecond
)

// cgroups are those of a node's pods, laid out as the kubelet and the container runtimes do.
type cgroups struct {
	// root is the part of the cgroup2 hierarchy that stands for the node's.
	root                   string
	driver, runtime, where string
	// v1 has the containers where they are not in the cgroup2 hierarchy.
	v1 *hierarchy
	// containers is the directory beneath which they are.
	containers string
	// sockets is the cgroup2 directory in which all containers run; empty where each has its own.
	sockets string
}

// prefixes are those of the names of containers, by runtime: of systemd scopes, and of directories.
var prefixes = map[string]struct{ scope, directory string }{
	"containerd": {scope: "cri-containerd-"},
	"cri-o":      {scope: "crio-", directory: "crio-"},
	"docker":     {scope: "docker-"},
}

// open makes what the node's containers need before there are any.
func (c *cgroups) open(name string) (err error) {
	if c.driver != "systemd" && c.driver != "cgroupfs" {
		return fmt.Errorf("--cgroup-driver is %q: say systemd or cgroupfs", c.driver)
	}
	if _, known := prefixes[c.runtime]; !known {
		return fmt.Errorf("--runtime is %q: say containerd, cri-o or docker", c.runtime)
	}
	if err := os.MkdirAll(c.root, 0o755); err != nil {
		return err
	}
	switch c.where {
	case unified:
		c.containers = c.root
		return nil
	case hybrid:
		c.sockets = filepath.Join(c.root, "system.slice", c.runtime+".service")
	case legacy:
		c.sockets = hierarchyRoot(c.root)
	default:
		return fmt.Errorf("--cgroup-hierarchy is %q: say %s, %s or %s", c.where, unified, hybrid, legacy)
	}
	if c.v1, err = openHierarchy(name); err != nil {
		return err
	}
	c.containers = c.v1.path()
	return os.MkdirAll(c.sockets, 0o755)
}

// pod is the directory of a pod.
func (c *cgroups) pod(object *corev1.Pod) string {
	uid, class := string(object.UID), strings.ToLower(string(object.Status.QOSClass))
	guaranteed := class == "guaranteed"
	if c.driver == "cgroupfs" {
		if guaranteed {
			return filepath.Join(c.containers, "kubepods", "pod"+uid)
		}
		return filepath.Join(c.containers, "kubepods", class, "pod"+uid)
	}
	uid = strings.ReplaceAll(uid, "-", "_")
	if guaranteed {
		return filepath.Join(c.containers, "kubepods.slice", "kubepods-pod"+uid+".slice")
	}
	slice := fmt.Sprintf("kubepods-%s-pod%s.slice", class, uid)
	return filepath.Join(c.containers, "kubepods.slice", "kubepods-"+class+".slice", slice)
}

// container is the directory of one of a pod's containers.
func (c *cgroups) container(pod, id string) string {
	prefix := prefixes[c.runtime]
	if c.driver == "cgroupfs" {
		return filepath.Join(pod, prefix.directory+id)
	}
	scope := filepath.Join(pod, prefix.scope+id+".scope")
	if c.runtime == "cri-o" && c.where == unified {
		// CRI-O runs containers with crun, which on cgroup v2 gives them a cgroup within their scope.
		return filepath.Join(scope, "container")
	}
	return scope
}

// birthplace is the cgroup2 directory in which a container's process is born, and the v1 one that it then joins, if any.
func (c *cgroups) birthplace(container string) (born, joins string) {
	if c.sockets == "" {
		return container, ""
	}
	return c.sockets, container
}

// remove takes the node's cgroups away, which by now hold no process.
func (c *cgroups) remove() {
	removeCgroup(c.root)
	if c.v1 != nil {
		removeCgroup(filepath.Join(c.containers, "kubepods"))
		removeCgroup(filepath.Join(c.containers, "kubepods.slice"))
		c.v1.close()
	}
}

// removeCgroup kills what is in a cgroup and takes it away with all that is beneath it.
func removeCgroup(path string) {
	for range removalAttempts {
		killCgroup(path)
		if removeTree(path) == nil {
			return
		}
		time.Sleep(removalPause)
	}
}

// killCgroup kills what is in a cgroup and beneath it. In cgroup v1 that is one process after the other.
func killCgroup(path string) {
	if !exists(filepath.Join(path, "tasks")) { // of v1 alone
		// It is absent in the hierarchy's root only.
		_ = os.WriteFile(filepath.Join(path, "cgroup.kill"), []byte("1"), 0)
		return
	}
	_ = filepath.WalkDir(path, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.Name() != "cgroup.procs" {
			return nil
		}
		text, _ := os.ReadFile(path)
		for _, line := range strings.Fields(string(text)) {
			if process, err := strconv.Atoi(line); err == nil {
				_ = unix.Kill(process, unix.SIGKILL)
			}
		}
		return nil
	})
}

func removeTree(path string) error {
	var directories []string
	err := filepath.WalkDir(path, func(path string, entry fs.DirEntry, err error) error {
		if err == nil && entry.IsDir() {
			directories = append(directories, path)
		}
		return nil
	})
	for _, directory := range slices.Backward(directories) {
		if removed := os.Remove(directory); !errors.Is(removed, os.ErrNotExist) {
			err = errors.Join(err, removed)
		}
	}
	return err
}
