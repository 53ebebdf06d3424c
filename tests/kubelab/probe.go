package main

import (
	"context"
	"net"
	"net/http"
	"strconv"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// probeTimeout is the kubelet's default.
const probeTimeout = time.Second

// probe asks a container whether it is ready, from the node's network namespace as the kubelet does, until ctx ends.
func (p *pod) probe(ctx context.Context, container corev1.Container, id string) {
	asked := container.ReadinessProbe
	if sleep(ctx, time.Duration(asked.InitialDelaySeconds)*time.Second) != nil {
		return
	}
	for {
		p.setReady(container.Name, id, p.answers(ctx, container))
		if sleep(ctx, time.Duration(max(asked.PeriodSeconds, 1))*time.Second) != nil {
			return
		}
	}
}

// answers asks once.
func (p *pod) answers(ctx context.Context, container corev1.Container) bool {
	ctx, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	asked := container.ReadinessProbe
	switch {
	case asked.TCPSocket != nil:
		connection, err := p.dial(ctx, "tcp", p.hostPort(container, asked.TCPSocket.Port))
		if err != nil {
			return false
		}
		_ = connection.Close()
		return true
	case asked.HTTPGet != nil:
		client := http.Client{Transport: &http.Transport{DisableKeepAlives: true, DialContext: p.dial}}
		url := "http://" + p.hostPort(container, asked.HTTPGet.Port) + asked.HTTPGet.Path
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
		if err != nil {
			return false
		}
		response, err := client.Do(request)
		if err != nil {
			return false
		}
		_ = response.Body.Close()
		return response.StatusCode < http.StatusBadRequest
	}
	return true // other kinds of probes are taken for passed
}

func (p *pod) dial(ctx context.Context, network, address string) (connection net.Conn, err error) {
	err = inNamespace(p.node.namespace, func() (err error) {
		connection, err = new(net.Dialer).DialContext(ctx, network, address)
		return err
	})
	return connection, err
}

func (p *pod) hostPort(container corev1.Container, port intstr.IntOrString) string {
	number := port.IntVal
	for _, declared := range container.Ports {
		if port.Type == intstr.String && declared.Name == port.StrVal {
			number = declared.ContainerPort
		}
	}
	return net.JoinHostPort(p.addresses[0], strconv.Itoa(int(number)))
}
