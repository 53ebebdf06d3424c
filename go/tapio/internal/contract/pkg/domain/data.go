package domain

import "time"

// EventDataContainer holds what an event tells, by kind.
type EventDataContainer struct {
	Process            *ProcessData      `json:"process,omitempty"`
	Network            *NetworkData      `json:"network,omitempty"`
	KubernetesResource *K8sResourceData  `json:"k8s_resource,omitempty"`
	DNS                *DNSData          `json:"dns,omitempty"`
	HTTP               *HTTPData         `json:"http,omitempty"`
	GRPC               *GRPCData         `json:"grpc,omitempty"`
	StorageIO          *StorageIOData    `json:"storage_io,omitempty"`
	Memory             *MemoryData       `json:"memory,omitempty"`
	ServiceMap         *ServiceMapData   `json:"service_map,omitempty"`
	Custom             map[string]string `json:"custom,omitempty"`
	RawData            *RawData          `json:"raw_data,omitempty"`
}

// Kinds of data that the observer never sets; the rules of validation name them.
type (
	ProcessData   struct{} // of a process
	DNSData       struct{} // of a DNS message
	HTTPData      struct{} // of an HTTP request
	GRPCData      struct{} // of a gRPC call
	StorageIOData struct{} // of a disk access
	MemoryData    struct{} // of memory in use
)

// NetworkData is what an event tells of a connection.
type NetworkData struct {
	EventType string        `json:"event_type"`
	Protocol  string        `json:"protocol"`
	Direction string        `json:"direction"`
	SrcIP     string        `json:"src_ip"`
	DstIP     string        `json:"dst_ip"`
	SrcPort   int32         `json:"src_port"`
	DstPort   int32         `json:"dst_port"`
	BytesSent int64         `json:"bytes_sent,omitempty"`
	BytesRecv int64         `json:"bytes_recv,omitempty"`
	Latency   time.Duration `json:"latency,omitempty"`
}

// K8sResourceData is what an event tells of a Kubernetes object that changed.
type K8sResourceData struct {
	APIVersion        string            `json:"api_version"`
	Kind              string            `json:"kind"`
	Name              string            `json:"name"`
	Namespace         string            `json:"namespace,omitempty"`
	UID               string            `json:"uid"`
	Operation         string            `json:"operation"`
	ResourceVersion   string            `json:"resource_version"`
	Phase             string            `json:"phase,omitempty"`
	Conditions        []string          `json:"conditions,omitempty"`
	Message           string            `json:"message,omitempty"`
	Reason            string            `json:"reason,omitempty"`
	Labels            map[string]string `json:"labels,omitempty"`
	DeletionTimestamp *time.Time        `json:"deletion_timestamp,omitempty"`
}

// RawData holds bytes of a format that tapio has no type for.
type RawData struct {
	Format      string `json:"format"`
	ContentType string `json:"content_type,omitempty"`
	Data        []byte `json:"data"`
	Size        int64  `json:"size"`
}

// ServiceMapData is a service map, or a part of one.
type ServiceMapData struct {
	Services    map[string]ServiceMapInfo `json:"services"`
	Connections map[string]ConnectionInfo `json:"connections"`
	ClusterName string                    `json:"cluster_name,omitempty"`
	LastUpdated time.Time                 `json:"last_updated"`
}

// ServiceMapInfo is a service of a map.
type ServiceMapInfo struct {
	Name         string            `json:"name"`
	Namespace    string            `json:"namespace"`
	Type         string            `json:"type"`
	Version      string            `json:"version,omitempty"`
	Health       string            `json:"health"`
	Labels       map[string]string `json:"labels,omitempty"`
	Dependencies []string          `json:"dependencies"`
	Dependents   []string          `json:"dependents,omitempty"`
	RequestRate  float64           `json:"request_rate,omitempty"`
	ErrorRate    float64           `json:"error_rate,omitempty"`
	Endpoints    int               `json:"endpoints_count"`
}

// ConnectionInfo is a connection of a map.
type ConnectionInfo struct {
	Source     string  `json:"source"`
	Target     string  `json:"target"`
	Protocol   string  `json:"protocol"`
	Count      int     `json:"count"`
	BytesSent  uint64  `json:"bytes_sent,omitempty"`
	BytesRecv  uint64  `json:"bytes_recv,omitempty"`
	ErrorRate  float64 `json:"error_rate,omitempty"`
	AvgLatency float64 `json:"avg_latency_ms,omitempty"`
}
