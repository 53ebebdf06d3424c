package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/tools/cache"
	"k8s.io/klog/v2"
)

const podBridge = "cni0"

// joinFabric makes the node's network namespace and its link to the other nodes.
func (n *node) joinFabric() error {
	if err := addNamespace(n.namespace); err != nil {
		return err
	}
	link := "f-" + n.name
	if err := ip(fabricNamespace(n.lab),
		"link add "+link+" type veth peer name eth0 netns "+n.namespace,
		"link set "+link+" master "+fabricBridge+" up"); err != nil {
		return err
	}
	if err := ip(n.namespace,
		"address add "+n.addresses[0]+"/24 dev eth0",
		"address add "+n.addresses[1]+"/64 dev eth0 nodad",
		"link set eth0 up"); err != nil {
		return err
	}
	return sysctl(n.namespace, "1", "ipv4/ip_forward", "ipv6/conf/all/forwarding")
}

// makePodNetwork makes the bridge of the node's pods and the way to them from the fabric.
func (n *node) makePodNetwork() error {
	lines := []string{"link add " + podBridge + " type bridge"}
	var routes []string
	for _, podRange := range n.podRanges {
		length, _ := podRange.Mask.Size()
		lines = append(lines, fmt.Sprintf("address add %s/%d dev %s%s", nth(podRange, 1), length, podBridge, withoutDetection(podRange.String())))
		routes = append(routes, fmt.Sprintf("route replace %s via %s", podRange, n.addressLike(podRange.String())))
	}
	if err := ip(n.namespace, append(lines, "link set "+podBridge+" up")...); err != nil {
		return err
	}
	// Pods of one node reach each other through the bridge; kube-proxy's rules must see that, too.
	if err := sysctl(n.namespace, "1", "bridge/bridge-nf-call-iptables", "bridge/bridge-nf-call-ip6tables"); err != nil {
		return err
	}
	if n.masquerade {
		for i, ranges := range strings.Split(podRanges, ",") {
			tool := []string{"iptables", "ip6tables"}[i]
			if err := inNamespace(n.namespace, func() error {
				return run(tool, "-t", "nat", "-A", "POSTROUTING", "-s", n.podRanges[i].String(), "-o", "eth0", "!", "-d", ranges, "-j", "MASQUERADE")
			}); err != nil {
				return err
			}
		}
	}
	return ip(fabricNamespace(n.lab), routes...)
}

// withoutDetection: duplicate address detection would keep an IPv6 address unusable for a second.
func withoutDetection(address string) string {
	if isIPv6(address) {
		return " nodad"
	}
	return ""
}

// addressLike is the node's address of another one's family.
func (n *node) addressLike(address string) string {
	if isIPv6(address) {
		return n.addresses[1]
	}
	return n.addresses[0]
}

// followNodes keeps the routes to the pods of the other nodes.
func (n *node) followNodes(ctx context.Context) {
	route := func(object any) {
		other := object.(*corev1.Node)
		if other.Name == n.name {
			return
		}
		var routes []string
		for _, podRange := range other.Spec.PodCIDRs {
			for _, address := range other.Status.Addresses {
				if address.Type == corev1.NodeInternalIP && isIPv6(address.Address) == isIPv6(podRange) {
					routes = append(routes, "route replace "+podRange+" via "+address.Address)
				}
			}
		}
		if err := ip(n.namespace, routes...); err != nil && ctx.Err() == nil {
			klog.Error(err)
		}
	}
	factory := informers.NewSharedInformerFactory(n.client, 0)
	_, err := factory.Core().V1().Nodes().Informer().AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc: route,
		UpdateFunc: func(before, after any) {
			// Heartbeats change nothing that a route is made of.
			if len(before.(*corev1.Node).Spec.PodCIDRs) != len(after.(*corev1.Node).Spec.PodCIDRs) ||
				len(before.(*corev1.Node).Status.Addresses) != len(after.(*corev1.Node).Status.Addresses) {
				route(after)
			}
		},
	})
	if err != nil {
		klog.Error(err)
	}
	factory.Start(ctx.Done())
}

// startProxy starts the real kube-proxy in the node's namespace; what is returned ends it.
func (n *node) startProxy() (stop func(), err error) {
	log, err := os.OpenFile(filepath.Join(n.dir, "kube-proxy-"+n.name+".log"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	var ranges []string
	for _, podRange := range n.podRanges {
		ranges = append(ranges, podRange.String())
	}
	command := exec.Command("/proc/self/exe", "kube-proxy",
		"--kubeconfig="+filepath.Join(n.dir, "kube-proxy.kubeconfig"),
		"--hostname-override="+n.name, "--proxy-mode="+n.proxy,
		"--detect-local-mode=NodeCIDR", "--cluster-cidr="+strings.Join(ranges, ","),
		// Limits and timeouts of conntrack belong to the whole machine: they cannot be set from a namespace.
		"--conntrack-max-per-core=0", "--conntrack-min=0",
		"--conntrack-tcp-timeout-established=0", "--conntrack-tcp-timeout-close-wait=0",
		"--healthz-bind-address=127.0.0.1:10256", "--metrics-bind-address=127.0.0.1:10249",
		"--iptables-min-sync-period=100ms", "--nodeport-addresses=primary")
	command.Args[0] = "kubelab"
	command.Stdout, command.Stderr = log, log
	// A Ctrl-C in a terminal is for this process, which then ends the proxy itself.
	command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := inNamespace(n.namespace, command.Start); err != nil {
		return nil, err
	}
	return func() {
		_ = command.Process.Kill() // it has nothing to save: its rules go with the namespace
		_ = command.Wait()
	}, nil
}
