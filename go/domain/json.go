package domain

import (
	"encoding/json"
	"time"
)

// The types of this package are written as the JSON that every door of Servicemap has: the parts of a map and the lines
// of events that docs/map.md describes. A field that is added to a type is written under its tag; only what has another
// shape in JSON is named here: beside the embedded type, whose field of the same name it hides. The whole map is no type
// of this package in that sense; package services gives out the document itself.

// instant is a time as all documents have it: RFC 3339 in UTC with nine digits of a second.
type instant time.Time

const instantLayout = "2006-01-02T15:04:05.000000000Z"

// MarshalText writes the time in UTC.
func (i instant) MarshalText() ([]byte, error) {
	return time.Time(i).UTC().AppendFormat(nil, instantLayout), nil
}

// reference is a service by name, as the ends of connections and dependencies have it.
type reference struct {
	Namespace string      `json:"namespace"`
	Name      string      `json:"name"`
	Type      ServiceType `json:"type"`
}

func referenceTo(s *Service) reference {
	if s == nil {
		return reference{}
	}
	return reference{Namespace: s.Namespace, Name: s.Name, Type: s.Type}
}

// list is never null.
func list[T any](of []T) []T {
	if of == nil {
		return []T{}
	}
	return of
}

type (
	plainEvent          Event
	plainService        Service
	plainExposure       Exposure
	plainConnection     Connection
	plainDependency     Dependency
	plainHealthChange   HealthChange
	plainTopologyChange TopologyChange
	plainGap            Gap
)

// eventData is the one property that an event's data has.
type eventData struct {
	Service    *Service        `json:"service,omitempty"`
	Connection *Connection     `json:"connection,omitempty"`
	Dependency *Dependency     `json:"dependency,omitempty"`
	Health     *HealthChange   `json:"health,omitempty"`
	Topology   *TopologyChange `json:"topology,omitempty"`
	Gap        *eventGap       `json:"gap,omitempty"`
}

// eventGap is a gap with the instant at which it was noticed, which in Go stands in its event.
type eventGap struct {
	*plainGap
	At instant `json:"at"`
}

// MarshalJSON writes the event as a line of `servicemap run`, with the host and the cluster, which lines of one
// observer do not repeat. An event that stands in no log has no id.
func (e Event) MarshalJSON() ([]byte, error) {
	data := eventData{
		Service: e.ServiceData, Connection: e.ConnectionData, Dependency: e.DependencyData,
		Health: e.HealthData, Topology: e.TopologyData,
	}
	// Both stand beside the data for a reader's convenience, and are part of it.
	if data.Health != nil {
		data.Service = nil
	}
	if data.Dependency != nil {
		data.Connection = nil
	}
	if e.GapData != nil {
		data.Gap = &eventGap{plainGap: (*plainGap)(e.GapData), At: instant(e.ObservedAt)}
	}
	return json.Marshal(struct {
		Timestamp  instant `json:"at"`
		ObservedAt instant `json:"observed_at"`
		*plainEvent
		Data eventData `json:"data"`
	}{instant(e.Timestamp), instant(e.ObservedAt), (*plainEvent)(&e), data})
}

// MarshalJSON writes the service as the map has it.
func (s Service) MarshalJSON() ([]byte, error) {
	type health struct {
		Status  HealthStatus `json:"status"`
		Reasons []string     `json:"reasons"`
	}
	s.Endpoints = list(s.Endpoints)
	if s.Labels == nil {
		s.Labels = map[string]string{}
	}
	return json.Marshal(struct {
		ID string `json:"id"`
		*plainService
		Health    health  `json:"health"`
		FirstSeen instant `json:"first_seen"`
		LastSeen  instant `json:"last_seen"`
	}{s.ID(), (*plainService)(&s), health{s.Health, list(s.HealthReasons)}, instant(s.FirstSeen), instant(s.LastSeen)})
}

// MarshalJSON writes the exposure as the map has it.
func (e Exposure) MarshalJSON() ([]byte, error) {
	e.Hosts, e.Ports = list(e.Hosts), list(e.Ports)
	return json.Marshal(plainExposure(e))
}

// MarshalJSON writes the connection as the map has it.
func (c Connection) MarshalJSON() ([]byte, error) {
	return json.Marshal(struct {
		Source      reference `json:"source"`
		Destination reference `json:"destination"`
		*plainConnection
		RTTMicros int64   `json:"rtt_us,omitempty"`
		FirstSeen instant `json:"first_seen"`
		LastSeen  instant `json:"last_seen"`
	}{
		referenceTo(c.Source), referenceTo(c.Destination), (*plainConnection)(&c),
		c.RTT.Microseconds(), instant(c.FirstSeen), instant(c.LastSeen),
	})
}

// MarshalJSON writes the dependency as events have it.
func (d Dependency) MarshalJSON() ([]byte, error) {
	return json.Marshal(struct {
		Source      reference `json:"source"`
		Destination reference `json:"destination"`
		*plainDependency
	}{referenceTo(d.Source), referenceTo(d.Destination), (*plainDependency)(&d)})
}

// MarshalJSON writes the change as events have it.
func (h HealthChange) MarshalJSON() ([]byte, error) {
	h.Reasons = list(h.Reasons)
	return json.Marshal(plainHealthChange(h))
}

// MarshalJSON writes the change as events have it.
func (t TopologyChange) MarshalJSON() ([]byte, error) {
	t.ServicesAdded, t.ServicesRemoved = list(t.ServicesAdded), list(t.ServicesRemoved)
	t.ConnectionsAdded, t.ConnectionsRemoved = list(t.ConnectionsAdded), list(t.ConnectionsRemoved)
	return json.Marshal(plainTopologyChange(t))
}
