//go:generate ./generate.sh

// Package servicemapreceiver is an OpenTelemetry Collector receiver that observes which services of this machine talk
// to which. Events arrive as log records, figures as metrics; one native observer serves all pipelines of a receiver.
//
// It needs cgo. Without it the package compiles, and both `validate` and the start of a pipeline say what to do.
package servicemapreceiver
