package tapio

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	tapiodomain "github.com/yairfalse/tapio/pkg/domain"

	"github.com/servicemap/servicemap/go/domain"
	"github.com/servicemap/servicemap/go/services"
	"github.com/servicemap/servicemap/go/tapio/internal/tapiohost"
)

// The observer is one of tapio's, and tells of itself what tapio's observers tell.
var (
	_ tapiohost.Observer = (*Observer)(nil)
	_ source             = (*services.Observer)(nil)
	_ interface {
		Statistics() *tapiodomain.CollectorStats
		Health() *tapiodomain.HealthStatus
	} = (*Observer)(nil)
)

// stopLimit is what tapio's observers may take to stop.
const stopLimit = 5 * time.Second

// scriptedSource sends what a test queues, so that the observer can be tested without a kernel.
type scriptedSource struct {
	events   chan *domain.Event
	startErr error
	endErr   error
	once     sync.Once
}

func newScriptedSource() *scriptedSource {
	return &scriptedSource{events: make(chan *domain.Event, 1000)}
}

func (s *scriptedSource) Start(context.Context) error  { return s.startErr }
func (s *scriptedSource) Events() <-chan *domain.Event { return s.events }
func (s *scriptedSource) Snapshot() ([]byte, error)    { return []byte(smallMap), nil }
func (s *scriptedSource) Err() error                   { return s.endErr }
func (s *scriptedSource) Stop() error                  { s.once.Do(func() { close(s.events) }); return nil }

// end ends the observation from inside.
func (s *scriptedSource) end(err error) {
	s.endErr = err
	_ = s.Stop()
}

func observer(s *scriptedSource) *Observer { return newObserver(observerName, DefaultConfig(), nil, s) }

func started(t *testing.T, s *scriptedSource) *Observer {
	t.Helper()
	o := observer(s)
	if err := o.Start(context.Background()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { stopInTime(t, o) })
	return o
}

func stopInTime(t *testing.T, o *Observer) {
	t.Helper()
	begin := time.Now()
	if err := o.Stop(); err != nil {
		t.Error(err)
	}
	if took := time.Since(begin); took > stopLimit {
		t.Errorf("Stop took %v", took)
	}
}

// drain reads until the channel is closed.
func drain(t *testing.T, o *Observer) []*tapiodomain.CollectorEvent {
	t.Helper()
	var events []*tapiodomain.CollectorEvent
	for deadline := time.After(2 * stopLimit); ; {
		select {
		case e, open := <-o.Events():
			if !open {
				return events
			}
			events = append(events, e)
		case <-deadline:
			t.Fatal("the channel was not closed")
		}
	}
}

func TestEventsArriveInOrderAndTheChannelIsClosedAtTheEnd(t *testing.T) {
	s := newScriptedSource()
	o := started(t, s)
	sent := everyEvent()
	for _, e := range sent {
		s.events <- e
	}
	stopInTime(t, o)
	got := drain(t, o)
	if len(got) != len(sent) {
		t.Fatalf("%d events arrived, want %d", len(got), len(sent))
	}
	for i, e := range got {
		if e.Metadata.Labels["change_type"] != string(sent[i].Type) || e.Source != observerName {
			t.Errorf("event %d is a %s from %q", i, e.Metadata.Labels["change_type"], e.Source)
		}
	}
	if stats := o.Statistics(); stats.EventsProcessed != int64(len(sent)) || stats.ErrorCount != 0 {
		t.Errorf("the statistics are %+v", stats)
	}
}

func TestObserverIsHealthyFromStartToStop(t *testing.T) {
	o := observer(newScriptedSource())
	if o.IsHealthy() || o.Health().Status != tapiodomain.HealthUnknown {
		t.Errorf("before the start: %+v", o.Health())
	}
	if err := o.Start(context.Background()); err != nil {
		t.Fatal(err)
	}
	if h := o.Health(); !o.IsHealthy() || h.Status != tapiodomain.HealthHealthy || h.Component != observerName {
		t.Errorf("after the start: %+v", h)
	}
	stopInTime(t, o)
	if h := o.Health(); o.IsHealthy() || h.Status != tapiodomain.HealthUnhealthy || h.Message != "stopped" {
		t.Errorf("after the stop: %+v", h)
	}
}

func TestFreshObserverHasStatistics(t *testing.T) {
	o := observer(newScriptedSource())
	defer stopInTime(t, o)
	if s := o.Statistics(); s.EventsProcessed != 0 || s.ErrorCount != 0 || s.LastEventTime.IsZero() || s.Uptime != 0 {
		t.Errorf("the statistics are %+v", s)
	}
}

func TestEndOfTheContextStopsTheObserverWithin100Milliseconds(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	o := observer(newScriptedSource())
	if err := o.Start(ctx); err != nil {
		t.Fatal(err)
	}
	begin := time.Now()
	cancel()
	drain(t, o)
	if took := time.Since(begin); took > 100*time.Millisecond {
		t.Errorf("the channel was closed after %v", took)
	}
	stopInTime(t, o)
}

func TestObserverWhoseContextEndsUnreadLeavesNothingBehind(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	s := newScriptedSource()
	o := observer(s)
	if err := o.Start(ctx); err != nil {
		t.Fatal(err)
	}
	for range channelSize + 10 {
		s.events <- gapEvent("flow_map_full", 1, true)
	}
	cancel()
	// Without a call of Stop and without a reader; goleak looks for what is left.
	select {
	case <-o.pumped:
	case <-time.After(stopLimit):
		t.Fatal("the observer still waits for its reader")
	}
	if got := o.Statistics().CustomMetrics["events_dropped_total"]; got != "10" {
		t.Errorf("%s events were dropped, want 10", got)
	}
	if got := len(drain(t, o)); got != channelSize {
		t.Errorf("%d events were left to read, want %d", got, channelSize)
	}
}

func TestStopBeforeStartClosesTheChannelAndRefusesTheStart(t *testing.T) {
	o := observer(newScriptedSource())
	stopInTime(t, o)
	drain(t, o)
	if err := o.Start(context.Background()); err == nil || !strings.Contains(err.Error(), "was stopped") {
		t.Errorf("Start after Stop: %v", err)
	}
}

func TestChannelIsTheSameBeforeTheStartAndAfterTheStop(t *testing.T) {
	o := observer(newScriptedSource())
	before := o.Events()
	if before == nil {
		t.Fatal("there is no channel before the start")
	}
	if err := o.Start(context.Background()); err != nil {
		t.Fatal(err)
	}
	stopInTime(t, o)
	stopInTime(t, o)
	if o.Events() != before {
		t.Error("the channel is another one after the stop")
	}
}

func TestSecondStartIsRefused(t *testing.T) {
	o := started(t, newScriptedSource())
	if err := o.Start(context.Background()); err == nil || !strings.Contains(err.Error(), "started before") {
		t.Errorf("the second Start: %v", err)
	}
}

func TestStartWithAnEndedContextIsRefused(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	o := observer(newScriptedSource())
	if err := o.Start(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("Start: %v", err)
	}
	stopInTime(t, o)
}

func TestObservationThatCannotStartIsIgnoredAndToldByHealth(t *testing.T) {
	s := newScriptedSource()
	s.startErr = errors.New("no privileges")
	ctx, cancel := context.WithCancel(context.Background())
	o := observer(s)
	if err := o.Start(ctx); err != nil {
		t.Fatal(err)
	}
	if h := o.Health(); o.IsHealthy() || h.Status != tapiodomain.HealthUnhealthy || !strings.Contains(h.Message, "no privileges") ||
		!errors.Is(h.LastError, s.startErr) || h.ErrorCount != 1 {
		t.Errorf("the health is %+v", h)
	}
	if err := o.Start(ctx); err == nil {
		t.Error("a second Start was taken")
	}
	cancel()
	drain(t, o)
	stopInTime(t, o)
}

func TestObservationThatCannotStartIsAnErrorWherePropagated(t *testing.T) {
	s := newScriptedSource()
	s.startErr = errors.New("no privileges")
	config := DefaultConfig()
	config.ErrorMode = ErrorModePropagate
	o := newObserver(observerName, config, nil, s)
	if err := o.Start(context.Background()); !errors.Is(err, s.startErr) {
		t.Errorf("Start: %v", err)
	}
	stopInTime(t, o)
	drain(t, o)
}

func TestObservationThatEndsByItselfIsUnhealthyAndSaysWhy(t *testing.T) {
	s := newScriptedSource()
	o := started(t, s)
	s.end(errors.New("poisoned"))
	drain(t, o)
	<-o.pumped
	if h := o.Health(); o.IsHealthy() || h.Status != tapiodomain.HealthUnhealthy || !strings.Contains(h.Message, "poisoned") {
		t.Errorf("the health is %+v", h)
	}
}

func TestLossIsCountedAndDegradesTheHealthUnlessItIsHealed(t *testing.T) {
	s := newScriptedSource()
	o := started(t, s)
	s.events <- gapEvent(domain.GapReasonSlowReader, 7, true)
	<-o.Events()
	if h := o.Health(); h.Status != tapiodomain.HealthHealthy || h.EventsDropped != 7 {
		t.Errorf("after a healed loss: %+v", h)
	}
	s.events <- gapEvent("flow_map_full", 5, false)
	<-o.Events()
	if h := o.Health(); h.Status != tapiodomain.HealthDegraded || !strings.Contains(h.Message, "flow_map_full") || !o.IsHealthy() {
		t.Errorf("after a loss: %+v", h)
	}
	if got := o.Statistics().CustomMetrics["events_missed_total"]; got != "7" {
		t.Errorf("%s events were missed, want 7", got)
	}
}

func TestConfigurationTellsEverythingThatIsWrong(t *testing.T) {
	if err := DefaultConfig().Validate(); err != nil {
		t.Error(err)
	}
	bad := &Config{Services: services.DefaultConfig(), ErrorMode: "panic", MaxMapEntries: -1}
	bad.Services.BufferSize = -1
	err := bad.Validate()
	for _, part := range []string{"ErrorMode", `"panic"`, "MaxMapEntries is -1", "BufferSize is -1"} {
		if err == nil || !strings.Contains(err.Error(), part) {
			t.Errorf("the error %v does not mention %s", err, part)
		}
	}
	if o, err := NewObserver(observerName, bad); err == nil || o != nil {
		t.Errorf("NewObserver took it: %v", err)
	}
}
