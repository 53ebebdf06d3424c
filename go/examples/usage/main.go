// Command usage prints what an observer tells of this machine. Run it as root:
//
//	sudo go run ./examples/usage
package main

import (
	"context"
	"log"

	"github.com/servicemap/servicemap/go/domain"
	"github.com/servicemap/servicemap/go/services"
)

func main() {
	config := services.DefaultConfig()
	config.EnableK8sDiscovery = true
	config.EnableEBPF = true

	observer, err := services.NewObserver("services", config)
	if err != nil {
		log.Fatal(err)
	}

	ctx := context.Background()
	if err := observer.Start(ctx); err != nil {
		log.Fatal(err)
	}

	// Process events
	for event := range observer.Events() {
		switch event.Type {
		case domain.EventTypeServiceDiscovered:
			svc := event.ServiceData
			log.Printf("New service: %s/%s with %d endpoints",
				svc.Namespace, svc.Name, len(svc.Endpoints))

		case domain.EventTypeDependencyDetected:
			conn := event.ConnectionData
			log.Printf("Dependency: %s -> %s",
				conn.Source.Name, conn.Destination.Name)

		case domain.EventTypeTopologyChanged:
			topology := event.TopologyData
			log.Printf("Topology changed: %d services, %d connections",
				topology.ServiceCount, topology.ConnectionCount)
		}
	}
}
