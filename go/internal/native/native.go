// Package native talks to the C ABI of the Rust core. It is the only package that imports "C".
//
// The same names exist in every build. Without cgo, or on another platform than Linux on amd64 or arm64, [Available] is
// false and [New] returns [ErrUnavailable], which says what to do.
//
// C memory does not leave this package, with one exception that says so: [OTLPBatch.Bytes].
package native

import (
	"errors"
	"fmt"

	"github.com/servicemap/servicemap/go/domain"
)

// ErrUnavailable says why there is no native library in this program, and what to do.
var ErrUnavailable = errors.New("servicemap: this program was built without the native library: " +
	"build it on linux/amd64 or linux/arm64 with CGO_ENABLED=1 and a C compiler, after go/build-native.sh " +
	"(Collector builder: dist::cgo_enabled: true)")

// What Next answers when it has no batch.
var (
	// ErrTimeout says that nothing came in time, or that Wake was called.
	ErrTimeout = errors.New("servicemap: nothing within the timeout")
	// ErrEnded says that the observer was shut down and all of the cursor was read, or that the observer is closed.
	ErrEnded = errors.New("servicemap: the observer has ended")
)

// Error is a failure that the native library told of.
type Error struct {
	// Status is the ABI's number.
	Status int32
	// Message names the thing and the value.
	Message string
	// Mend says what to do about it.
	Mend string
}

// Error is the message and, in brackets, what to do about it.
func (e *Error) Error() string {
	if e.Mend == "" {
		return e.Message
	}
	return fmt.Sprintf("%s (%s)", e.Message, e.Mend)
}

// EventBatch holds events that were copied to Go memory.
type EventBatch struct {
	// First is the sequence number of the first event that the batch covers, Next the one after the last.
	First, Next uint64
	// Lost is how many events before First this cursor lost because it was read too slowly.
	Lost uint64
	// Events in the order of the log.
	Events []*domain.Event
}

// Signal is what the OTLP bytes of a batch are.
type Signal int

// The OTLP signals.
const (
	// Logs are events: an ExportLogsServiceRequest.
	Logs Signal = iota
	// Metrics are figures: an ExportMetricsServiceRequest.
	Metrics
)

// Verdict says what became of a batch.
type Verdict int

// The verdicts.
const (
	// Delivered: the cursor moves on.
	Delivered Verdict = iota
	// Retry: the same batch comes again.
	Retry
	// Never: the batch will never be accepted; the cursor moves on, and the loss is counted.
	Never
)
