// Package tapiohost is a program in tapio's shape, for tests: tapio's own cannot be imported from outside its tree. It
// holds observers by tapio's interface, makes them by registered factories, reads their events as tapio's orchestrator
// does, and checks them by tapio's rules. It is written from what tapio does and has none of its code.
package tapiohost

import (
	"context"
	"fmt"
	"sync"

	"go.uber.org/zap"

	"github.com/yairfalse/tapio/pkg/domain"
)

// Observer is tapio's interface of that name.
type Observer interface {
	Name() string
	Start(ctx context.Context) error
	Stop() error
	Events() <-chan *domain.CollectorEvent
	IsHealthy() bool
}

// ConfigData is what of tapio's flat configuration of observers concerns this one.
type ConfigData struct {
	// BufferSize is zero when the file does not say.
	BufferSize int
	EnableEBPF bool
}

// Factory makes an observer, as those do that tapio's observers register.
type Factory func(name string, config *ConfigData, logger *zap.Logger) (Observer, error)

// Registry holds factories by name; the last one of a name wins.
type Registry struct {
	mu        sync.Mutex
	factories map[string]Factory
}

// Register adds a factory.
func (r *Registry) Register(name string, factory Factory) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.factories == nil {
		r.factories = map[string]Factory{}
	}
	r.factories[name] = factory
}

// Make makes the observer that is registered under a name, which becomes its name.
func (r *Registry) Make(name string, config *ConfigData, logger *zap.Logger) (Observer, error) {
	r.mu.Lock()
	factory, ok := r.factories[name]
	r.mu.Unlock()
	if !ok {
		return nil, fmt.Errorf("no factory is registered for %q", name)
	}
	return factory(name, config, logger)
}
