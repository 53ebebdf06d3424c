package services

import (
	"context"
	"testing"
	"time"

	"github.com/servicemap/servicemap/go/domain"
	"github.com/servicemap/servicemap/go/internal/native"
)

// repeatingEngine always has the same batch at hand.
type repeatingEngine struct {
	batch *native.EventBatch
	down  chan struct{}
}

func (e *repeatingEngine) Start() error                 { return nil }
func (e *repeatingEngine) Snapshot() ([]byte, error)    { return []byte(`{}`), nil }
func (e *repeatingEngine) Wake()                        {}
func (e *repeatingEngine) Shutdown(time.Duration) error { close(e.down); return nil }
func (e *repeatingEngine) Close()                       {}

func (e *repeatingEngine) NextEvents(int, time.Duration) (*native.EventBatch, error) {
	select {
	case <-e.down:
		return nil, native.ErrEnded
	default:
		return e.batch, nil
	}
}

// BenchmarkChannel is the cost of an event between its decoding and its reader.
func BenchmarkChannel(b *testing.B) {
	batch := &native.EventBatch{}
	for range batchSize {
		batch.Events = append(batch.Events, &domain.Event{Type: domain.EventTypeServiceDiscovered})
	}
	o := newObserver("bench", DefaultConfig(), &repeatingEngine{batch: batch, down: make(chan struct{})})
	if err := o.Start(context.Background()); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		<-o.Events()
	}
	b.StopTimer()
	if err := o.Stop(); err != nil {
		b.Fatal(err)
	}
}
