// Command print-events prints each event of this machine as one line, until it is interrupted. Run it as root:
//
//	sudo go run ./examples/print-events
package main

import (
	"context"
	"fmt"
	"log"
	"os/signal"
	"syscall"

	"github.com/servicemap/servicemap/go/domain"
	"github.com/servicemap/servicemap/go/services"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	observer, err := services.NewObserver("print-events", services.DefaultConfig())
	if err != nil {
		log.Fatal(err)
	}
	if err := observer.Start(ctx); err != nil {
		log.Fatal(err)
	}
	// The channel is closed once the observer has stopped: when ctx ends.
	for event := range observer.Events() {
		fmt.Println(line(event))
	}
}

func line(event *domain.Event) string {
	initial := ""
	if event.Initial {
		initial = " (initial)"
	}
	return fmt.Sprintf("%d %s%s %s", event.Sequence, event.Type, initial, details(event))
}

// details of the data that an event carries; the order matters where it carries two.
func details(event *domain.Event) string {
	switch {
	case event.HealthData != nil:
		health := event.HealthData
		return fmt.Sprintf("%s %s -> %s", health.Service.Key(), health.From, health.To)
	case event.TopologyData != nil:
		topology := event.TopologyData
		return fmt.Sprintf("services=%d connections=%d", topology.ServiceCount, topology.ConnectionCount)
	case event.GapData != nil:
		return fmt.Sprintf("%s count=%d", event.GapData.Reason, event.GapData.Count)
	case event.DependencyData != nil:
		dependency := event.DependencyData
		return fmt.Sprintf("%s needs %s:%d", dependency.Source.Key(), dependency.Destination.Key(), dependency.Port)
	case event.ConnectionData != nil:
		connection := event.ConnectionData
		return fmt.Sprintf("%s -> %s:%d opened=%d active=%d", connection.Source.Key(), connection.Destination.Key(),
			connection.Port, connection.RequestCount, connection.Active)
	case event.ServiceData != nil:
		return fmt.Sprintf("%s %s", event.ServiceData.Key(), event.ServiceData.Type)
	default:
		return event.Subject
	}
}
