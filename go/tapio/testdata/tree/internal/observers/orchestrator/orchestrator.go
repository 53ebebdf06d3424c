// Package orchestrator stands in for tapio's package of the same path.
package orchestrator

import (
	"go.uber.org/zap"

	"github.com/yairfalse/tapio/internal/observers"
)

// ObserverConfigData is what of tapio's flat configuration concerns this observer.
type ObserverConfigData struct {
	BufferSize int
	EnableEBPF bool
}

// ObserverFactory makes an observer.
type ObserverFactory func(name string, config *ObserverConfigData, logger *zap.Logger) (observers.Observer, error)

var factories = map[string]ObserverFactory{}

// RegisterObserverFactory adds a factory.
func RegisterObserverFactory(name string, factory ObserverFactory) { factories[name] = factory }

// GetObserverFactory finds a factory.
func GetObserverFactory(name string) (ObserverFactory, bool) {
	factory, ok := factories[name]
	return factory, ok
}
