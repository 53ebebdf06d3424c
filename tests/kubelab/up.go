package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/klog/v2"
)

// Both families: pods and nodes have an address of each, Services have what they ask for.
const (
	serviceRanges = "10.96.0.0/16,fd96::/108"
	podRanges     = "10.244.0.0/16,fd44::/48"
	// The first address of the Services' range is the API's own Service.
	apiClusterIP = "10.96.0.1"
	apiHost      = "127.0.0.1"
)

// shutdownGrace is how long the API server may take to close its watches.
const shutdownGrace = 10 * time.Second

// controlPlane is what `kubelab up` was asked for.
type controlPlane struct {
	dir     string
	lab     string // names of namespaces begin with it; empty: no nodes
	compact bool
	apiArgs words
	ports   ports
}

// words is a flag that may be given several times.
type words []string

func (w *words) String() string        { return strings.Join(*w, " ") }
func (w *words) Set(word string) error { *w = append(*w, word); return nil }

// up runs etcd, kube-apiserver, kube-controller-manager and kube-scheduler in this process until it is told to end.
// State is kept in a directory: after an end, a kill included, the same command goes on where it was, at the same ports.
func up(args []string) error {
	var c controlPlane
	flags := flag.NewFlagSet("up", flag.ExitOnError)
	flags.StringVar(&c.dir, "dir", "", "directory of state, certificates and kubeconfigs (required)")
	flags.StringVar(&c.lab, "lab", "", "serve nodes: make the network that joins them, under this name")
	flags.BoolVar(&c.compact, "compact", false, "forget all history before serving: every older watch must begin anew")
	flags.Var(&c.apiArgs, "api-arg", "another flag of kube-apiserver (repeatable)")
	whileStdin := flags.Bool("while-stdin", false, "end when standard input does")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if c.dir == "" {
		return errors.New("--dir is required")
	}
	ctx, stop := lifetime(*whileStdin)
	defer stop()
	return c.run(ctx)
}

func (c *controlPlane) run(ctx context.Context) error {
	start := time.Now()
	var err error
	if c.dir, err = filepath.Abs(c.dir); err != nil {
		return err
	}
	if err := os.MkdirAll(c.dir, 0o755); err != nil {
		return err
	}
	if c.ports, err = portsOf(c.dir); err != nil {
		return err
	}
	credentials, err := c.makeCredentials()
	if err != nil {
		return fmt.Errorf("credentials: %w", err)
	}
	etcd, err := c.startEtcd(ctx)
	if err != nil {
		return fmt.Errorf("etcd: %w", err)
	}
	defer etcd.Close()

	// One part that fails ends all. The API server has a context of its own: it ends after those that use it.
	ctx, fail := context.WithCancelCause(ctx)
	defer fail(nil)
	apiCtx, stopAPI := context.WithCancel(context.WithoutCancel(ctx))
	apiDone := make(chan struct{})
	go func() {
		defer close(apiDone)
		fail(ended("kube-apiserver", runAPIServer(apiCtx, c.apiServerArgs(credentials))))
	}()
	defer func() {
		stopAPI()
		select {
		case <-apiDone:
		case <-time.After(shutdownGrace):
		}
	}()

	admin, err := clientcmd.BuildConfigFromFlags("", credentials.kubeconfig("admin"))
	if err != nil {
		return err
	}
	if err := waitReady(ctx, admin); err != nil {
		return err
	}
	go func() {
		fail(ended("kube-controller-manager", runControllerManager(ctx, controllerManagerArgs(credentials))))
	}()
	schedulerArgs, err := c.schedulerArgs(credentials)
	if err != nil {
		return err
	}
	go func() { fail(ended("kube-scheduler", runScheduler(ctx, schedulerArgs))) }()

	if c.lab != "" {
		fabric, err := serveFabric(c.lab, c.ports.API)
		if err != nil {
			return fmt.Errorf("network of the nodes: %w", err)
		}
		defer fabric.remove()
	}
	if err := waitForDefaultAccount(ctx, admin); err != nil {
		return err
	}
	klog.Infof("kubelab: ready after %v", time.Since(start))
	sayReady(credentials.kubeconfig("admin"))
	<-ctx.Done()
	if err := context.Cause(ctx); !errors.Is(err, context.Canceled) {
		return err
	}
	return nil
}

// ended says which part ended, and why; told to end is no error.
func ended(part string, err error) error {
	if err == nil {
		return context.Canceled
	}
	return fmt.Errorf("%s: %w", part, err)
}

func (c *controlPlane) url() string {
	return "https://" + net.JoinHostPort(apiHost, strconv.Itoa(c.ports.API))
}

// waitForDefaultAccount waits for the first thing that pods need and the controller-manager makes.
func waitForDefaultAccount(ctx context.Context, admin *rest.Config) error {
	client, err := kubernetes.NewForConfig(admin)
	if err != nil {
		return err
	}
	for {
		_, err := client.CoreV1().ServiceAccounts("default").Get(ctx, "default", metav1.GetOptions{})
		if err == nil {
			return nil
		}
		if !apierrors.IsNotFound(err) && ctx.Err() == nil {
			return err
		}
		if err := sleep(ctx, pollInterval); err != nil {
			return err
		}
	}
}
