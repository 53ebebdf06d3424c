package services

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/servicemap/servicemap/go/domain"
	"github.com/servicemap/servicemap/go/internal/native"
)

// scriptedEngine gives out batches that a test queues, so that the observer's loop can be tested without a kernel.
type scriptedEngine struct {
	batches chan *native.EventBatch
	wake    chan struct{}
	failure chan error

	startErr error
	snapshot string

	mu    sync.Mutex
	down  chan struct{}
	calls []string
}

func newScriptedEngine() *scriptedEngine {
	return &scriptedEngine{
		batches: make(chan *native.EventBatch, 100),
		wake:    make(chan struct{}, 1),
		failure: make(chan error, 1),
		down:    make(chan struct{}),
	}
}

func (e *scriptedEngine) note(call string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.calls = append(e.calls, call)
}

func (e *scriptedEngine) noted() []string {
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.Clone(e.calls)
}

func (e *scriptedEngine) Start() error { e.note("start"); return e.startErr }
func (e *scriptedEngine) Wake()        { e.wake <- struct{}{} }
func (e *scriptedEngine) Close()       { e.note("close") }
func (e *scriptedEngine) Shutdown(time.Duration) error {
	e.note("shutdown")
	close(e.down)
	return nil
}

func (e *scriptedEngine) Snapshot() ([]byte, error) {
	if e.snapshot == "" {
		return nil, errors.New("not started")
	}
	return []byte(e.snapshot), nil
}

func (e *scriptedEngine) NextEvents(_ int, timeout time.Duration) (*native.EventBatch, error) {
	select {
	case b := <-e.batches:
		return b, nil
	default:
	}
	select {
	case b := <-e.batches:
		return b, nil
	case err := <-e.failure:
		return nil, err
	case <-e.down:
		return nil, native.ErrEnded
	case <-e.wake:
		return nil, native.ErrTimeout
	case <-time.After(timeout):
		return nil, native.ErrTimeout
	}
}

func batchOf(first uint64, n int) *native.EventBatch {
	b := &native.EventBatch{First: first, Next: first + uint64(n)}
	for i := range n {
		b.Events = append(b.Events, &domain.Event{Type: domain.EventTypeServiceDiscovered, Sequence: first + uint64(i)})
	}
	return b
}

func started(t *testing.T, ctx context.Context, e engine) *Observer {
	t.Helper()
	o := newObserver("test", DefaultConfig(), e)
	if err := o.Start(ctx); err != nil {
		t.Fatal(err)
	}
	return o
}

func drain(t *testing.T, o *Observer) []*domain.Event {
	t.Helper()
	var events []*domain.Event
	deadline := time.After(10 * time.Second)
	for {
		select {
		case event, open := <-o.Events():
			if !open {
				return events
			}
			events = append(events, event)
		case <-deadline:
			t.Fatal("the channel was not closed within 10 s")
		}
	}
}

func TestEventsArriveInTheOrderOfTheLogAndTheChannelIsClosedAtTheEnd(t *testing.T) {
	e := newScriptedEngine()
	o := started(t, context.Background(), e)
	e.batches <- batchOf(1, 3)
	e.batches <- batchOf(4, 2)
	go func() { _ = o.Stop() }()
	var sequences []uint64
	for _, event := range drain(t, o) {
		sequences = append(sequences, event.Sequence)
	}
	if !slices.Equal(sequences, []uint64{1, 2, 3, 4, 5}) {
		t.Fatalf("got events %v, want 1 to 5", sequences)
	}
	if err := o.Err(); err != nil {
		t.Fatalf("a regular stop gives no error, got %v", err)
	}
}

func TestEndOfTheContextStopsTheObserver(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	e := newScriptedEngine()
	o := started(t, ctx, e)
	cancel()
	drain(t, o)
	if err := o.Stop(); err != nil {
		t.Fatal(err)
	}
	if calls := e.noted(); !slices.Equal(calls, []string{"start", "shutdown", "close"}) {
		t.Fatalf("the engine was called with %v", calls)
	}
}

func TestReaderThatLostEventsIsToldHowManyBeforeTheNextOne(t *testing.T) {
	e := newScriptedEngine()
	o := started(t, context.Background(), e)
	defer o.Stop()
	late := batchOf(8, 1)
	late.Lost = 7
	e.batches <- late
	gap, next := <-o.Events(), <-o.Events()
	if gap.Type != domain.EventTypeCaptureGap || gap.GapData == nil ||
		gap.GapData.Reason != domain.GapReasonSlowReader || gap.GapData.Count != 7 {
		t.Fatalf("the loss is told by %+v with %+v", gap, gap.GapData)
	}
	if next.Sequence != 8 {
		t.Fatalf("the event after the gap is number %d, want 8", next.Sequence)
	}
}

func TestStopReturnsInTimeThoughNobodyReads(t *testing.T) {
	e := newScriptedEngine()
	o := started(t, context.Background(), e)
	for i := range 4 {
		e.batches <- batchOf(uint64(1+i*batchSize), batchSize)
	}
	begin := time.Now()
	if err := o.Stop(); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(begin); took > 5*time.Second {
		t.Fatalf("Stop took %v", took)
	}
	if got := len(drain(t, o)); got != batchSize {
		t.Fatalf("%d events were left in the channel, want the %d that fit", got, batchSize)
	}
}

func TestStopBeforeStartClosesTheChannelAndRefusesTheStart(t *testing.T) {
	e := newScriptedEngine()
	o := newObserver("test", DefaultConfig(), e)
	if err := o.Stop(); err != nil {
		t.Fatal(err)
	}
	drain(t, o)
	if err := o.Start(context.Background()); err == nil || !strings.Contains(err.Error(), "was stopped") {
		t.Fatalf("Start after Stop: %v", err)
	}
	if calls := e.noted(); !slices.Equal(calls, []string{"close"}) {
		t.Fatalf("the engine was called with %v", calls)
	}
}

func TestStopTwiceGivesTheSameAnswer(t *testing.T) {
	e := newScriptedEngine()
	o := started(t, context.Background(), e)
	if a, b := o.Stop(), o.Stop(); a != nil || b != nil {
		t.Fatal(a, b)
	}
	if calls := e.noted(); !slices.Equal(calls, []string{"start", "shutdown", "close"}) {
		t.Fatalf("the engine was called with %v", calls)
	}
}

func TestSecondStartIsRefused(t *testing.T) {
	o := started(t, context.Background(), newScriptedEngine())
	defer o.Stop()
	if err := o.Start(context.Background()); err == nil || !strings.Contains(err.Error(), "started before") {
		t.Fatalf("second Start: %v", err)
	}
}

func TestStartWithAnEndedContextDoesNotTouchTheEngine(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	e := newScriptedEngine()
	o := newObserver("test", DefaultConfig(), e)
	if err := o.Start(ctx); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	if calls := e.noted(); len(calls) != 0 {
		t.Fatalf("the engine was called with %v", calls)
	}
}

func TestFailedStartIsTold(t *testing.T) {
	e := newScriptedEngine()
	e.startErr = errors.New("no BTF")
	o := newObserver("test", DefaultConfig(), e)
	if err := o.Start(context.Background()); !errors.Is(err, e.startErr) {
		t.Fatal(err)
	}
	if err := o.Stop(); err != nil {
		t.Fatal(err)
	}
	drain(t, o)
}

func TestFailureOfTheEngineClosesTheChannelAndErrSaysWhy(t *testing.T) {
	e := newScriptedEngine()
	o := started(t, context.Background(), e)
	defer o.Stop()
	poisoned := errors.New("poisoned")
	e.failure <- poisoned
	drain(t, o)
	if err := o.Err(); !errors.Is(err, poisoned) {
		t.Fatal(err)
	}
}
