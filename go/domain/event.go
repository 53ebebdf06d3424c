package domain

import "time"

// EventType says what kind of thing an event tells.
type EventType string

// The six event types that most consumers need.
const (
	// EventTypeServiceDiscovered: a service is in the map that was not. ServiceData is set.
	EventTypeServiceDiscovered EventType = "service.discovered"
	// EventTypeServiceRemoved: a service is gone. ServiceData is set.
	EventTypeServiceRemoved EventType = "service.removed"
	// EventTypeConnectionEstablished: an edge carries an established connection and did not before. ConnectionData is set.
	EventTypeConnectionEstablished EventType = "connection.established"
	// EventTypeDependencyDetected: a dependency that was never told before. ConnectionData and DependencyData are set.
	EventTypeDependencyDetected EventType = "dependency.detected"
	// EventTypeHealthChanged: a service's health is another one. HealthData and ServiceData are set.
	EventTypeHealthChanged EventType = "health.changed"
	// EventTypeTopologyChanged: the graph changed; at most one per debounce window. TopologyData is set.
	EventTypeTopologyChanged EventType = "topology.changed"
)

// Further event types.
const (
	// EventTypeConnectionFailed: an edge's attempts start to fail. ConnectionData is set.
	EventTypeConnectionFailed EventType = "connection.failed"
	// EventTypeConnectionExpired: an edge had no open socket and no traffic for the connection timeout. ConnectionData is set.
	EventTypeConnectionExpired EventType = "connection.expired"
	// EventTypeDependencyRemoved: a dependency went. ConnectionData and DependencyData are set.
	EventTypeDependencyRemoved EventType = "dependency.removed"
	// EventTypeCaptureGap: something was lost. GapData is set.
	EventTypeCaptureGap EventType = "capture.gap"
)

// Severity says how much an event matters. The numbers are OpenTelemetry's SeverityNumber.
type Severity int

// The severities in use.
const (
	SeverityDebug Severity = 5  // for people who look closely
	SeverityInfo  Severity = 9  // worth knowing
	SeverityWarn  Severity = 13 // worth acting on
)

// String is the lower-case word for a severity.
func (s Severity) String() string {
	switch {
	case s >= SeverityWarn:
		return "warn"
	case s >= SeverityInfo:
		return "info"
	default:
		return "debug"
	}
}

// MarshalText gives the word of [Severity.String].
func (s Severity) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// Event is one typed, deduplicated thing told to the outside. Which of the data fields are set follows from its type.
type Event struct {
	// ID is stable: the same fact gives the same id on a replay. A UUID; empty for an event that stands in no log.
	ID string `json:"id,omitempty"`
	// Type says what kind of thing it tells, and which data it carries.
	Type EventType `json:"type"`
	// Sequence is the position in the log of this run, from 1; zero for an event that stands in no log, as those that
	// repeat what exists already and the gap that tells of events lost to a slow reader.
	Sequence uint64 `json:"sequence"`
	// RunID names the run that told it; a restart begins a new one. A UUID.
	RunID string `json:"run_id"`
	// Timestamp is when it happened, ObservedAt when it was noticed (UTC).
	Timestamp  time.Time `json:"at"`
	ObservedAt time.Time `json:"observed_at"`
	// Severity says how much it matters.
	Severity Severity `json:"severity"`
	// Initial marks what existed already when the consumer started, or when it lost events and starts afresh.
	Initial bool `json:"initial,omitempty"`
	// Learning marks detections made before the observer knew what is normal here; alert rules leave them out.
	Learning bool `json:"learning,omitempty"`
	// Subject is what it is about: a service's id ([Service.ID]), a connection's key ([Connection.Key]), `ns/a->ns/b` of a
	// dependency, `topology`, or `gap:` and the reason of a gap.
	Subject string `json:"subject"`
	// Host and Cluster say where it was observed; Cluster is empty without one.
	Host    string `json:"host,omitempty"`
	Cluster string `json:"cluster,omitempty"`

	// In JSON the one that the type names is `data`.
	ServiceData    *Service        `json:"-"`
	ConnectionData *Connection     `json:"-"`
	DependencyData *Dependency     `json:"-"`
	HealthData     *HealthChange   `json:"-"`
	TopologyData   *TopologyChange `json:"-"`
	GapData        *Gap            `json:"-"`
}

// HealthChange is a change of a service's health.
type HealthChange struct {
	// Service as it is after the change.
	Service *Service `json:"service"`
	// From is the status before, To the one after.
	From HealthStatus `json:"from"`
	To   HealthStatus `json:"to"`
	// Reasons say why, most important first.
	Reasons []string `json:"reasons"`
}

// TopologyChange is what became of the graph within one debounce window.
type TopologyChange struct {
	// Revision counts up by one with each topology event of a run.
	Revision uint64 `json:"revision"`
	// ServiceCount and ConnectionCount are those after the window.
	ServiceCount    int `json:"service_count"`
	ConnectionCount int `json:"connection_count"`
	// ServiceCountBefore and ConnectionCountBefore are those before it.
	ServiceCountBefore    int `json:"service_count_before"`
	ConnectionCountBefore int `json:"connection_count_before"`
	// Keys of what came and went, sorted; see [Service.Key] and [Connection.Key].
	ServicesAdded      []string `json:"services_added"`
	ServicesRemoved    []string `json:"services_removed"`
	ConnectionsAdded   []string `json:"connections_added"`
	ConnectionsRemoved []string `json:"connections_removed"`
	// Keys of connections that no network policy allows any more, and of those of which that is true no longer; sorted.
	DisallowedConnectionsAdded   []string `json:"disallowed_connections_added,omitempty"`
	DisallowedConnectionsRemoved []string `json:"disallowed_connections_removed,omitempty"`
	// Ids of services that no network policy restricts any more, and of those of which that is true no longer; sorted.
	UnrestrictedServicesAdded   []string `json:"unrestricted_services_added,omitempty"`
	UnrestrictedServicesRemoved []string `json:"unrestricted_services_removed,omitempty"`
	// Renamed lists services whose pods have another name now. They are not among what was removed, nor are their
	// connections: take away what was removed, replace the former names in what is left, and add what was added.
	Renamed []Renaming `json:"renamed,omitempty"`
}

// Renaming says that the pods of a service have another name: a Service begins to stand before those of a workload, or
// is deleted before them.
type Renaming struct {
	// From is the id that the service had, To the one from now on, such as workload:shop/web and service:shop/web.
	From string `json:"from"`
	To   string `json:"to"`
}

// GapReasonSlowReader is the [Gap] reason of events that this program read too late.
const GapReasonSlowReader = "slow_reader"

// Gap says that something was lost, how much, and whether the map is exact again.
type Gap struct {
	// Reason says where: [GapReasonSlowReader], or a word of the core such as flow_map_full.
	Reason string `json:"reason"`
	// Count is how many things (connections, sockets, flows, events).
	Count uint64 `json:"count"`
	// Healed says that the map has been made exact again since.
	Healed bool `json:"healed"`
}
