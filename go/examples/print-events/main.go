// Command print-events writes what an observer tells of this machine as JSON lines: one line an event, and each second
// one with all connections and their counts (type "map"). It ends in order at SIGINT or SIGTERM. Run it as root:
//
//	sudo go run ./examples/print-events
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"go.uber.org/zap"

	"github.com/servicemap/servicemap/go/domain"
	"github.com/servicemap/servicemap/go/services"
)

// mapInterval is the time between two lines with the map.
const mapInterval = time.Second

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "print-events:", err)
		os.Exit(1)
	}
}

func run() error {
	config := services.DefaultConfig()
	logger, err := zap.NewProduction()
	if err != nil {
		return err
	}
	config.Logger = logger
	observer, err := services.NewObserver("print-events", config)
	if err != nil {
		return err
	}
	ctx, cancel := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer cancel()
	if err := observer.Start(ctx); err != nil {
		return err
	}
	if err := printAll(observer); err != nil {
		return err
	}
	return observer.Stop()
}

// printAll writes until the events end.
func printAll(observer *services.Observer) error {
	out := json.NewEncoder(os.Stdout)
	ticker := time.NewTicker(mapInterval)
	defer ticker.Stop()
	for {
		select {
		case event, open := <-observer.Events():
			if !open {
				return observer.Err()
			}
			if err := out.Encode(eventLine(event)); err != nil {
				return err
			}
		case <-ticker.C:
			m, err := observer.ServiceMap()
			if err != nil {
				return err
			}
			if err := out.Encode(mapLine(m)); err != nil {
				return err
			}
		}
	}
}

// line is one line of output; which fields it has follows from its type.
type line struct {
	Type        string       `json:"type"`
	At          *time.Time   `json:"at,omitempty"`
	Subject     string       `json:"subject,omitempty"`
	Initial     bool         `json:"initial,omitempty"`
	Connection  *connection  `json:"connection,omitempty"`
	Gap         *domain.Gap  `json:"gap,omitempty"`
	Services    int          `json:"services,omitempty"`
	Connections []connection `json:"connections,omitempty"`
}

// end and connection have the names of Servicemap's JSON map.
type end struct {
	Namespace string `json:"namespace"`
	Name      string `json:"name"`
	Type      string `json:"type"`
}

type connection struct {
	Source      end    `json:"source"`
	Destination end    `json:"destination"`
	Protocol    string `json:"protocol"`
	Port        int    `json:"port"`
	Opened      int64  `json:"opened"`
	Active      int64  `json:"active"`
	Failed      int64  `json:"failed"`
}

func eventLine(event *domain.Event) line {
	out := line{
		Type: string(event.Type), At: &event.Timestamp, Subject: event.Subject, Initial: event.Initial, Gap: event.GapData,
	}
	if event.ConnectionData != nil {
		c := connectionOf(event.ConnectionData)
		out.Connection = &c
	}
	if event.TopologyData != nil {
		out.Services = event.TopologyData.ServiceCount
	}
	return out
}

func mapLine(m *services.ServiceMap) line {
	out := line{Type: "map", Services: m.TotalServices, Connections: []connection{}}
	for _, c := range m.Connections {
		out.Connections = append(out.Connections, connectionOf(c))
	}
	return out
}

func connectionOf(c *domain.Connection) connection {
	return connection{
		Source: endOf(c.Source), Destination: endOf(c.Destination), Protocol: c.Protocol, Port: c.Port,
		Opened: c.RequestCount, Active: c.Active, Failed: c.Failed.Total(),
	}
}

func endOf(s *domain.Service) end {
	return end{Namespace: s.Namespace, Name: s.Name, Type: string(s.Type)}
}
