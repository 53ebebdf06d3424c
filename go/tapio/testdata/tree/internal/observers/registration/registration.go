// Package registration stands in for tapio's package of the same path.
package registration

import "github.com/yairfalse/tapio/internal/observers/orchestrator"

// RegisterObserver adds a factory, from an observer's init.
func RegisterObserver(name string, factory orchestrator.ObserverFactory) {
	orchestrator.RegisterObserverFactory(name, factory)
}
