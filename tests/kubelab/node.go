package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net"
	"path/filepath"
	"strings"
	"sync"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/klog/v2"
)

// node is a network namespace that stands for a machine: with an address in the fabric, a pod network, the real
// kube-proxy, and a small kubelet that runs pods as processes.
type node struct {
	dir, lab, name string
	namespace      string
	addresses      []string // IPv4, IPv6
	proxy          string
	masquerade     bool
	cgroups        cgroups
	nameserver     string
	client         *kubernetes.Clientset
	podRanges      []*net.IPNet
	mutex          sync.Mutex // guards what follows
	pods           map[types.UID]*pod
	addressesInUse map[string]bool
	podsBeingMade  sync.WaitGroup
}

// clusterDNS is the address that the pods' resolv.conf names, whether something serves there or not.
const clusterDNS = "10.96.0.10"

// runNode makes a node and runs its pods until it is told to end; then nothing of it stays.
func runNode(args []string) error {
	n := node{nameserver: clusterDNS, pods: map[types.UID]*pod{}, addressesInUse: map[string]bool{}}
	flags := flag.NewFlagSet("node", flag.ExitOnError)
	flags.StringVar(&n.dir, "dir", "", "directory of the control plane (required)")
	flags.StringVar(&n.lab, "lab", "", "the lab, as `up` was told (required)")
	flags.StringVar(&n.name, "name", "", "name of the node (required)")
	index := flags.Int("index", 1, "number of the node: its addresses are 192.168.77.(10+index) and fd77::(10+index)")
	flags.StringVar(&n.proxy, "proxy", "iptables", "mode of kube-proxy: iptables, nftables, or none")
	flags.BoolVar(&n.masquerade, "masquerade", false, "give what pods send to other networks the node's address, as many pod networks do")
	flags.StringVar(&n.cgroups.root, "cgroup-root", "", "directory of the cgroup2 hierarchy that becomes the node's root (required)")
	flags.StringVar(&n.cgroups.driver, "cgroup-driver", "systemd", "form of cgroup paths: systemd or cgroupfs")
	flags.StringVar(&n.cgroups.runtime, "runtime", "containerd", "form of container ids: containerd, cri-o or docker")
	flags.StringVar(&n.cgroups.where, "cgroup-hierarchy", unified, "where containers have their cgroups: unified, hybrid or v1")
	whileStdin := flags.Bool("while-stdin", false, "end when standard input does")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if n.dir == "" || n.lab == "" || n.name == "" || n.cgroups.root == "" {
		return errors.New("--dir, --lab, --name and --cgroup-root are required")
	}
	n.namespace = n.lab + "-" + n.name
	n.addresses = []string{fmt.Sprintf("192.168.77.%d", 10+*index), fmt.Sprintf("fd77::%d", 10+*index)}
	ctx, stop := lifetime(*whileStdin)
	defer stop()
	return n.run(ctx)
}

func (n *node) run(ctx context.Context) (err error) {
	config, err := clientcmd.BuildConfigFromFlags("", filepath.Join(n.dir, "admin.kubeconfig"))
	if err != nil {
		return err
	}
	config.QPS, config.Burst, config.UserAgent = 200, 400, "kubelab-node"
	if n.client, err = kubernetes.NewForConfig(config); err != nil {
		return err
	}
	if err := n.cgroups.open(n.namespace); err != nil {
		return err
	}
	defer n.cgroups.remove()
	if err := n.joinFabric(); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, removeNamespace(n.namespace)) }()
	object, err := n.register(ctx)
	if err != nil {
		return fmt.Errorf("registering node %s: %w", n.name, err)
	}
	for _, text := range object.Spec.PodCIDRs {
		_, podRange, err := net.ParseCIDR(text)
		if err != nil {
			return err
		}
		n.podRanges = append(n.podRanges, podRange)
	}
	if err := n.makePodNetwork(); err != nil {
		return fmt.Errorf("pod network of node %s: %w", n.name, err)
	}
	go n.heartbeat(ctx)
	n.followNodes(ctx)
	if n.proxy != "none" {
		stopProxy, err := n.startProxy()
		if err != nil {
			return err
		}
		defer stopProxy()
	}
	n.followPods(ctx)
	sayReady(n.name)
	<-ctx.Done()
	n.stopAll()
	return nil
}

// followPods runs the pods that are bound to this node.
func (n *node) followPods(ctx context.Context) {
	ours := informers.WithTweakListOptions(func(options *metav1.ListOptions) {
		options.FieldSelector = fields.OneTermEqualSelector("spec.nodeName", n.name).String()
	})
	factory := informers.NewSharedInformerFactoryWithOptions(n.client, 0, ours)
	_, err := factory.Core().V1().Pods().Informer().AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc:    func(object any) { n.podIs(object.(*corev1.Pod)) },
		UpdateFunc: func(_, object any) { n.podIs(object.(*corev1.Pod)) },
		DeleteFunc: func(object any) {
			if last, missed := object.(cache.DeletedFinalStateUnknown); missed {
				object = last.Obj
			}
			n.podIsGone(object.(*corev1.Pod))
		},
	})
	if err != nil {
		klog.Error(err)
	}
	factory.Start(ctx.Done())
	factory.WaitForCacheSync(ctx.Done())
}

// stopAll ends what still runs, as a machine that is switched off does: nobody is told.
func (n *node) stopAll() {
	n.mutex.Lock()
	var left []*pod
	for _, p := range n.pods {
		left = append(left, p)
	}
	n.mutex.Unlock()
	var stopping sync.WaitGroup
	for _, p := range left {
		stopping.Go(func() { p.stop(0) })
	}
	stopping.Wait()
	n.podsBeingMade.Wait()
}

// takeAddress gives a pod an address of a range: the wanted one where it is free, else the lowest that is.
func (n *node) takeAddress(podRange *net.IPNet, wanted string) (string, error) {
	n.mutex.Lock()
	defer n.mutex.Unlock()
	if wanted != "" {
		if !podRange.Contains(net.ParseIP(wanted)) || n.addressesInUse[wanted] {
			return "", fmt.Errorf("address %s is in use or not in %s", wanted, podRange)
		}
		n.addressesInUse[wanted] = true
		return wanted, nil
	}
	for host := 2; host < 255; host++ {
		if address := nth(podRange, byte(host)).String(); !n.addressesInUse[address] {
			n.addressesInUse[address] = true
			return address, nil
		}
	}
	return "", fmt.Errorf("no address is free in %s", podRange)
}

func (n *node) releaseAddresses(addresses []string) {
	n.mutex.Lock()
	defer n.mutex.Unlock()
	for _, address := range addresses {
		delete(n.addressesInUse, address)
	}
}

// nth is an address of a range by its last byte.
func nth(addresses *net.IPNet, last byte) net.IP {
	address := append(net.IP{}, addresses.IP...)
	address[len(address)-1] += last
	return address
}

func isIPv6(address string) bool { return strings.Contains(address, ":") }
