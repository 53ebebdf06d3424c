package tapio

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	tapiodomain "github.com/yairfalse/tapio/pkg/domain"

	"github.com/servicemap/servicemap/go/domain"
	"github.com/servicemap/servicemap/go/internal/native"
	"github.com/servicemap/servicemap/go/services"
)

const (
	// channelSize is how many events wait for a reader beside those that the core keeps, which the BufferSize of
	// [services.Config] bounds: enough that the two sides seldom wait for each other.
	channelSize = 256
	// drainGrace is how long a reader has, after the observation has ended, to take the events that do not fit the
	// channel. What stopping the observation takes besides is bounded by 4 seconds, so that Stop returns within 5.
	drainGrace = 500 * time.Millisecond
)

// source is what the observer needs of [services.Observer].
type source interface {
	Start(ctx context.Context) error
	Events() <-chan *domain.Event
	Snapshot() ([]byte, error)
	Err() error
	Stop() error
}

type state int

const (
	created state = iota
	running
	// idle is started without an observation, which failed to start.
	idle
	stopped
)

// Observer is Servicemap's observer as tapio has observers. Make it with [NewObserver]; all methods may be called from
// any goroutine.
type Observer struct {
	name      string
	errorMode ErrorMode
	logger    *zap.Logger
	source    source
	converter *converter
	figures   *figures

	events chan *tapiodomain.CollectorEvent
	// abandoned is closed when events that do not fit the channel are no longer waited for.
	abandoned chan struct{}
	// pumped is closed when the pump has ended.
	pumped chan struct{}

	healthy atomic.Bool

	mu       sync.Mutex
	state    state
	detach   func() bool // ends the watch over Start's context
	stopOnce sync.Once
	stopErr  error
}

// NewObserver makes an observer; nothing is observed before [Observer.Start]. A nil config stands for [DefaultConfig].
// The name is the source of all events; where it is empty the one of the configuration stands in.
func NewObserver(name string, config *Config) (*Observer, error) {
	if config == nil {
		config = DefaultConfig()
	}
	if err := config.Validate(); err != nil {
		return nil, err
	}
	settings := config.Services
	if settings == nil {
		settings = services.DefaultConfig()
	}
	if name == "" {
		name = settings.Name
	}
	if name == "" {
		return nil, fmt.Errorf("tapio: the observer has no name, which tapio wants in every event: give one")
	}
	inner, err := services.NewObserver(name, settings)
	if err != nil {
		return nil, err
	}
	return newObserver(name, config, settings.Logger, inner), nil
}

func newObserver(name string, config *Config, logger *zap.Logger, from source) *Observer {
	if logger == nil {
		logger = zap.NewNop()
	}
	figures := newFigures(name)
	return &Observer{
		name:      name,
		errorMode: config.ErrorMode,
		logger:    logger.Named(name),
		source:    from,
		converter: &converter{
			name: name, version: nativeVersion(), maxMapEntries: config.MaxMapEntries, snapshot: from.Snapshot, figures: figures,
		},
		figures:   figures,
		events:    make(chan *tapiodomain.CollectorEvent, channelSize),
		abandoned: make(chan struct{}),
		pumped:    make(chan struct{}),
	}
}

// nativeVersion is never empty, as tapio wants a version in every event.
func nativeVersion() string {
	if version := native.Version(); version != "" {
		return version
	}
	return "unknown"
}

// Name is the observer's name, and the source of its events.
func (o *Observer) Name() string { return o.name }

// Events is where events arrive, first what exists already. The channel is the same at every call and is closed when the
// observer has stopped. A reader that falls behind loses the oldest events, is told so by an event with the label
// change_type=capture.gap, and gets the map again. No event is shared or used again once it was sent.
func (o *Observer) Events() <-chan *tapiodomain.CollectorEvent { return o.events }

// IsHealthy says whether the observer observes: from a successful start to the stop, whether or not there is anything
// to see. [Observer.Health] says more.
func (o *Observer) IsHealthy() bool { return o.healthy.Load() }

// Start begins to observe. It returns once that has succeeded or failed; see [ErrorMode] for the latter. When ctx ends,
// the observer stops as with [Observer.Stop]. An observer starts once.
func (o *Observer) Start(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("tapio: cannot start observer %q: %w", o.name, err)
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	switch o.state {
	case running, idle:
		return fmt.Errorf("tapio: observer %q was started before: make a new one for a second run", o.name)
	case stopped:
		return fmt.Errorf("tapio: observer %q was stopped: make a new one to observe again", o.name)
	case created:
	}
	// The end of ctx is watched here alone, so that there is one way to stop.
	if err := o.source.Start(context.WithoutCancel(ctx)); err != nil {
		o.figures.failed(err)
		if o.errorMode == ErrorModePropagate {
			return err
		}
		o.logger.Error("nothing is observed", zap.Error(err))
		o.state = idle
	} else {
		o.state = running
		o.figures.started()
		o.healthy.Store(true)
		go o.pump()
	}
	o.detach = context.AfterFunc(ctx, func() { _ = o.Stop() })
	return nil
}

// Stop ends the observation and closes the channel of [Observer.Events]; what is still in it can be read afterwards. It
// returns within 5 seconds, may be called at any time, and repeated calls return the first one's result.
func (o *Observer) Stop() error {
	o.stopOnce.Do(o.stop)
	return o.stopErr
}

func (o *Observer) stop() {
	o.healthy.Store(false)
	o.mu.Lock()
	was, detach := o.state, o.detach
	o.state = stopped
	o.mu.Unlock()
	// A start that was under way has succeeded meanwhile.
	o.healthy.Store(false)
	o.figures.ended()
	if detach != nil {
		detach()
	}
	o.stopErr = o.source.Stop()
	if was != running {
		close(o.events)
		return
	}
	grace := time.AfterFunc(drainGrace, func() { close(o.abandoned) })
	<-o.pumped
	grace.Stop()
}

// pump moves events from the observation to tapio, until the observation has ended.
func (o *Observer) pump() {
	defer close(o.pumped)
	defer close(o.events)
	for event := range o.source.Events() {
		o.figures.noticed(event)
		collected, err := o.converter.convert(event)
		if err != nil {
			o.figures.failed(err)
			o.logger.Error("an event was dropped", zap.String("change_type", string(event.Type)), zap.Error(err))
			continue
		}
		o.send(collected)
	}
	o.healthy.Store(false)
	if err := o.source.Err(); err != nil {
		o.figures.failed(err)
	}
}

// send waits for the reader: what it does not take in time waits in the core, which bounds it and tells what was lost.
func (o *Observer) send(event *tapiodomain.CollectorEvent) {
	select {
	case o.events <- event:
		o.figures.sent()
		return
	default:
	}
	select {
	case o.events <- event:
		o.figures.sent()
	case <-o.abandoned:
		o.figures.dropped()
	}
}
