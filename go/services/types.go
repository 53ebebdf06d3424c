package services

import "github.com/servicemap/servicemap/go/domain"

// The map and its parts, as they stand in package domain.
type (
	ServiceMap    = domain.ServiceMap
	Service       = domain.Service
	Connection    = domain.Connection
	TopologyGraph = domain.TopologyGraph
	Endpoint      = domain.Endpoint
	ServiceType   = domain.ServiceType
	HealthStatus  = domain.HealthStatus
)
