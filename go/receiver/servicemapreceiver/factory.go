package servicemapreceiver

import (
	"context"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/receiver"

	"github.com/servicemap/servicemap/go/receiver/servicemapreceiver/internal/metadata"
	"github.com/servicemap/servicemap/go/receiver/servicemapreceiver/internal/sharedcomponent"
)

// receivers are the live receivers by configuration: the Collector hands the same one to each of a receiver's signals.
var receivers = sharedcomponent.NewMap[*Config, *mapReceiver]()

// NewFactory makes the receiver's factory.
func NewFactory() receiver.Factory {
	return receiver.NewFactory(metadata.Type, createDefaultConfig,
		receiver.WithLogs(createLogs, metadata.LogsStability),
		receiver.WithMetrics(createMetrics, metadata.MetricsStability))
}

func createLogs(_ context.Context, set receiver.Settings, cfg component.Config, next consumer.Logs) (receiver.Logs, error) {
	shared, err := sharedReceiver(set, cfg)
	if err != nil {
		return nil, err
	}
	shared.Unwrap().logs = next
	return shared, nil
}

func createMetrics(_ context.Context, set receiver.Settings, cfg component.Config, next consumer.Metrics) (receiver.Metrics, error) {
	shared, err := sharedReceiver(set, cfg)
	if err != nil {
		return nil, err
	}
	shared.Unwrap().metrics = next
	return shared, nil
}

func sharedReceiver(set receiver.Settings, cfg component.Config) (*sharedcomponent.Component[*mapReceiver], error) {
	config := cfg.(*Config)
	return receivers.LoadOrStore(config, func() (*mapReceiver, error) { return newReceiver(set, config, newNativeEngine) })
}
