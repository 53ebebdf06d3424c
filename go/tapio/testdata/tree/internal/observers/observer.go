// Package observers stands in for tapio's package of the same path: TestFileInTheREADMERegistersTheObserver builds a
// tree of this and the contract.
package observers

import (
	"context"

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
