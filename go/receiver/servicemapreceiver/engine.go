package servicemapreceiver

import (
	"time"

	"github.com/servicemap/servicemap/go/internal/native"
)

// engine is what the receiver needs of the native library: one observer with a cursor per signal.
type engine interface {
	Start() error
	// Next waits for the next batch of a signal. It answers native.ErrTimeout and native.ErrEnded besides errors.
	Next(signal native.Signal, timeout time.Duration) (batch, error)
	Wake()
	Shutdown(deadline time.Duration) error
	Close()
}

// batch is an OTLP request that the engine waits to hear of.
type batch interface {
	// OTLP is the request; valid until Free.
	OTLP() []byte
	// Lost is how many records before this batch were lost because they were read too slowly.
	Lost() uint64
	// Ack tells what became of it; retryAfter counts for native.Retry only.
	Ack(verdict native.Verdict, retryAfter time.Duration) error
	Free()
}

func newNativeEngine(settings []byte) (engine, error) {
	observer, err := native.New(settings)
	if err != nil {
		return nil, err
	}
	return nativeEngine{observer}, nil
}

// maxLogRecords bounds a batch of events, and with it the request that a consumer has to hold.
const maxLogRecords = 1024

type nativeEngine struct{ *native.Observer }

func (e nativeEngine) Next(signal native.Signal, timeout time.Duration) (batch, error) {
	b, err := e.NextOTLP(signal, maxLogRecords, timeout)
	if err != nil {
		return nil, err
	}
	return nativeBatch{b}, nil
}

type nativeBatch struct{ *native.OTLPBatch }

func (b nativeBatch) OTLP() []byte { return b.Bytes }
func (b nativeBatch) Lost() uint64 { return b.OTLPBatch.Lost }
