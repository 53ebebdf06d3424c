package services

import (
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/servicemap/servicemap/go/domain"
)

const sampleMap = `{
  "version": 1,
  "at": "2026-11-24T10:00:00.000000001Z",
  "sequence": 9,
  "services": [
    {"id": "process:host/nginx", "namespace": "host", "name": "nginx", "type": "Process",
     "endpoints": [{"address": "0.0.0.0", "port": 80, "ready": true, "pod": "p", "node": "n", "zone": "z"}], "labels": {"unit": "nginx.service"},
     "health": {"status": "healthy", "reasons": ["connections_succeed"]},
     "first_seen": "2026-11-24T09:00:00.000000000Z", "last_seen": "2026-11-24T09:59:59.500000000Z"},
    {"id": "process:host/curl", "namespace": "host", "name": "curl", "type": "Process", "endpoints": [], "labels": {},
     "health": {"status": "unknown", "reasons": []},
     "first_seen": "2026-11-24T09:00:00.000000000Z", "last_seen": "2026-11-24T09:00:00.000000000Z"}
  ],
  "connections": [
    {"source": {"namespace": "host", "name": "curl", "type": "Process"},
     "destination": {"namespace": "host", "name": "nginx", "type": "Process"},
     "protocol": "tcp", "port": 80, "opened": 3, "preexisting": 1, "active": 2, "failed": {"refused": 4, "reset": 1},
     "bytes_sent": 10, "bytes_received": 20, "retransmits": 5, "rtt_us": 250,
     "first_seen": "2026-11-24T09:00:00.000000000Z", "last_seen": "2026-11-24T09:59:59.000000000Z",
     "provenance": {"side": "client", "source_rule": "program", "destination_rule": "listener", "direction_known": true}}
  ],
  "topology": {"cycles": [["a", "b"]], "orphans": ["process:host/curl"],
    "disallowed_connections": [{"connection": "host/curl->host/nginx:80/tcp", "denied_by": ["ingress"]}],
    "unrestricted_services": ["service:shop/web"]},
  "totals": {"services": 2, "connections": 1, "cross_namespace": 7, "cross_environment": 5, "external_services": 6},
  "gaps": []
}`

func decoded(t *testing.T, document string) *domain.ServiceMap {
	t.Helper()
	m, err := ParseServiceMap([]byte(document))
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestServicesOfTheMapKeepTheirFields(t *testing.T) {
	s := decoded(t, sampleMap).Services["host/nginx"]
	if s == nil {
		t.Fatal("host/nginx is missing")
	}
	want := domain.Endpoint{Address: netip.IPv4Unspecified(), Port: 80, Ready: true, Pod: "p", Node: "n", Zone: "z"}
	if s.Type != domain.ServiceTypeProcess || s.Health != domain.HealthStatusHealthy || len(s.Endpoints) != 1 ||
		s.Endpoints[0] != want || s.Labels["unit"] != "nginx.service" ||
		!slices.Equal(s.HealthReasons, []string{"connections_succeed"}) ||
		!s.LastSeen.Equal(time.Date(2026, 11, 24, 9, 59, 59, 500_000_000, time.UTC)) {
		t.Fatalf("host/nginx is %+v", s)
	}
}

func TestConnectionsOfTheMapKeepTheirFiguresAndShareTheirServices(t *testing.T) {
	m := decoded(t, sampleMap)
	c := m.Connections["host/curl->host/nginx:80/tcp"]
	if c == nil {
		t.Fatalf("the connection is missing from %v", m.Connections)
	}
	if c.Source != m.Services["host/curl"] || c.Destination != m.Services["host/nginx"] {
		t.Error("the ends are not the services of the map")
	}
	want := domain.Connection{
		Source: c.Source, Destination: c.Destination, Protocol: "tcp", Port: 80,
		FirstSeen: time.Date(2026, 11, 24, 9, 0, 0, 0, time.UTC), LastSeen: time.Date(2026, 11, 24, 9, 59, 59, 0, time.UTC),
		RequestCount: 3, Preexisting: 1, Active: 2, Failed: domain.Failures{Refused: 4, Reset: 1},
		BytesSent: 10, BytesReceived: 20, Retransmits: 5, RTT: 250 * time.Microsecond,
	}
	if *c != want {
		t.Errorf("the connection is %+v, want %+v", *c, want)
	}
	if c.Failed.Total() != 5 {
		t.Errorf("failed in total: %d", c.Failed.Total())
	}
}

func TestTopologyAndTotalsOfTheMap(t *testing.T) {
	m := decoded(t, sampleMap)
	if m.TotalServices != 2 || m.TotalConnections != 1 || m.CrossNamespace != 7 || m.ExternalServices != 6 {
		t.Errorf("totals are %+v", m)
	}
	if got := m.Topology.Dependencies["host/curl"]; !slices.Equal(got, []string{"host/nginx"}) {
		t.Errorf("host/curl depends on %v", got)
	}
	denied := m.Topology.DisallowedConnections
	if len(denied) != 1 || denied[0].Connection != "host/curl->host/nginx:80/tcp" ||
		!slices.Equal(denied[0].DeniedBy, []string{"ingress"}) ||
		!slices.Equal(m.Topology.UnrestrictedServices, []string{"service:shop/web"}) {
		t.Errorf("what policies say is %+v and %v", denied, m.Topology.UnrestrictedServices)
	}
	if m.CrossEnvironment != 5 {
		t.Errorf("%d connections cross environments", m.CrossEnvironment)
	}
	if len(m.Topology.Cycles) != 1 || len(m.Topology.Orphans) != 1 {
		t.Errorf("topology is %+v", m.Topology)
	}
}

func TestServicesOfOneKeyButDifferentKindAreBothKept(t *testing.T) {
	m := decoded(t, `{"version": 1, "services": [
		{"id": "service:shop/cart", "namespace": "shop", "name": "cart", "type": "ClusterIP"},
		{"id": "workload:shop/cart", "namespace": "shop", "name": "cart", "type": "Workload"}]}`)
	if m.Services["shop/cart"].Type != domain.ServiceTypeClusterIP || m.Services["workload:shop/cart"] == nil {
		t.Fatalf("services are %v", m.Services)
	}
}

func TestEnvironmentAndExposuresOfAService(t *testing.T) {
	m := decoded(t, `{"version": 1, "services": [{"id": "service:shop/web", "namespace": "shop", "name": "web",
		"type": "ClusterIP", "environment": "prod", "exposed_by": [{"kind": "Ingress", "namespace": "shop",
		"name": "front", "class": "nginx", "hosts": ["a.example"], "ports": [80]}]}]}`)
	web := m.Services["shop/web"]
	want := []domain.Exposure{{
		Kind: "Ingress", Namespace: "shop", Name: "front", Class: "nginx",
		Hosts: []string{"a.example"}, Ports: []int{80},
	}}
	if web.Environment != "prod" || !reflect.DeepEqual(web.ExposedBy, want) {
		t.Errorf("the service is %+v", web)
	}
}

func TestMapOfAnotherVersionIsRefusedWithBothVersions(t *testing.T) {
	_, err := ParseServiceMap([]byte(`{"version": 2}`))
	if err == nil || !strings.Contains(err.Error(), "version 2") || !strings.Contains(err.Error(), "version 1") {
		t.Fatal(err)
	}
}
