package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/pflag"
	_ "k8s.io/client-go/plugin/pkg/client/auth"
	"k8s.io/client-go/rest"
	cliflag "k8s.io/component-base/cli/flag"
	apiserverapp "k8s.io/kubernetes/cmd/kube-apiserver/app"
	apiserveroptions "k8s.io/kubernetes/cmd/kube-apiserver/app/options"
	kcmapp "k8s.io/kubernetes/cmd/kube-controller-manager/app"
	kcmoptions "k8s.io/kubernetes/cmd/kube-controller-manager/app/options"
	schedulerapp "k8s.io/kubernetes/cmd/kube-scheduler/app"
	scheduleroptions "k8s.io/kubernetes/cmd/kube-scheduler/app/options"
)

func (c *controlPlane) apiServerArgs(cr *credentials) []string {
	return append([]string{
		"--etcd-servers=" + c.etcdURL(),
		"--bind-address=" + apiHost, fmt.Sprintf("--secure-port=%d", c.ports.API),
		// A loopback address is refused. Without nodes nobody asks for this one.
		"--advertise-address=" + fabricIP,
		"--tls-cert-file=" + cr.server.certificate, "--tls-private-key-file=" + cr.server.key,
		"--client-ca-file=" + cr.authority.certificatePath(),
		"--service-account-issuer=https://kubernetes.default.svc",
		"--service-account-key-file=" + cr.accountKey, "--service-account-signing-key-file=" + cr.accountKey,
		"--service-cluster-ip-range=" + serviceRanges,
		"--authorization-mode=Node,RBAC", "--allow-privileged=true",
		"--endpoint-reconciler-type=lease", "--shutdown-delay-duration=0s",
	}, c.apiArgs...)
}

func controllerManagerArgs(cr *credentials) []string {
	return []string{
		"--kubeconfig=" + cr.kubeconfig("kube-controller-manager"),
		"--leader-elect=false", "--secure-port=0", "--use-service-account-credentials=true",
		"--service-account-private-key-file=" + cr.accountKey,
		"--root-ca-file=" + cr.authority.certificatePath(),
		"--cluster-signing-cert-file=" + cr.authority.certificatePath(),
		"--cluster-signing-key-file=" + cr.authority.keyPath(),
		"--allocate-node-cidrs=true", "--cluster-cidr=" + podRanges, "--service-cluster-ip-range=" + serviceRanges,
		"--concurrent-endpoint-syncs=10", "--concurrent-service-endpoint-syncs=10",
		"--kube-api-qps=500", "--kube-api-burst=1000", "--node-monitor-period=2s",
	}
}

func (c *controlPlane) schedulerArgs(cr *credentials) ([]string, error) {
	path := filepath.Join(c.dir, "scheduler.yaml")
	text := fmt.Appendf(nil, `apiVersion: kubescheduler.config.k8s.io/v1
kind: KubeSchedulerConfiguration
leaderElection: {leaderElect: false}
clientConnection: {kubeconfig: %q, qps: 500, burst: 1000}
`, cr.kubeconfig("kube-scheduler"))
	return []string{"--config=" + path, "--secure-port=0"}, os.WriteFile(path, text, 0o644)
}

// parse reads a component's flags as its own command would.
func parse(sets cliflag.NamedFlagSets, name string, args []string) error {
	flags := pflag.NewFlagSet(name, pflag.ContinueOnError)
	for _, set := range sets.FlagSets {
		flags.AddFlagSet(set)
	}
	return flags.Parse(args)
}

func runAPIServer(ctx context.Context, args []string) error {
	options := apiserveroptions.NewServerRunOptions()
	if err := parse(options.Flags(), "kube-apiserver", args); err != nil {
		return err
	}
	if err := options.GenericServerRunOptions.ComponentGlobalsRegistry.Set(); err != nil {
		return err
	}
	rest.SetDefaultWarningHandler(rest.NoWarnings{})
	completed, err := options.Complete(ctx)
	if err != nil {
		return err
	}
	if problems := completed.Validate(); len(problems) > 0 {
		return errors.Join(problems...)
	}
	return apiserverapp.Run(ctx, completed)
}

func runControllerManager(ctx context.Context, args []string) error {
	options, err := kcmoptions.NewKubeControllerManagerOptions()
	if err != nil {
		return err
	}
	all, off, aliases := kcmapp.KnownControllers(), kcmapp.ControllersDisabledByDefault(), kcmapp.ControllerAliases()
	sets := options.Flags(all, off, aliases)
	options.ParsedFlags = &sets
	if err := parse(sets, "kube-controller-manager", args); err != nil {
		return err
	}
	config, err := options.Config(ctx, all, off, aliases)
	if err != nil {
		return err
	}
	return kcmapp.Run(ctx, config.Complete())
}

func runScheduler(ctx context.Context, args []string) error {
	options := scheduleroptions.NewOptions()
	if err := parse(*options.Flags, "kube-scheduler", args); err != nil {
		return err
	}
	config, scheduler, err := schedulerapp.Setup(ctx, options)
	if err != nil {
		return err
	}
	return schedulerapp.Run(ctx, config, scheduler)
}
