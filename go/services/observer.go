package services

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/servicemap/servicemap/go/domain"
	"github.com/servicemap/servicemap/go/internal/native"
)

const (
	// pollTimeout bounds how long one call waits in the native library, and with it how long an OS thread is held.
	pollTimeout = 500 * time.Millisecond
	// batchSize is how many events one call brings, and how many the channel holds: one batch is read while the next
	// one is fetched. Further events wait in the core's log, which BufferSize bounds.
	batchSize = 256
	// shutdownDeadline bounds how long the core may take to drain the kernel's last counts.
	shutdownDeadline = 3 * time.Second
	// drainGrace is how long a reader has, after the core stopped, to take the events that do not fit the channel.
	drainGrace = time.Second
)

// engine is what an observer needs of the native library.
type engine interface {
	Start() error
	NextEvents(max int, timeout time.Duration) (*native.EventBatch, error)
	Snapshot() ([]byte, error)
	Wake()
	Shutdown(deadline time.Duration) error
	Close()
}

type state int

const (
	created state = iota
	running
	stopped
)

// Observer watches this machine. Make it with [NewObserver]; all methods may be called from any goroutine.
type Observer struct {
	name   string
	config Config
	logger *zap.Logger
	engine engine

	events chan *domain.Event
	// abandoned is closed when events that do not fit the channel are no longer waited for.
	abandoned chan struct{}
	// pumped is closed when the pump has ended.
	pumped chan struct{}

	// Who observes, known once it was started; part of every event.
	identity identity

	mu       sync.Mutex
	state    state
	detach   func() bool // ends the watch over Start's context
	pumpErr  error
	stopOnce sync.Once
	stopErr  error
}

// NewObserver makes an observer; nothing is observed before [Observer.Start]. A nil config stands for [DefaultConfig].
// Without the native library in the program it returns an error that says how to build it in.
func NewObserver(name string, config *Config) (*Observer, error) {
	if config == nil {
		config = DefaultConfig()
	}
	if err := config.Validate(); err != nil {
		return nil, err
	}
	if name == "" {
		name = config.Name
	}
	settings, err := config.nativeJSON(name)
	if err != nil {
		return nil, fmt.Errorf("services: cannot write the settings as JSON: %w", err)
	}
	n, err := native.New(settings)
	if err != nil {
		return nil, err
	}
	return newObserver(name, config, n), nil
}

func newObserver(name string, config *Config, e engine) *Observer {
	logger := config.Logger
	if logger == nil {
		logger = zap.NewNop()
	}
	return &Observer{
		name:      name,
		config:    *config,
		logger:    logger.With(zap.String("observer", name)),
		engine:    e,
		events:    make(chan *domain.Event, batchSize),
		abandoned: make(chan struct{}),
		pumped:    make(chan struct{}),
	}
}

// Name is the observer's name.
func (o *Observer) Name() string { return o.name }

// Start loads the kernel side and begins to observe. It returns once that has succeeded; events follow on
// [Observer.Events]. When ctx ends, the observer stops as with [Observer.Stop]. An observer starts once.
func (o *Observer) Start(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("services: cannot start observer %q: %w", o.name, err)
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	switch o.state {
	case running:
		return fmt.Errorf("services: observer %q was started before: make a new one for a second run", o.name)
	case stopped:
		return fmt.Errorf("services: observer %q was stopped: make a new one to observe again", o.name)
	case created:
	}
	if o.config.KubeConfig != "" || len(o.config.WatchNamespaces) > 0 {
		o.logger.Warn("Kubernetes discovery is not part of this version: only this machine is observed")
	}
	if err := o.engine.Start(); err != nil {
		return fmt.Errorf("services: cannot start observer %q: %w", o.name, err)
	}
	o.identify()
	o.state = running
	o.detach = context.AfterFunc(ctx, func() { _ = o.Stop() })
	go o.pump()
	o.logger.Info("observer started", zap.Bool("ebpf", o.config.EnableEBPF))
	return nil
}

// Events is where events arrive: first what exists already, marked Initial, then changes, each subject's in their
// order. The channel is the same at every call and is closed when the observer has stopped. A reader that falls behind
// by more than BufferSize events loses the oldest and is told so by an EventTypeCaptureGap.
func (o *Observer) Events() <-chan *domain.Event { return o.events }

// ServiceMap is the map now: a copy that nothing changes afterwards.
func (o *Observer) ServiceMap() (*ServiceMap, error) {
	document, err := o.Snapshot()
	if err != nil {
		return nil, err
	}
	return ParseServiceMap(document)
}

// Snapshot is the map now as the JSON document that every door of Servicemap writes (docs/map.md); [ParseServiceMap]
// reads it.
func (o *Observer) Snapshot() ([]byte, error) {
	document, err := o.engine.Snapshot()
	if err != nil {
		return nil, fmt.Errorf("services: cannot read the map of observer %q: %w", o.name, err)
	}
	return document, nil
}

// Err says why the events ended, once the channel of [Observer.Events] is closed; nil after a regular stop.
func (o *Observer) Err() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.pumpErr
}

// Stop ends the observation, drains the kernel's last counts and closes the channel of [Observer.Events]; what is still
// in the channel can be read afterwards. It returns within 5 seconds, may be called at any time, and repeated calls
// return the first one's result.
func (o *Observer) Stop() error {
	o.stopOnce.Do(o.stop)
	return o.stopErr
}

func (o *Observer) stop() {
	o.mu.Lock()
	was, detach := o.state, o.detach
	o.state = stopped
	o.mu.Unlock()
	if was == created {
		close(o.events)
		o.engine.Close()
		return
	}
	detach()
	if err := o.engine.Shutdown(shutdownDeadline); err != nil {
		o.stopErr = fmt.Errorf("services: observer %q did not stop in order: %w", o.name, err)
	}
	o.engine.Wake()
	grace := time.AfterFunc(drainGrace, func() { close(o.abandoned) })
	<-o.pumped
	grace.Stop()
	o.engine.Close()
	o.logger.Info("observer stopped", zap.Error(o.stopErr))
}

// pump moves events from the native library to the channel, until the observer has ended.
func (o *Observer) pump() {
	defer close(o.pumped)
	defer close(o.events)
	for {
		batch, err := o.engine.NextEvents(batchSize, pollTimeout)
		switch {
		case err == nil:
			if !o.deliver(batch) {
				return
			}
		case errors.Is(err, native.ErrEnded):
			return
		case errors.Is(err, native.ErrTimeout):
			if o.isAbandoned() {
				return
			}
		default:
			o.fail(err)
			return
		}
	}
}

func (o *Observer) fail(err error) {
	o.logger.Error("the events end here", zap.Error(err))
	o.mu.Lock()
	defer o.mu.Unlock()
	o.pumpErr = err
}

// deliver sends a batch to the reader, the news of a loss first; false when nobody waits for the rest any more.
func (o *Observer) deliver(batch *native.EventBatch) bool {
	if batch.Lost > 0 {
		o.logger.Warn("events were lost because they were read too slowly: read faster, or raise BufferSize",
			zap.Uint64("lost", batch.Lost), zap.Int("buffer_size", o.config.BufferSize))
		if !o.send(o.slowReaderGap(batch)) {
			return false
		}
	}
	for _, event := range batch.Events {
		event.Host, event.Cluster = o.identity.Host, o.identity.Cluster
		if !o.send(event) {
			return false
		}
	}
	return true
}

func (o *Observer) send(event *domain.Event) bool {
	select {
	case o.events <- event:
		return true
	case <-o.abandoned:
		return false
	}
}

func (o *Observer) isAbandoned() bool {
	select {
	case <-o.abandoned:
		return true
	default:
		return false
	}
}
