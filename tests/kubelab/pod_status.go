package main

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/klog/v2"
)

// podFacts say where the parts of a running pod are.
type podFacts struct {
	// Namespace is the name of its network namespace.
	Namespace string `json:"namespace"`
	Node      string `json:"node"`
	// Addresses are IPv4, then IPv6.
	Addresses []string `json:"addresses"`
	// Cgroups are the directories that a process of a running container is in, by container.
	Cgroups map[string][]string `json:"cgroups"`
	// Processes are the ids of their first processes, by container.
	Processes map[string]int `json:"processes"`
}

func (p *pod) setStatus(status corev1.ContainerStatus, process int) {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	if before := p.statuses[status.Name]; before != nil && before.State.Terminated != nil {
		status.LastTerminationState.Terminated = before.State.Terminated
	}
	p.statuses[status.Name] = &status
	p.processes[status.Name] = process
	p.tell()
}

// setReady changes the readiness of a container, unless it is another one by now.
func (p *pod) setReady(name, id string, ready bool) {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	if status := p.statuses[name]; status != nil && status.ContainerID == id && status.Ready != ready {
		status.Ready = ready
		p.tell()
	}
}

// tell writes the pod's facts, then its status to the API server. The mutex is held: the last one told is the last
// that was so.
func (p *pod) tell() {
	if p.stopped {
		return
	}
	if err := p.writeFacts(); err != nil {
		klog.Errorf("facts of pod %s/%s: %v", p.object.Namespace, p.object.Name, err)
	}
	if wait := time.Until(p.toldFrom); wait > 0 {
		if !p.waits {
			p.waits = true
			time.AfterFunc(wait, p.tellNow)
		}
		return
	}
	patch, err := json.Marshal(map[string]any{"status": p.status(), "metadata": map[string]any{"uid": p.object.UID}})
	if err == nil {
		_, err = p.node.client.CoreV1().Pods(p.object.Namespace).Patch(
			context.Background(), p.object.Name, types.StrategicMergePatchType, patch, metav1.PatchOptions{}, "status")
	}
	if err != nil {
		klog.Errorf("status of pod %s/%s: %v", p.object.Namespace, p.object.Name, err)
	}
}

func (p *pod) tellNow() {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	p.tell()
}

func (p *pod) writeFacts() error {
	facts := podFacts{
		Namespace: p.namespace, Node: p.node.name, Addresses: p.addresses,
		Cgroups: map[string][]string{}, Processes: map[string]int{},
	}
	for name, process := range p.processes {
		if process > 0 {
			_, id, _ := strings.Cut(p.statuses[name].ContainerID, "://")
			born, joins := p.node.cgroups.birthplace(p.node.cgroups.container(p.cgroup, id))
			facts.Cgroups[name] = append(facts.Cgroups[name], born)
			if joins != "" {
				facts.Cgroups[name] = append(facts.Cgroups[name], joins)
			}
			facts.Processes[name] = process
		}
	}
	text, err := json.Marshal(facts)
	if err != nil {
		return err
	}
	// Whoever reads it finds it whole.
	draft := filepath.Join(p.filesPath(), "facts.json")
	if err := os.WriteFile(draft, text, 0o644); err != nil {
		return err
	}
	return os.Rename(draft, p.factsPath())
}

// status is what a kubelet would say of the pod.
func (p *pod) status() corev1.PodStatus {
	status := corev1.PodStatus{
		Phase: p.phase(), StartTime: &p.started,
		HostIP: p.node.addresses[0], PodIP: p.addresses[0],
	}
	for _, address := range p.node.addresses {
		status.HostIPs = append(status.HostIPs, corev1.HostIP{IP: address})
	}
	for _, address := range p.addresses {
		status.PodIPs = append(status.PodIPs, corev1.PodIP{IP: address})
	}
	for _, container := range p.object.Spec.InitContainers {
		if known := p.statuses[container.Name]; known != nil {
			status.InitContainerStatuses = append(status.InitContainerStatuses, *known)
		}
	}
	ready := true
	for _, container := range p.object.Spec.Containers {
		known := p.statuses[container.Name]
		if known == nil {
			waiting := &corev1.ContainerStateWaiting{Reason: "ContainerCreating"}
			known = &corev1.ContainerStatus{Name: container.Name, Image: container.Image, State: corev1.ContainerState{Waiting: waiting}}
		}
		ready = ready && known.Ready
		status.ContainerStatuses = append(status.ContainerStatuses, *known)
	}
	now := metav1.Now()
	condition := func(kind corev1.PodConditionType, holds bool) {
		is := corev1.ConditionFalse
		if holds {
			is = corev1.ConditionTrue
		}
		status.Conditions = append(status.Conditions, corev1.PodCondition{Type: kind, Status: is, LastTransitionTime: now})
	}
	condition(corev1.PodInitialized, true)
	condition(corev1.ContainersReady, ready)
	condition(corev1.PodReady, ready)
	return status
}

func (p *pod) phase() corev1.PodPhase {
	ended, failed := 0, false
	for _, container := range p.object.Spec.Containers {
		if status := p.statuses[container.Name]; status != nil && status.State.Terminated != nil {
			ended++
			failed = failed || status.State.Terminated.ExitCode != 0
		}
	}
	policy := p.object.Spec.RestartPolicy
	again := policy == corev1.RestartPolicyAlways || policy == corev1.RestartPolicyOnFailure && failed
	switch {
	case ended < len(p.object.Spec.Containers) || again:
		return corev1.PodRunning
	case failed:
		return corev1.PodFailed
	default:
		return corev1.PodSucceeded
	}
}
