package domain

import "time"

// CollectorStats are an observer's figures.
type CollectorStats struct {
	EventsProcessed int64             `json:"events_processed"`
	ErrorCount      int64             `json:"error_count"`
	LastEventTime   time.Time         `json:"last_event_time"`
	Uptime          time.Duration     `json:"uptime"`
	CustomMetrics   map[string]string `json:"custom_metrics,omitempty"`
}

// HealthStatusValue says how a component is.
type HealthStatusValue string

// The values.
const (
	HealthHealthy   HealthStatusValue = "healthy"
	HealthDegraded  HealthStatusValue = "degraded"
	HealthUnhealthy HealthStatusValue = "unhealthy"
	HealthUnknown   HealthStatusValue = "unknown"
)

// HealthStatus is a component's health.
type HealthStatus struct {
	Status        HealthStatusValue `json:"status"`
	Message       string            `json:"message"`
	Timestamp     time.Time         `json:"timestamp"`
	Component     string            `json:"component,omitempty"`
	Version       string            `json:"version,omitempty"`
	Uptime        time.Duration     `json:"uptime,omitempty"`
	LastHealthy   time.Time         `json:"last_healthy,omitempty"`
	LastError     error             `json:"-"`
	LastErrorText string            `json:"last_error,omitempty"`
	EventsEmitted int64             `json:"events_emitted,omitempty"`
	EventsDropped int64             `json:"events_dropped,omitempty"`
	ErrorCount    int64             `json:"error_count,omitempty"`
}
