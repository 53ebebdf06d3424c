package domain

import (
	"net/netip"
	"strings"
	"time"
)

// ServiceType says what sort of thing a service is. Kubernetes names are verbatim.
type ServiceType string

// The service types.
const (
	ServiceTypeClusterIP    ServiceType = "ClusterIP"    // Kubernetes Service with a cluster address
	ServiceTypeNodePort     ServiceType = "NodePort"     // Kubernetes Service reachable at each node's port
	ServiceTypeLoadBalancer ServiceType = "LoadBalancer" // Kubernetes Service with an external load balancer
	ServiceTypeExternalName ServiceType = "ExternalName" // Kubernetes Service that is an alias of a DNS name
	ServiceTypeHeadless     ServiceType = "Headless"     // Kubernetes Service without a cluster address
	ServiceTypeWorkload     ServiceType = "Workload"     // pods that no Service selects, named by their top owner
	ServiceTypeProcess      ServiceType = "Process"      // a systemd unit, container or program of this machine
	ServiceTypeNode         ServiceType = "Node"         // a machine of the cluster
	ServiceTypeExternal     ServiceType = "External"     // outside: a DNS name, a named CIDR or an address
)

// IsKubernetesService says whether it is one of the five types of a Kubernetes Service.
func (t ServiceType) IsKubernetesService() bool {
	switch t {
	case ServiceTypeClusterIP, ServiceTypeNodePort, ServiceTypeLoadBalancer, ServiceTypeExternalName, ServiceTypeHeadless:
		return true
	default:
		return false
	}
}

// HealthStatus says how a service is, once the status has held for the hysteresis time.
type HealthStatus string

// The health statuses.
const (
	HealthStatusUnknown   HealthStatus = "unknown"   // neither Kubernetes nor traffic says anything
	HealthStatusHealthy   HealthStatus = "healthy"   // works
	HealthStatusDegraded  HealthStatus = "degraded"  // works partly
	HealthStatusUnhealthy HealthStatus = "unhealthy" // does not work
)

// Endpoint is one address and port behind a service.
type Endpoint struct {
	// Address; the unspecified address for a listener on all of them.
	Address netip.Addr `json:"address"`
	// Port is the TCP port, 1 to 65535.
	Port int `json:"port"`
	// Ready says whether the endpoint takes connections.
	Ready bool `json:"ready"`
	// Pod is the name of the pod behind it, in the namespace of the service; empty where it is none that is known.
	Pod string `json:"pod,omitempty"`
	// Node and Zone are the names of those that it is in; empty where the cluster does not say.
	Node string `json:"node,omitempty"`
	Zone string `json:"zone,omitempty"`
}

// Exposure is an object that leads from outside the cluster to a service.
type Exposure struct {
	// Kind is that of an ingress as its API has it (Ingress, HTTPRoute, Route and so on); LoadBalancer, NodePort or
	// ExternalIP where the Service lets connections in by itself.
	Kind string `json:"kind"`
	// Namespace and Name of the object.
	Namespace string `json:"namespace"`
	Name      string `json:"name"`
	// Class says who serves it: an ingress class, the namespace/name of a gateway, a router. Empty if not known.
	Class string `json:"class,omitempty"`
	// Hosts are names or addresses at which it is reached, sorted; none where it answers to all names.
	Hosts []string `json:"hosts"`
	// Ports of the service to which it leads, sorted; of a NodePort those at the nodes.
	Ports []int `json:"ports"`
}

// Service is a named thing that accepts or makes connections.
type Service struct {
	// Name inside the namespace.
	Name string `json:"name"`
	// Namespace is the Kubernetes namespace, the host's name for a Process, empty for Node and External.
	Namespace string `json:"namespace"`
	// Type says what sort of thing it is.
	Type ServiceType `json:"type"`
	// Environment that it is in, such as production; empty where the settings do not say.
	Environment string `json:"environment,omitempty"`
	// ExposedBy is what leads to it from outside the cluster, sorted.
	ExposedBy []Exposure `json:"exposed_by,omitempty"`
	// Endpoints are the address:port pairs behind it, sorted. Empty where only the name is known, as at the ends of a
	// connection or a dependency.
	Endpoints []Endpoint `json:"endpoints"`
	// Labels of the Kubernetes object.
	Labels map[string]string `json:"labels"`
	// Health past the hysteresis.
	Health HealthStatus `json:"-"`
	// HealthReasons say why, most important first: connections_succeed, connections_fail, no_traffic,
	// endpoints_ready, endpoints_not_ready, no_endpoints, endpoints_flap, slow_handshakes; more may come.
	HealthReasons []string `json:"-"`
	// FirstSeen is when it was first known (UTC).
	FirstSeen time.Time `json:"first_seen"`
	// LastSeen is when something was last seen of it (UTC).
	LastSeen time.Time `json:"last_seen"`
}

// Key is `namespace/name`, as the maps of [ServiceMap] have it.
func (s *Service) Key() string { return s.Namespace + "/" + s.Name }

// ID is the identity, `kind:namespace/name`: the kind is `service` for a Kubernetes Service, else the type in lower
// case, so that a Process and a Service of one name differ.
func (s *Service) ID() string {
	kind := strings.ToLower(string(s.Type))
	if s.Type.IsKubernetesService() {
		kind = "service"
	}
	return kind + ":" + s.Key()
}
