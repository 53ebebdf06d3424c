package main

import (
	"context"
	"flag"
	"net"
	"strings"

	"golang.org/x/net/dns/dnsmessage"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	corelisters "k8s.io/client-go/listers/core/v1"
	discoverylisters "k8s.io/client-go/listers/discovery/v1"
	"k8s.io/client-go/rest"
)

const (
	answerLife  = 5 // seconds; as CoreDNS has it for Services
	largestUDP  = 4096
	clusterZone = "svc.cluster.local"
)

// clusterNames answers for the names of Services, from the API server's objects.
type clusterNames struct {
	services corelisters.ServiceLister
	slices   discoverylisters.EndpointSliceLister
}

// serveDNS is the cluster's DNS, for names of Services and their endpoints, over UDP. It runs as a pod.
func serveDNS(args []string) error {
	flags := flag.NewFlagSet("dns", flag.ExitOnError)
	address := flags.String("listen", ":53", "address to answer at")
	if err := flags.Parse(args); err != nil {
		return err
	}
	config, err := rest.InClusterConfig()
	if err != nil {
		return err
	}
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return err
	}
	socket, err := net.ListenPacket("udp", *address)
	if err != nil {
		return err
	}
	factory := informers.NewSharedInformerFactory(client, 0)
	names := clusterNames{factory.Core().V1().Services().Lister(), factory.Discovery().V1().EndpointSlices().Lister()}
	factory.Start(context.Background().Done())
	factory.WaitForCacheSync(context.Background().Done())
	question := make([]byte, largestUDP)
	for {
		length, from, err := socket.ReadFrom(question)
		if err != nil {
			return err
		}
		if answer, err := names.answer(question[:length]); err == nil {
			_, _ = socket.WriteTo(answer, from) // a lost answer is asked for again
		}
	}
}

func (c clusterNames) answer(message []byte) ([]byte, error) {
	var parser dnsmessage.Parser
	header, err := parser.Start(message)
	if err != nil {
		return nil, err
	}
	question, err := parser.Question()
	if err != nil {
		return nil, err
	}
	addresses, found := c.lookUp(strings.ToLower(strings.TrimSuffix(question.Name.String(), ".")))
	code := dnsmessage.RCodeSuccess
	if !found {
		code = dnsmessage.RCodeNameError
	}
	builder := dnsmessage.NewBuilder(nil, dnsmessage.Header{
		ID: header.ID, Response: true, Authoritative: true, RCode: code,
		RecursionDesired: header.RecursionDesired, RecursionAvailable: true,
	})
	builder.EnableCompression()
	if err := builder.StartQuestions(); err != nil {
		return nil, err
	}
	if err := builder.Question(question); err != nil {
		return nil, err
	}
	if err := builder.StartAnswers(); err != nil {
		return nil, err
	}
	resource := dnsmessage.ResourceHeader{Name: question.Name, Class: dnsmessage.ClassINET, TTL: answerLife}
	for _, text := range addresses {
		address := net.ParseIP(text)
		if v4 := address.To4(); v4 != nil && question.Type == dnsmessage.TypeA {
			err = builder.AResource(resource, dnsmessage.AResource{A: [4]byte(v4)})
		} else if v4 == nil && question.Type == dnsmessage.TypeAAAA {
			err = builder.AAAAResource(resource, dnsmessage.AAAAResource{AAAA: [16]byte(address)})
		}
		if err != nil {
			return nil, err
		}
	}
	return builder.Finish()
}

// lookUp finds the addresses of [HOST.]SERVICE.NAMESPACE.svc.cluster.local.
func (c clusterNames) lookUp(name string) ([]string, bool) {
	inside, found := strings.CutSuffix(name, "."+clusterZone)
	labelsOf := strings.Split(inside, ".")
	if !found || len(labelsOf) < 2 {
		return nil, false
	}
	namespace, service := labelsOf[len(labelsOf)-1], labelsOf[len(labelsOf)-2]
	host := strings.Join(labelsOf[:len(labelsOf)-2], ".")
	object, err := c.services.Services(namespace).Get(service)
	if err != nil {
		return nil, false
	}
	if host == "" && object.Spec.ClusterIP != corev1.ClusterIPNone {
		return object.Spec.ClusterIPs, true
	}
	slices, err := c.slices.EndpointSlices(namespace).List(labels.SelectorFromSet(labels.Set{"kubernetes.io/service-name": service}))
	if err != nil {
		return nil, false
	}
	var addresses []string
	for _, slice := range slices {
		for _, endpoint := range slice.Endpoints {
			ready := endpoint.Conditions.Ready == nil || *endpoint.Conditions.Ready || object.Spec.PublishNotReadyAddresses
			named := host == "" || endpoint.Hostname != nil && *endpoint.Hostname == host
			if ready && named {
				addresses = append(addresses, endpoint.Addresses...)
			}
		}
	}
	return addresses, host == "" || len(addresses) > 0
}
