//go:build cgo && linux && (amd64 || arm64)

package services

import (
	"context"
	"strconv"
	"testing"
	"time"

	"go.uber.org/zap/zaptest"

	"github.com/servicemap/servicemap/go/domain"
	"github.com/servicemap/servicemap/go/internal/capturetest"
)

// patience is how long a test waits for something that takes seconds on an idle machine.
const patience = 60 * time.Second

func observe(t *testing.T) *Observer {
	t.Helper()
	capturetest.Require(t)
	config := DefaultConfig()
	config.Logger = zaptest.NewLogger(t)
	o, err := NewObserver("test", config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := o.Stop(); err != nil {
			t.Error(err)
		}
	})
	if err := o.Start(context.Background()); err != nil {
		t.Fatal(err)
	}
	return o
}

// await is the first event that fits.
func await(t *testing.T, o *Observer, what string, fits func(*domain.Event) bool) *domain.Event {
	t.Helper()
	deadline := time.After(patience)
	for {
		select {
		case event, open := <-o.Events():
			if !open {
				t.Fatalf("the events ended before %s: %v", what, o.Err())
			}
			if fits(event) {
				return event
			}
		case <-deadline:
			t.Fatalf("no %s within %v", what, patience)
		}
	}
}

func established(port int) func(*domain.Event) bool {
	return func(e *domain.Event) bool {
		return e.Type == domain.EventTypeConnectionEstablished && e.ConnectionData.Port == port
	}
}

func checkEnds(t *testing.T, c *domain.Connection, client, server string) {
	t.Helper()
	if c.Source.Name != client || c.Destination.Name != server || c.Protocol != domain.ProtocolTCP {
		t.Errorf("the connection is %s, want one from %s to %s over tcp", c.Key(), client, server)
	}
	if c.Source.Namespace == "" || c.Source.Namespace != c.Destination.Namespace {
		t.Errorf("the ends are in namespaces %q and %q, want this host's name twice", c.Source.Namespace, c.Destination.Namespace)
	}
}

func TestConnectionBetweenTwoProgramsIsAnEventWithBothEndsAndThePort(t *testing.T) {
	o := observe(t)
	server := capturetest.Server(t, "sm-go-server")
	capturetest.Client(t, "sm-go-client", server)

	event := await(t, o, "connection.established at port "+strconv.Itoa(server.Port), established(server.Port))
	checkEnds(t, event.ConnectionData, "sm-go-client", "sm-go-server")
	if event.Initial || event.RunID == "" || event.ID == "" || event.Host == "" || event.Sequence == 0 {
		t.Errorf("the event is %+v", event)
	}
	if age := time.Since(event.Timestamp); age < 0 || age > patience {
		t.Errorf("the event happened %v ago", age)
	}
}

func TestConnectionFromBeforeTheStartIsAnInitialEvent(t *testing.T) {
	capturetest.Require(t)
	server := capturetest.Server(t, "sm-go-old-srv")
	capturetest.Client(t, "sm-go-old-cli", server)
	o := observe(t)

	event := await(t, o, "connection.established at port "+strconv.Itoa(server.Port), established(server.Port))
	checkEnds(t, event.ConnectionData, "sm-go-old-cli", "sm-go-old-srv")
	if !event.Initial || event.ConnectionData.Preexisting != 1 {
		t.Errorf("initial is %v and %d of the connections existed before, want true and 1",
			event.Initial, event.ConnectionData.Preexisting)
	}
}

func TestServiceMapHoldsTheConnectionWithItsCount(t *testing.T) {
	o := observe(t)
	server := capturetest.Server(t, "sm-go-map-srv")
	capturetest.Client(t, "sm-go-map-cli", server)
	await(t, o, "the connection", established(server.Port))

	m, err := o.ServiceMap()
	if err != nil {
		t.Fatal(err)
	}
	var found *domain.Connection
	for key, c := range m.Connections {
		if c.Port != server.Port {
			continue
		}
		found = c
		if key != c.Key() {
			t.Errorf("the connection %s is kept under %s", c.Key(), key)
		}
	}
	if found == nil {
		t.Fatalf("no connection at port %d among %d", server.Port, len(m.Connections))
	}
	checkEnds(t, found, "sm-go-map-cli", "sm-go-map-srv")
	if found.RequestCount != 1 || found.Active != 1 {
		t.Errorf("%d connections were opened and %d are active, want one each", found.RequestCount, found.Active)
	}
	if m.Services[found.Destination.Key()] != found.Destination {
		t.Error("the destination is not the service of the map")
	}
}

func TestServerIsDiscoveredAndDependedOn(t *testing.T) {
	o := observe(t)
	server := capturetest.Server(t, "sm-go-dep-srv")
	capturetest.Client(t, "sm-go-dep-cli", server)

	discovered, depended := false, false
	await(t, o, "discovery of the server and the dependency on it", func(e *domain.Event) bool {
		switch e.Type {
		case domain.EventTypeServiceDiscovered:
			// Initial ones too, which the library gives as rows of the map.
			if e.Subject != e.ServiceData.ID() {
				t.Errorf("the event of %s is about %q", e.ServiceData.ID(), e.Subject)
			}
			discovered = discovered || e.ServiceData.Name == "sm-go-dep-srv"
		case domain.EventTypeDependencyDetected:
			depended = depended || e.ConnectionData.Source.Name == "sm-go-dep-cli" &&
				e.ConnectionData.Destination.Name == "sm-go-dep-srv" && e.DependencyData.Port == server.Port
		}
		return discovered && depended
	})
}
