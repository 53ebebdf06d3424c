package main

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/klog/v2"
)

// Exit codes that a kubelet reports, too.
const (
	exitCannotRun = 128
	exitKilled    = 137
)

// longestBackOff bounds the pause before a container is started again; it grows by a second each time.
const longestBackOff = 10 * time.Second

// longestStart bounds the wait for a container's own program: a machine that starts many at once takes seconds.
const longestStart = 30 * time.Second

// newContainerID is 64 hexadecimal digits, as container runtimes have them.
func newContainerID() string {
	id := make([]byte, 32)
	_, _ = rand.Read(id) // never fails
	return hex.EncodeToString(id)
}

// keepRunning runs a container again and again, as its policy has it, until the pod ends.
func (p *pod) keepRunning(container corev1.Container, policy corev1.RestartPolicy) {
	for restarts := int32(0); p.ctx.Err() == nil; restarts++ {
		code := p.runOnce(container, restarts)
		if policy == corev1.RestartPolicyNever || policy == corev1.RestartPolicyOnFailure && code == 0 {
			return
		}
		if sleep(p.ctx, min(time.Duration(restarts+1)*time.Second, longestBackOff)) != nil {
			return
		}
	}
}

// runOnce runs a container's program to its end and returns its exit code.
func (p *pod) runOnce(container corev1.Container, restarts int32) int {
	id := newContainerID()
	cgroup := p.node.cgroups.container(p.cgroup, id)
	command, err := p.launch(container, cgroup)
	status := corev1.ContainerStatus{
		Name: container.Name, Image: container.Image, ImageID: container.Image, RestartCount: restarts,
		ContainerID: p.node.cgroups.runtime + "://" + id,
	}
	if err != nil {
		klog.Errorf("pod %s/%s, container %s: %v", p.object.Namespace, p.object.Name, container.Name, err)
		status.State.Waiting = &corev1.ContainerStateWaiting{Reason: "RunContainerError", Message: err.Error()}
		p.setStatus(status, 0)
		return exitCannotRun
	}
	begin, running := metav1.Now(), true
	status.State.Running = &corev1.ContainerStateRunning{StartedAt: begin}
	status.Started = &running
	status.Ready = container.ReadinessProbe == nil
	p.setStatus(status, command.Process.Pid)
	probing, stopProbing := context.WithCancel(p.ctx)
	if container.ReadinessProbe != nil {
		go p.probe(probing, container, status.ContainerID)
	}
	code := exitCode(command)
	stopProbing()
	removeCgroup(cgroup) // what it has started ends with it

	running = false
	status.Started, status.Ready = &running, false
	reason := "Completed"
	if code != 0 {
		reason = "Error"
	}
	status.State = corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{
		ExitCode: int32(code), Reason: reason, StartedAt: begin, FinishedAt: metav1.Now(), ContainerID: status.ContainerID,
	}}
	p.setStatus(status, 0)
	return code
}

func exitCode(command *exec.Cmd) int {
	_ = command.Wait() // its error says no more than the exit code
	if code := command.ProcessState.ExitCode(); code >= 0 {
		return code
	}
	return exitKilled
}

// launch starts a container's program in the pod's network namespace, born in the container's cgroup.
func (p *pod) launch(container corev1.Container, cgroup string) (*exec.Cmd, error) {
	if err := os.MkdirAll(cgroup, 0o755); err != nil {
		return nil, err
	}
	born, joins := p.node.cgroups.birthplace(cgroup)
	directory, err := os.Open(born)
	if err != nil {
		return nil, err
	}
	defer directory.Close()
	logs := filepath.Join(p.node.dir, "logs")
	if err := os.MkdirAll(logs, 0o755); err != nil {
		return nil, err
	}
	name := fmt.Sprintf("%s_%s_%s.log", p.object.Namespace, p.object.Name, container.Name)
	log, err := os.OpenFile(filepath.Join(logs, name), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	environment := p.environment(container)
	plan, err := json.Marshal(initPlan{
		Hostname: p.object.Name, Cgroup: joins, Directory: container.WorkingDir,
		Mounts: p.mounts(container), Words: commandLine(container, environment),
	})
	if err != nil {
		return nil, err
	}
	command := exec.Command("/proc/self/exe", initCommand, string(plan))
	command.Args[0] = "kubelab"
	command.Env, command.Stdout, command.Stderr = environment, log, log
	command.SysProcAttr = &syscall.SysProcAttr{
		Setsid: true, Cloneflags: syscall.CLONE_NEWNS | syscall.CLONE_NEWUTS,
		UseCgroupFD: true, CgroupFD: int(directory.Fd()),
	}
	ready, begins, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer ready.Close()
	command.ExtraFiles = []*os.File{begins}
	err = inNamespace(p.namespace, command.Start)
	begins.Close()
	if err != nil {
		return nil, err
	}
	// Until its own program runs it may not be in its cgroup yet, and to a runtime it is not started. A program that does not
	// come to run ends, and with it the pipe.
	_ = ready.SetReadDeadline(time.Now().Add(longestStart))
	_, _ = ready.Read(make([]byte, 1))
	return command, nil
}

// commandLine is the container's command line; there are no images, so without a command it is one of kubelab's own.
func commandLine(container corev1.Container, environment []string) []string {
	all := append(append([]string{}, container.Command...), container.Args...)
	if len(container.Command) == 0 {
		all = append([]string{"kubelab"}, container.Args...)
		if len(container.Args) == 0 {
			all = append(all, "pause")
		}
	}
	for i := range all {
		for _, variable := range environment {
			name, value, _ := strings.Cut(variable, "=")
			all[i] = strings.ReplaceAll(all[i], "$("+name+")", value)
		}
	}
	return all
}

func (p *pod) environment(container corev1.Container) []string {
	all := []string{
		"PATH=" + os.Getenv("PATH"), "HOME=/", "HOSTNAME=" + p.object.Name,
		"KUBERNETES_SERVICE_HOST=" + apiClusterIP, "KUBERNETES_SERVICE_PORT=443",
	}
	fields := map[string]string{
		"metadata.name": p.object.Name, "metadata.namespace": p.object.Namespace, "metadata.uid": string(p.object.UID),
		"status.podIP": p.addresses[0], "status.hostIP": p.node.addresses[0],
		"spec.nodeName": p.node.name, "spec.serviceAccountName": p.object.Spec.ServiceAccountName,
	}
	for _, variable := range container.Env {
		value := variable.Value
		if from := variable.ValueFrom; from != nil && from.FieldRef != nil {
			value = fields[from.FieldRef.FieldPath]
		}
		all = append(all, variable.Name+"="+value)
	}
	return all
}
