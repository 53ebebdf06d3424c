package tapio

import (
	"maps"
	"slices"

	tapiodomain "github.com/yairfalse/tapio/pkg/domain"

	"github.com/servicemap/servicemap/go/domain"
)

// The words that tapio has for what happened to a Kubernetes object.
const (
	operationCreate = "create"
	operationUpdate = "update"
	operationDelete = "delete"
)

// service tells of a service that came or went.
func service(out *tapiodomain.CollectorEvent, e *domain.Event) {
	s, gone := e.ServiceData, e.Type == domain.EventTypeServiceRemoved
	about(out, e, s)
	if resource := out.EventData.KubernetesResource; resource != nil && gone {
		at := out.Timestamp
		resource.Operation, resource.DeletionTimestamp = operationDelete, &at
		// An object that was deleted is worth a look; a program that ended is not.
		out.Severity = tapiodomain.EventSeverityWarning
	}
}

// health tells of a service whose health is another one.
func health(out *tapiodomain.CollectorEvent, e *domain.Event) {
	h := e.HealthData
	about(out, e, h.Service)
	from, to := healthWord(h.From), healthWord(h.To)
	if resource := out.EventData.KubernetesResource; resource != nil {
		resource.Operation = operationUpdate
		resource.Phase = to
		resource.Reason = "HealthChanged"
		resource.Message = from + " -> " + to
		resource.Conditions = slices.Clone(h.Reasons)
		out.K8sContext.Phase = to
	}
	out.Metadata.Labels["from_status"], out.Metadata.Labels["to_status"] = from, to
	switch h.To {
	case domain.HealthStatusUnhealthy:
		out.Severity, out.Metadata.Priority = tapiodomain.EventSeverityHigh, tapiodomain.PriorityHigh
	case domain.HealthStatusDegraded:
		out.Severity = tapiodomain.EventSeverityWarning
	default:
		out.Severity = tapiodomain.EventSeverityInfo
	}
}

// about puts the service that an event is about into all places where tapio's consumers look for it.
func about(out *tapiodomain.CollectorEvent, e *domain.Event, s *domain.Service) {
	out.EventData.ServiceMap.Services[s.Key()] = serviceInfo(s)
	out.Metadata.Labels["namespace"] = s.Namespace
	out.Metadata.Labels["service"] = s.Name
	out.Metadata.Labels["service_type"] = string(s.Type)
	kubernetes(out, e, s)
	if s.Type.IsKubernetesService() {
		retype(out, tapiodomain.EventTypeK8sService)
		out.EventData.KubernetesResource = serviceResource(s, operationCreate)
	}
}

// kubernetes says where in a cluster a service is, if it is.
func kubernetes(out *tapiodomain.CollectorEvent, e *domain.Event, s *domain.Service) {
	switch {
	case s.Type.IsKubernetesService():
		out.K8sContext = &tapiodomain.K8sContext{
			APIVersion: "v1", Kind: "Service", Name: s.Name, Namespace: s.Namespace,
			Labels: maps.Clone(s.Labels), ClusterName: e.Cluster,
		}
	case s.Type == domain.ServiceTypeWorkload:
		out.K8sContext = &tapiodomain.K8sContext{
			WorkloadName: s.Name, Namespace: s.Namespace, Labels: maps.Clone(s.Labels), ClusterName: e.Cluster,
		}
	default:
		return
	}
	out.Metadata.PodNamespace = s.Namespace
}

func serviceResource(s *domain.Service, operation string) *tapiodomain.K8sResourceData {
	return &tapiodomain.K8sResourceData{
		APIVersion: "v1", Kind: "Service", Name: s.Name, Namespace: s.Namespace,
		Operation: operation, Labels: maps.Clone(s.Labels),
	}
}
