package services

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/servicemap/servicemap/go/domain"
)

// mapVersion is the version of the JSON map that this package reads.
const mapVersion = 1

// The JSON map, as far as it is read here; every door of Servicemap writes the same document.
type (
	mapDocument struct {
		Version     int             `json:"version"`
		Services    []mapService    `json:"services"`
		Connections []mapConnection `json:"connections"`
		Topology    struct {
			Cycles  [][]string `json:"cycles"`
			Orphans []string   `json:"orphans"`

			DisallowedConnections []domain.DisallowedConnection `json:"disallowed_connections"`
			UnrestrictedServices  []string                      `json:"unrestricted_services"`
		} `json:"topology"`
		Totals struct {
			CrossNamespace   int `json:"cross_namespace"`
			CrossEnvironment int `json:"cross_environment"`
			ExternalServices int `json:"external_services"`
		} `json:"totals"`
	}
	mapService struct {
		ID          string             `json:"id"`
		Namespace   string             `json:"namespace"`
		Name        string             `json:"name"`
		Type        domain.ServiceType `json:"type"`
		Endpoints   []domain.Endpoint  `json:"endpoints"`
		Labels      map[string]string  `json:"labels"`
		Environment string             `json:"environment"`
		ExposedBy   []domain.Exposure  `json:"exposed_by"`
		Health      struct {
			Status  domain.HealthStatus `json:"status"`
			Reasons []string            `json:"reasons"`
		} `json:"health"`
		FirstSeen time.Time `json:"first_seen"`
		LastSeen  time.Time `json:"last_seen"`
	}
	mapServiceRef struct {
		Namespace string             `json:"namespace"`
		Name      string             `json:"name"`
		Type      domain.ServiceType `json:"type"`
	}
	mapConnection struct {
		Source      mapServiceRef `json:"source"`
		Destination mapServiceRef `json:"destination"`
		Protocol    string        `json:"protocol"`
		Port        int           `json:"port"`
		Opened      int64         `json:"opened"`
		Preexisting int64         `json:"preexisting"`
		Active      int64         `json:"active"`
		Failed      struct {
			Refused     int64 `json:"refused"`
			Timeout     int64 `json:"timeout"`
			Unreachable int64 `json:"unreachable"`
			Reset       int64 `json:"reset"`
			Other       int64 `json:"other"`
		} `json:"failed"`
		BytesSent     int64     `json:"bytes_sent"`
		BytesReceived int64     `json:"bytes_received"`
		Retransmits   int64     `json:"retransmits"`
		RTTMicros     int64     `json:"rtt_us"`
		FirstSeen     time.Time `json:"first_seen"`
		LastSeen      time.Time `json:"last_seen"`
	}
)

// ParseServiceMap is the map of a JSON document, such as [Observer.Snapshot] gives. It refuses a document of another
// version than this package knows.
func ParseServiceMap(document []byte) (*domain.ServiceMap, error) {
	var d mapDocument
	if err := json.Unmarshal(document, &d); err != nil {
		return nil, fmt.Errorf("services: the map is not the JSON that was expected: %w", err)
	}
	if d.Version != mapVersion {
		return nil, fmt.Errorf("services: the map is of version %d, this package reads version %d: "+
			"build the native library and this package from one version", d.Version, mapVersion)
	}
	m := &domain.ServiceMap{
		Services:         make(map[string]*domain.Service, len(d.Services)),
		Connections:      make(map[string]*domain.Connection, len(d.Connections)),
		CrossNamespace:   d.Totals.CrossNamespace,
		CrossEnvironment: d.Totals.CrossEnvironment,
		ExternalServices: d.Totals.ExternalServices,
	}
	ends := make(map[mapServiceRef]*domain.Service, len(d.Services))
	for i := range d.Services {
		s := d.Services[i].service()
		ends[mapServiceRef{s.Namespace, s.Name, s.Type}] = s
		putOnce(m.Services, s.Key(), d.Services[i].ID, s)
	}
	for i := range d.Connections {
		c := d.Connections[i].connection(ends)
		// Edges between services of one key but different kinds stay apart by their place in the document.
		putOnce(m.Connections, c.Key(), fmt.Sprintf("%s#%d", c.Key(), i), c)
	}
	m.Topology = domain.NewTopologyGraph(m.Connections)
	m.Topology.Cycles, m.Topology.Orphans = d.Topology.Cycles, d.Topology.Orphans
	m.Topology.DisallowedConnections = d.Topology.DisallowedConnections
	m.Topology.UnrestrictedServices = d.Topology.UnrestrictedServices
	m.TotalServices, m.TotalConnections = len(m.Services), len(m.Connections)
	return m, nil
}

// putOnce stores a value under its key, or under the other key where the first is taken.
func putOnce[T any](m map[string]T, key, otherwise string, value T) {
	if _, taken := m[key]; taken {
		key = otherwise
	}
	m[key] = value
}

func (s *mapService) service() *domain.Service {
	out := &domain.Service{
		Name: s.Name, Namespace: s.Namespace, Type: s.Type, Labels: s.Labels,
		Environment: s.Environment, ExposedBy: s.ExposedBy,
		Health: s.Health.Status, HealthReasons: s.Health.Reasons,
		FirstSeen: s.FirstSeen, LastSeen: s.LastSeen,
	}
	if len(s.Endpoints) > 0 {
		out.Endpoints = s.Endpoints
	}
	return out
}

func (c *mapConnection) connection(ends map[mapServiceRef]*domain.Service) *domain.Connection {
	return &domain.Connection{
		Source: c.Source.in(ends), Destination: c.Destination.in(ends),
		Protocol: c.Protocol, Port: c.Port,
		FirstSeen: c.FirstSeen, LastSeen: c.LastSeen,
		RequestCount: c.Opened, Preexisting: c.Preexisting, Active: c.Active,
		Failed: domain.Failures{
			Refused: c.Failed.Refused, Timeout: c.Failed.Timeout, Unreachable: c.Failed.Unreachable,
			Reset: c.Failed.Reset, Other: c.Failed.Other,
		},
		BytesSent: c.BytesSent, BytesReceived: c.BytesReceived, Retransmits: c.Retransmits,
		RTT: time.Duration(c.RTTMicros) * time.Microsecond,
	}
}

// in is the service of the map that is referred to, or one of that name alone where the map does not hold it.
func (r mapServiceRef) in(ends map[mapServiceRef]*domain.Service) *domain.Service {
	if s, ok := ends[r]; ok {
		return s
	}
	return &domain.Service{Name: r.Name, Namespace: r.Namespace, Type: r.Type, Health: domain.HealthStatusUnknown}
}
