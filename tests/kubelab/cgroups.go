package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
)

// removalAttempts and removalPause bound the wait for killed processes to leave their cgroup: two seconds.
const (
	removalAttempts = 200
	removalPause    = 10 * time.Millisecond
)

// cgroups is the part of the cgroup2 hierarchy that stands for a node's, laid out as the kubelet does.
type cgroups struct {
	root, driver, runtime string
}

// prefixes are those of systemd scopes, by runtime.
var prefixes = map[string]string{"containerd": "cri-containerd", "cri-o": "crio", "docker": "docker"}

// pod is the directory of a pod.
func (c cgroups) pod(object *corev1.Pod) string {
	uid, class := string(object.UID), strings.ToLower(string(object.Status.QOSClass))
	guaranteed := class == "guaranteed"
	if c.driver == "cgroupfs" {
		if guaranteed {
			return filepath.Join(c.root, "kubepods", "pod"+uid)
		}
		return filepath.Join(c.root, "kubepods", class, "pod"+uid)
	}
	uid = strings.ReplaceAll(uid, "-", "_")
	if guaranteed {
		return filepath.Join(c.root, "kubepods.slice", "kubepods-pod"+uid+".slice")
	}
	return filepath.Join(c.root, "kubepods.slice", "kubepods-"+class+".slice", fmt.Sprintf("kubepods-%s-pod%s.slice", class, uid))
}

// container is the directory of one of a pod's containers.
func (c cgroups) container(pod, id string) string {
	if c.driver == "cgroupfs" {
		return filepath.Join(pod, id)
	}
	return filepath.Join(pod, prefixes[c.runtime]+"-"+id+".scope")
}

// remove takes the node's root away, which by now holds no process.
func (c cgroups) remove() {
	removeCgroup(c.root)
}

// removeCgroup kills what is in a cgroup and takes it away with all that is beneath it.
func removeCgroup(path string) {
	// Absent in the hierarchy's root only.
	_ = os.WriteFile(filepath.Join(path, "cgroup.kill"), []byte("1"), 0)
	for range removalAttempts {
		if removeTree(path) == nil {
			return
		}
		time.Sleep(removalPause)
	}
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
