package tapio

import (
	"maps"
	"strings"
	"time"

	tapiodomain "github.com/yairfalse/tapio/pkg/domain"

	"github.com/servicemap/servicemap/go/domain"
)

// roleUnknown is the type of all services: what a service is for (api, database, cache …) is not guessed here.
const roleUnknown = "unknown"

// serviceInfo is a service in tapio's form, without what only a whole map tells.
func serviceInfo(s *domain.Service) tapiodomain.ServiceMapInfo {
	return tapiodomain.ServiceMapInfo{
		Name: s.Name, Namespace: s.Namespace, Type: roleUnknown, Version: versionOf(s.Labels),
		Health: healthWord(s.Health), Labels: maps.Clone(s.Labels),
		Dependencies: []string{}, Endpoints: len(s.Endpoints),
	}
}

func connectionInfo(c *domain.Connection) tapiodomain.ConnectionInfo {
	return tapiodomain.ConnectionInfo{
		Source: c.Source.Key(), Target: c.Destination.Key(), Protocol: strings.ToUpper(c.Protocol),
		Count: int(c.RequestCount), BytesSent: uint64(c.BytesSent), BytesRecv: uint64(c.BytesReceived),
		ErrorRate:  share(c.Failed.Total(), c.RequestCount+c.Failed.Total()),
		AvgLatency: float64(c.RTT) / float64(time.Millisecond),
	}
}

func share(part, all int64) float64 {
	if all == 0 {
		return 0
	}
	return float64(part) / float64(all)
}

// healthWord is tapio's word for a service's health: it says down where Servicemap says unhealthy.
func healthWord(status domain.HealthStatus) string {
	switch status {
	case domain.HealthStatusUnhealthy:
		return "down"
	case domain.HealthStatusHealthy, domain.HealthStatusDegraded:
		return string(status)
	default:
		return "unknown"
	}
}

// versionOf is a service's version by the labels that tapio takes it from.
func versionOf(labels map[string]string) string {
	for _, key := range []string{"version", "app.kubernetes.io/version", "chart"} {
		if version := labels[key]; version != "" {
			return version
		}
	}
	return ""
}
