package tapio

import (
	"strings"

	tapiodomain "github.com/yairfalse/tapio/pkg/domain"

	"github.com/servicemap/servicemap/go/domain"
)

// connection tells of an edge of the map: the sum of the connections of one service to one port of another. It has no
// addresses of its own, and no process.
func connection(out *tapiodomain.CollectorEvent, e *domain.Event) {
	c := e.ConnectionData
	what := "connect"
	switch e.Type {
	case domain.EventTypeConnectionFailed:
		what = "connect_failed"
	case domain.EventTypeConnectionExpired:
		what = "close"
	}
	retype(out, tapiodomain.EventTypeNetworkConnection)
	out.EventData.ServiceMap = nil
	out.EventData.Network = &tapiodomain.NetworkData{
		EventType: what, Protocol: strings.ToUpper(c.Protocol),
		// The source is always the side that connected.
		Direction: "outbound",
		DstPort:   int32(c.Port), BytesSent: c.BytesSent, BytesRecv: c.BytesReceived, Latency: c.RTT,
	}
	out.Metadata.Labels["level"] = "1"
	out.Metadata.Labels["conn_type"] = what
	between(out, c)
	kubernetes(out, e, c.Source)
}

// dependency tells that one service needs another, or does no longer.
func dependency(out *tapiodomain.CollectorEvent, e *domain.Event) {
	d := e.DependencyData
	c := e.ConnectionData
	if c == nil {
		c = &domain.Connection{
			Source: d.Source, Destination: d.Destination, Protocol: d.Protocol, Port: d.Port,
			FirstSeen: out.Timestamp, LastSeen: out.Timestamp,
		}
	}
	flow := flowType(d.Source, d.Destination)
	out.EventData.Network = &tapiodomain.NetworkData{
		EventType: "service_flow", Protocol: strings.ToUpper(d.Protocol), Direction: flow, DstPort: int32(d.Port),
	}
	out.EventData.ServiceMap.Connections[c.Key()] = connectionInfo(c)
	out.Metadata.Labels["level"] = "2"
	out.Metadata.Labels["flow_type"] = flow
	between(out, c)
	if d.CrossNamespace && e.Type == domain.EventTypeDependencyDetected {
		out.Severity = tapiodomain.EventSeverityMedium
	}
	kubernetes(out, e, d.Source)
	if d.Source.Type.IsKubernetesService() {
		out.EventData.KubernetesResource = serviceResource(d.Source, operationUpdate)
	}
	if out.K8sContext != nil && d.Destination.Type.IsKubernetesService() && e.Type == domain.EventTypeDependencyDetected {
		out.K8sContext.Dependencies = []tapiodomain.ResourceDependency{{
			Kind: "Service", Name: d.Destination.Name, Namespace: d.Destination.Namespace, Type: "service", Required: true,
		}}
	}
}

// between says which two services an event is about, and by what it is found again.
func between(out *tapiodomain.CollectorEvent, c *domain.Connection) {
	for key, value := range map[string]string{
		"src_ns": c.Source.Namespace, "src_svc": c.Source.Name, "src_type": string(c.Source.Type),
		"dst_ns": c.Destination.Namespace, "dst_svc": c.Destination.Name, "dst_type": string(c.Destination.Type),
	} {
		out.Metadata.Labels[key] = value
	}
	hints := out.CorrelationHints
	hints.ConnectionID = c.Key()
	hints.FlowID = strings.TrimSuffix(c.Key(), "/"+c.Protocol)
	hints.WindowStart, hints.WindowEnd = c.FirstSeen, c.LastSeen
}

// flowType is tapio's word for where two services stand to each other.
func flowType(source, destination *domain.Service) string {
	switch {
	case destination.Type == domain.ServiceTypeExternal:
		return "egress"
	case source.Type == domain.ServiceTypeExternal:
		return "ingress"
	case source.Namespace == "" || destination.Namespace == "":
		return "unknown"
	case source.Namespace == destination.Namespace:
		return "intra-namespace"
	default:
		return "inter-namespace"
	}
}
