// Kubelab is a Kubernetes cluster for tests on one machine without containers: a real control plane in one process,
// nodes that are network namespaces with the real kube-proxy, and pods that are real processes in network namespaces
// and cgroups of their own. The README says how the parts fit.
package main

import (
	"fmt"
	"os"
	"slices"
	"strings"
	_ "time/tzdata" // CronJobs may name a time zone

	"k8s.io/component-base/cli"
	"k8s.io/component-base/logs"
	_ "k8s.io/component-base/logs/json/register"
	_ "k8s.io/component-base/metrics/prometheus/clientgo"
	_ "k8s.io/component-base/metrics/prometheus/version"
	kubectl "k8s.io/kubectl/pkg/cmd"
	kubectlutil "k8s.io/kubectl/pkg/cmd/util"
	proxyapp "k8s.io/kubernetes/cmd/kube-proxy/app"
)

// commands are the first words of a command line; each gets the words behind it.
var commands = map[string]func(args []string) error{
	"up":         up,
	"node":       runNode,
	"kubeconfig": writeKubeconfigOf,
	"dns":        serveDNS,
	"pause":      pause,
	"kubectl":    runKubectl,
	"kube-proxy": runProxy,
	initCommand:  initContainer,
}

func main() {
	names := make([]string, 0, len(commands))
	for name := range commands {
		if !strings.HasPrefix(name, "_") {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	if len(os.Args) < 2 || commands[os.Args[1]] == nil {
		fmt.Fprintln(os.Stderr, "usage: kubelab COMMAND …, where COMMAND is one of", strings.Join(names, ", "))
		os.Exit(2)
	}
	if err := commands[os.Args[1]](os.Args[2:]); err != nil {
		fmt.Fprintf(os.Stderr, "kubelab %s: %v\n", os.Args[1], err)
		os.Exit(1)
	}
}

// runKubectl is the upstream program; it reads its words from os.Args.
func runKubectl(args []string) error {
	os.Args = append([]string{"kubectl"}, args...)
	if _, err := logs.GlogSetter(kubectl.GetLogVerbosity(os.Args)); err != nil {
		return err
	}
	if err := cli.RunNoErrOutput(kubectl.NewDefaultKubectlCommand()); err != nil {
		kubectlutil.CheckErr(err) // says it as kubectl does, and exits
	}
	return nil
}

// runProxy is the upstream program.
func runProxy(args []string) error {
	os.Args = append([]string{"kube-proxy"}, args...)
	os.Exit(cli.Run(proxyapp.NewProxyCommand()))
	return nil
}
