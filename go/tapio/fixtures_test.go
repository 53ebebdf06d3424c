package tapio

import (
	"net/netip"
	"time"

	"github.com/servicemap/servicemap/go/domain"
)

const runID = "0199d3c2-0000-7000-8000-000000000001"

var noon = time.Date(2026, 9, 21, 12, 0, 0, 123_456_789, time.UTC)

func database() *domain.Service {
	return &domain.Service{
		Name: "db", Namespace: "shop", Type: domain.ServiceTypeClusterIP,
		Endpoints: []domain.Endpoint{
			{Address: netip.MustParseAddr("10.1.0.4"), Port: 5432, Ready: true},
			{Address: netip.MustParseAddr("10.1.0.5"), Port: 5432},
		},
		Labels: map[string]string{"app.kubernetes.io/version": "17.2"},
		Health: domain.HealthStatusHealthy, FirstSeen: noon, LastSeen: noon,
	}
}

func worker() *domain.Service {
	return &domain.Service{Name: "worker", Namespace: "jobs", Type: domain.ServiceTypeWorkload, Health: domain.HealthStatusUnknown}
}

func program() *domain.Service {
	return &domain.Service{Name: "nginx.service", Namespace: "host-a", Type: domain.ServiceTypeProcess, FirstSeen: noon, LastSeen: noon}
}

func outside() *domain.Service {
	return &domain.Service{Name: "203.0.113.9", Type: domain.ServiceTypeExternal}
}

func edge(source, destination *domain.Service) *domain.Connection {
	return &domain.Connection{
		Source: source, Destination: destination, Protocol: domain.ProtocolTCP, Port: 5432,
		FirstSeen: noon, LastSeen: noon.Add(time.Minute), RequestCount: 6, Preexisting: 1, Active: 2,
		Failed: domain.Failures{Refused: 2}, BytesSent: 1000, BytesReceived: 5000, RTT: 250 * time.Microsecond,
	}
}

func event(of domain.EventType) *domain.Event {
	return &domain.Event{
		ID: "0199d3c2-1111-5000-8000-000000000009", Type: of, Sequence: 42, RunID: runID,
		Timestamp: noon, ObservedAt: noon.Add(time.Millisecond), Severity: domain.SeverityInfo,
		Subject: "a subject", Host: "host-a", Cluster: "blue",
	}
}

func serviceEvent(of domain.EventType, s *domain.Service) *domain.Event {
	e := event(of)
	e.ServiceData = s
	return e
}

func connectionEvent(of domain.EventType, source, destination *domain.Service) *domain.Event {
	e := event(of)
	e.ConnectionData = edge(source, destination)
	return e
}

func dependencyEvent(of domain.EventType, source, destination *domain.Service) *domain.Event {
	e := connectionEvent(of, source, destination)
	e.DependencyData = &domain.Dependency{
		Source: source, Destination: destination, Protocol: domain.ProtocolTCP, Port: 5432,
		CrossNamespace: source.Namespace != "" && destination.Namespace != "" && source.Namespace != destination.Namespace,
	}
	return e
}

func healthEvent(s *domain.Service, from, to domain.HealthStatus) *domain.Event {
	s.Health = to
	e := serviceEvent(domain.EventTypeHealthChanged, s)
	e.HealthData = &domain.HealthChange{Service: s, From: from, To: to, Reasons: []string{"connections_fail"}}
	return e
}

func topologyEvent(servicesNow, connectionsNow int) *domain.Event {
	e := event(domain.EventTypeTopologyChanged)
	e.TopologyData = &domain.TopologyChange{
		Revision: 3, ServiceCount: servicesNow, ConnectionCount: connectionsNow, ServicesAdded: []string{"shop/db"},
	}
	return e
}

func gapEvent(reason string, count uint64, healed bool) *domain.Event {
	e := event(domain.EventTypeCaptureGap)
	e.Severity = domain.SeverityWarn
	e.GapData = &domain.Gap{Reason: reason, Count: count, Healed: healed}
	return e
}

// everyEvent has each type, about each kind of service that makes a difference.
func everyEvent() []*domain.Event {
	events := []*domain.Event{topologyEvent(2, 1), gapEvent("flow_map_full", 5, false), event("exposure.changed")}
	for _, s := range []func() *domain.Service{database, worker, program, outside} {
		events = append(events,
			serviceEvent(domain.EventTypeServiceDiscovered, s()), serviceEvent(domain.EventTypeServiceRemoved, s()),
			healthEvent(s(), domain.HealthStatusHealthy, domain.HealthStatusUnhealthy),
			connectionEvent(domain.EventTypeConnectionEstablished, s(), database()),
			connectionEvent(domain.EventTypeConnectionFailed, s(), database()),
			connectionEvent(domain.EventTypeConnectionExpired, s(), database()),
			dependencyEvent(domain.EventTypeDependencyDetected, s(), database()),
			dependencyEvent(domain.EventTypeDependencyRemoved, s(), database()))
	}
	initial := serviceEvent(domain.EventTypeServiceDiscovered, database())
	initial.ID, initial.Sequence, initial.Initial = "", 0, true
	learning := dependencyEvent(domain.EventTypeDependencyDetected, worker(), database())
	learning.Learning = true
	undated := gapEvent("flow_map_full", 1, true)
	undated.Timestamp, undated.ObservedAt = time.Time{}, time.Time{}
	return append(events, initial, learning, undated)
}
