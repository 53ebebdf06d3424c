package tapiohost

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/yairfalse/tapio/pkg/domain"
)

// forwardTimeout is how long tapio waits for its workers before it drops an event.
const forwardTimeout = 100 * time.Millisecond

// Message is an event as tapio publishes it.
type Message struct {
	// Event as it came, after tapio wrote into it.
	Event *domain.CollectorEvent
	// JSON is what would be published.
	JSON []byte
	// Err says what tapio's rules have against the event.
	Err error
}

// Host runs observers as tapio's orchestrator does: a goroutine for each reads its events, writes into them, and hands
// them on to a worker, which publishes them.
type Host struct {
	observers []Observer
	central   chan *domain.CollectorEvent
	published func(Message)
	cancel    context.CancelFunc
	readers   sync.WaitGroup
	worker    sync.WaitGroup
}

// New makes a host that hands what it publishes to a function.
func New(published func(Message), observers ...Observer) *Host {
	return &Host{observers: observers, central: make(chan *domain.CollectorEvent, 10_000), published: published}
}

// Start starts all observers. As in tapio, the first that fails ends it all.
func (h *Host) Start(ctx context.Context) error {
	ctx, h.cancel = context.WithCancel(ctx)
	for _, o := range h.observers {
		if err := o.Start(ctx); err != nil {
			return errors.Join(fmt.Errorf("observer %s does not start: %w", o.Name(), err), h.Stop())
		}
		h.readers.Add(1)
		go h.read(ctx, o)
	}
	h.worker.Add(1)
	go h.publish()
	return nil
}

// Stop ends the context first and then stops one observer after the other, those too that were never started.
func (h *Host) Stop() error {
	h.cancel()
	var errs []error
	for _, o := range h.observers {
		errs = append(errs, o.Stop())
	}
	h.readers.Wait()
	close(h.central)
	h.worker.Wait()
	return errors.Join(errs...)
}

// read asks for the channel on each turn, as tapio does.
func (h *Host) read(ctx context.Context, o Observer) {
	defer h.readers.Done()
	for {
		select {
		case <-ctx.Done():
			return
		case event, open := <-o.Events():
			if !open {
				return
			}
			event.Metadata.Attributes["observer_name"] = o.Name()
			select {
			case h.central <- event:
			case <-time.After(forwardTimeout):
			}
		}
	}
}

func (h *Host) publish() {
	defer h.worker.Done()
	for event := range h.central {
		message := Message{Event: event, Err: Check(event, event.Metadata.Attributes["observer_name"])}
		var err error
		message.JSON, err = json.Marshal(event)
		message.Err = errors.Join(message.Err, err)
		h.published(message)
	}
}
