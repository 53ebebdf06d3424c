package domain

import "time"

// CollectorEventType says what kind of thing an event tells.
type CollectorEventType string

// The types that the observer uses.
const (
	EventTypeServiceMap        CollectorEventType = "service_map.topology"
	EventTypeNetworkConnection CollectorEventType = "network.connection"
	EventTypeK8sService        CollectorEventType = "k8s.service"
)

// EventSeverity says how much an event matters.
type EventSeverity string

// The severities.
const (
	EventSeverityDebug    EventSeverity = "debug"
	EventSeverityInfo     EventSeverity = "info"
	EventSeverityLow      EventSeverity = "low"
	EventSeverityMedium   EventSeverity = "medium"
	EventSeverityWarning  EventSeverity = "warning"
	EventSeverityHigh     EventSeverity = "high"
	EventSeverityError    EventSeverity = "error"
	EventSeverityCritical EventSeverity = "critical"
)

// EventPriority says how soon somebody should look.
type EventPriority string

// The priorities.
const (
	PriorityLow      EventPriority = "low"
	PriorityNormal   EventPriority = "normal"
	PriorityHigh     EventPriority = "high"
	PriorityCritical EventPriority = "critical"
)

// CollectorEvent is what an observer sends.
type CollectorEvent struct {
	EventID          string             `json:"event_id"`
	Timestamp        time.Time          `json:"timestamp"`
	Type             CollectorEventType `json:"type"`
	Source           string             `json:"source"`
	Severity         EventSeverity      `json:"severity"`
	EventData        EventDataContainer `json:"event_data"`
	Metadata         EventMetadata      `json:"metadata"`
	CorrelationHints *CorrelationHints  `json:"correlation_hints,omitempty"`
	K8sContext       *K8sContext        `json:"k8s_context,omitempty"`
}

// EventMetadata is what an event is found by.
type EventMetadata struct {
	PodName       string            `json:"pod_name,omitempty"`
	PodNamespace  string            `json:"pod_namespace,omitempty"`
	PodUID        string            `json:"pod_uid,omitempty"`
	ContainerID   string            `json:"container_id,omitempty"`
	NodeName      string            `json:"node_name,omitempty"`
	PID           int32             `json:"pid,omitempty"`
	Priority      EventPriority     `json:"priority,omitempty"`
	Tags          []string          `json:"tags,omitempty"`
	Labels        map[string]string `json:"labels,omitempty"`
	Attributes    map[string]string `json:"attributes,omitempty"`
	SchemaVersion string            `json:"schema_version,omitempty"`
}

// CorrelationHints say which events belong together.
type CorrelationHints struct {
	PodUID          string            `json:"pod_uid,omitempty"`
	ContainerID     string            `json:"container_id,omitempty"`
	ProcessID       int32             `json:"process_id,omitempty"`
	NodeName        string            `json:"node_name,omitempty"`
	ConnectionID    string            `json:"connection_id,omitempty"`
	FlowID          string            `json:"flow_id,omitempty"`
	WindowStart     time.Time         `json:"window_start,omitempty"`
	WindowEnd       time.Time         `json:"window_end,omitempty"`
	CorrelationTags map[string]string `json:"correlation_tags,omitempty"`
}

// K8sContext is what an event tells of a Kubernetes object.
type K8sContext struct {
	APIVersion   string               `json:"api_version,omitempty"`
	Kind         string               `json:"kind,omitempty"`
	UID          string               `json:"uid,omitempty"`
	Name         string               `json:"name,omitempty"`
	Namespace    string               `json:"namespace,omitempty"`
	Labels       map[string]string    `json:"labels,omitempty"`
	Dependencies []ResourceDependency `json:"dependencies,omitempty"`
	NodeName     string               `json:"node_name,omitempty"`
	ClusterName  string               `json:"cluster_name,omitempty"`
	WorkloadKind string               `json:"workload_kind,omitempty"`
	WorkloadName string               `json:"workload_name,omitempty"`
	Phase        string               `json:"phase,omitempty"`
}

// ResourceDependency says that an object needs another.
type ResourceDependency struct {
	Kind      string `json:"kind"`
	Name      string `json:"name"`
	Namespace string `json:"namespace,omitempty"`
	Type      string `json:"type"`
	Required  bool   `json:"required"`
	Status    string `json:"status,omitempty"`
}
