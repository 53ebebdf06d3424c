package servicemap

import (
	"errors"
	"testing"

	"go.uber.org/zap"

	"github.com/yairfalse/tapio/internal/observers/orchestrator"
)

func TestRegistered(t *testing.T) {
	factory, ok := orchestrator.GetObserverFactory("services")
	if !ok {
		t.Fatal("no factory is registered for services")
	}
	observer, err := factory("services", &orchestrator.ObserverConfigData{BufferSize: 100}, zap.NewNop())
	if !cgo {
		if err == nil {
			t.Fatal("the observer was made without cgo")
		}
		return
	}
	if err != nil || observer.Name() != "services" || observer.IsHealthy() {
		t.Fatal(observer, err)
	}
	if err := errors.Join(observer.Stop(), observer.Stop()); err != nil {
		t.Fatal(err)
	}
	if _, open := <-observer.Events(); open {
		t.Fatal("the channel is open after the stop")
	}
}
