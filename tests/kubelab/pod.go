package main

import (
	"context"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/klog/v2"
)

// addressesAnnotation chooses a pod's addresses, IPv4 then IPv6, separated by a comma; either may be empty.
const addressesAnnotation = "kubelab/addresses"

// toldAfterAnnotation is how long the API server is told nothing of a pod that runs, as by a kubelet that is slow.
const toldAfterAnnotation = "kubelab/told-after"

// longestGrace bounds how long a pod's processes may take to end by themselves: tests wait for it.
const longestGrace = 2 * time.Second

// pod is a running pod: a network namespace, addresses, a cgroup and processes.
type pod struct {
	node      *node
	object    *corev1.Pod
	namespace string
	addresses []string
	cgroup    string
	started   metav1.Time
	ctx       context.Context // ends when the pod is to stop
	cancel    context.CancelFunc
	ending    sync.Once
	running   sync.WaitGroup // one for each container's goroutine
	mutex     sync.Mutex     // guards what follows
	statuses  map[string]*corev1.ContainerStatus
	processes map[string]int
	stopped   bool
	toldFrom  time.Time // before that, the API server is told nothing
	waits     bool      // to tell it
}

// podIs takes the pod as the API server has it now: a new one is started, one that is to go is stopped.
func (n *node) podIs(object *corev1.Pod) {
	n.mutex.Lock()
	defer n.mutex.Unlock()
	p := n.pods[object.UID]
	switch {
	case p == nil && object.DeletionTimestamp != nil:
		go n.confirmDeletion(object)
	case p == nil && object.Status.Phase != corev1.PodSucceeded && object.Status.Phase != corev1.PodFailed:
		p = &pod{
			node: n, object: object, namespace: n.lab + "-p-" + string(object.UID[:8]), started: metav1.Now(),
			statuses: map[string]*corev1.ContainerStatus{}, processes: map[string]int{},
		}
		if after, err := time.ParseDuration(object.Annotations[toldAfterAnnotation]); err == nil {
			p.toldFrom = p.started.Add(after)
		}
		p.ctx, p.cancel = context.WithCancel(context.Background())
		n.pods[object.UID] = p
		n.podsBeingMade.Go(func() {
			if err := p.start(); err != nil && p.ctx.Err() == nil {
				klog.Errorf("pod %s/%s: %v", object.Namespace, object.Name, err)
			}
		})
	case p != nil && object.DeletionTimestamp != nil:
		grace := longestGrace
		if seconds := object.DeletionGracePeriodSeconds; seconds != nil {
			grace = min(grace, time.Duration(*seconds)*time.Second)
		}
		go p.ending.Do(func() {
			p.stop(grace)
			n.confirmDeletion(object)
		})
	}
}

// podIsGone stops a pod whose object was deleted without waiting for its processes.
func (n *node) podIsGone(object *corev1.Pod) {
	n.mutex.Lock()
	p := n.pods[object.UID]
	n.mutex.Unlock()
	if p != nil {
		go p.stop(0)
	}
}

// confirmDeletion tells the API server that nothing of the pod runs any more.
func (n *node) confirmDeletion(object *corev1.Pod) {
	now, precondition := int64(0), metav1.NewUIDPreconditions(string(object.UID))
	options := metav1.DeleteOptions{GracePeriodSeconds: &now, Preconditions: precondition}
	// Fails when it is gone already, or the control plane is away: then its deletion is told again.
	_ = n.client.CoreV1().Pods(object.Namespace).Delete(context.Background(), object.Name, options)
}

func (p *pod) start() error {
	if err := p.makeNetwork(); err != nil {
		return err
	}
	p.cgroup = p.node.cgroups.pod(p.object)
	// The sandbox has a cgroup of its own, as the kubelet's has.
	if err := os.MkdirAll(p.node.cgroups.container(p.cgroup, newContainerID()), 0o755); err != nil {
		return err
	}
	if err := p.prepareFiles(); err != nil {
		return err
	}
	for _, container := range p.object.Spec.InitContainers {
		if policy := container.RestartPolicy; policy != nil && *policy == corev1.ContainerRestartPolicyAlways {
			p.running.Go(func() { p.keepRunning(container, corev1.RestartPolicyAlways) })
		} else if code := p.runOnce(container, 0); code != 0 {
			klog.Errorf("pod %s/%s: init container %s ended with %d", p.object.Namespace, p.object.Name, container.Name, code)
			return nil
		}
	}
	for _, container := range p.object.Spec.Containers {
		p.running.Go(func() { p.keepRunning(container, p.object.Spec.RestartPolicy) })
	}
	return nil
}

// makeNetwork gives the pod a network namespace on the node's bridge, or the node's own.
func (p *pod) makeNetwork() error {
	n := p.node
	if p.object.Spec.HostNetwork {
		p.namespace, p.addresses = n.namespace, n.addresses
		return nil
	}
	if err := p.takeAddresses(); err != nil {
		return err
	}
	if err := addNamespace(p.namespace); err != nil {
		return err
	}
	link := "v" + string(p.object.UID[:8])
	if err := ip(n.namespace,
		"link add "+link+" type veth peer name eth0 address "+hardwareAddress(p.addresses[0])+" netns "+p.namespace,
		"link set "+link+" master "+podBridge+" up",
		// So that a pod reaches its own Service.
		"link set "+link+" type bridge_slave hairpin on"); err != nil {
		return err
	}
	lines := []string{"link set eth0 up"}
	for i, address := range p.addresses {
		_, length, _ := strings.Cut(n.podRanges[i].String(), "/")
		lines = append(lines,
			"address add "+address+"/"+length+" dev eth0"+withoutDetection(address),
			"route add default via "+nth(n.podRanges[i], 1).String())
	}
	return ip(p.namespace, lines...)
}

// hardwareAddress is made of a pod's address, as CNI plugins make it (or else announce it, or route): who has talked to
// the pod that had the address before reaches the next one at once, and not when its neighbour table has noticed.
func hardwareAddress(address string) string {
	bytes := net.ParseIP(address)
	return net.HardwareAddr(append([]byte{0x0a, 0x58}, bytes[len(bytes)-4:]...)).String()
}

// takeAddresses waits until the addresses that the pod asks for are free: who had them may still be ending.
func (p *pod) takeAddresses() error {
	wanted := strings.SplitN(p.object.Annotations[addressesAnnotation]+",,", ",", 3)
	for i, podRange := range p.node.podRanges {
		for {
			address, err := p.node.takeAddress(podRange, wanted[i])
			if err == nil {
				p.addresses = append(p.addresses, address)
				break
			}
			if sleep(p.ctx, pollInterval) != nil {
				return err
			}
		}
	}
	return nil
}

// stop ends the pod: its processes are asked, then killed; then nothing of it stays.
func (p *pod) stop(grace time.Duration) {
	p.mutex.Lock()
	if p.stopped {
		p.mutex.Unlock()
		return
	}
	p.stopped = true
	for _, process := range p.processes {
		if process > 0 {
			_ = syscall.Kill(process, syscall.SIGTERM)
		}
	}
	p.mutex.Unlock()
	p.cancel()
	ended := make(chan struct{})
	go func() {
		p.running.Wait()
		close(ended)
	}()
	select {
	case <-ended:
	case <-time.After(grace):
	}
	if p.cgroup != "" {
		removeCgroup(p.cgroup)
	}
	if !p.object.Spec.HostNetwork {
		_ = removeNamespace(p.namespace) // fails when the pod never came so far
		p.node.releaseAddresses(p.addresses)
	}
	_ = os.Remove(p.factsPath())
	_ = os.RemoveAll(p.filesPath())
	p.node.mutex.Lock()
	delete(p.node.pods, p.object.UID)
	p.node.mutex.Unlock()
}

// factsPath is the file that says where the pod's parts are, for those who want to run something inside.
func (p *pod) factsPath() string {
	return filepath.Join(p.node.dir, "pods", p.object.Namespace+"_"+p.object.Name+".json")
}

func (p *pod) filesPath() string {
	return filepath.Join(p.node.dir, "pods", string(p.object.UID))
}
