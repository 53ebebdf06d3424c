//go:build cgo && linux && (amd64 || arm64)

package native

/*
#cgo amd64 LDFLAGS: ${SRCDIR}/lib/linux_amd64/libservicemap.a
#cgo arm64 LDFLAGS: ${SRCDIR}/lib/linux_arm64/libservicemap.a
#cgo LDFLAGS: -lgcc_eh -lutil -lrt -lpthread -lm -ldl

// Nothing in the library keeps a Go pointer or calls back into Go.
#cgo noescape servicemap_observer_next
#cgo nocallback servicemap_observer_next
#cgo noescape servicemap_go_events_view
#cgo nocallback servicemap_go_events_view

#include "native_headers.h"
*/
import "C"

import (
	"fmt"
	"runtime"
	"strings"
	"sync"
	"time"
	"unsafe"
)

// Available says whether the native library is part of this program.
const Available = true

// ABIVersions are the ABI that this package was written for and the one of the linked library.
func ABIVersions() (header, library uint32) {
	return uint32(C.SERVICEMAP_ABI_VERSION), uint32(C.servicemap_abi_version())
}

// Version is the version of the linked library.
func Version() string { return C.GoString(C.servicemap_version()) }

// Observer owns one native observer. Any goroutine may call it; each signal, and the events, are read by one at a time.
type Observer struct {
	// mu is held shared by every call and alone by Close, which the library wants to have the observer for itself.
	mu      sync.RWMutex
	handle  *C.servicemap_observer
	cleanup runtime.Cleanup

	decoding sync.Mutex
	decoder  decoder
}

// New makes an observer from settings; nothing is observed before Start. An observer that is dropped without Close is
// freed by the garbage collector, sooner or later.
func New(settingsJSON []byte) (*Observer, error) {
	if header, library := ABIVersions(); header != library {
		return nil, fmt.Errorf("servicemap: the linked native library (version %s) has ABI %d, but this package was built for ABI %d: "+
			"run go/build-native.sh so that both are of one version", Version(), library, header)
	}
	var handle *C.servicemap_observer
	var failure *C.servicemap_error
	status := C.servicemap_observer_create((*C.uint8_t)(unsafe.SliceData(settingsJSON)), C.size_t(len(settingsJSON)), &handle, &failure)
	if err := toError(status, failure); err != nil {
		return nil, err
	}
	o := &Observer{handle: handle, decoder: newDecoder()}
	o.cleanup = runtime.AddCleanup(o, destroy, handle)
	return o, nil
}

func destroy(handle *C.servicemap_observer) { C.servicemap_observer_destroy(&handle) }

// Start loads the kernel side and begins to observe.
func (o *Observer) Start() error {
	return o.with(func(failure **C.servicemap_error) C.servicemap_status {
		return C.servicemap_observer_start(o.handle, failure)
	})
}

// Wake makes waiting Next calls return ErrTimeout now.
func (o *Observer) Wake() {
	o.mu.RLock()
	defer o.mu.RUnlock()
	if o.handle != nil {
		C.servicemap_observer_wake(o.handle)
	}
}

// Snapshot is the whole map as JSON.
func (o *Observer) Snapshot() ([]byte, error) {
	var document C.servicemap_bytes
	err := o.with(func(failure **C.servicemap_error) C.servicemap_status {
		return C.servicemap_observer_snapshot(o.handle, &document, failure)
	})
	if err != nil {
		return nil, err
	}
	defer C.servicemap_bytes_free(&document)
	// Not C.GoBytes, whose length is a C int.
	return append([]byte(nil), unsafe.Slice((*byte)(document.ptr), int(document.len))...), nil
}

// Shutdown ends the observation: the kernel's last counts are taken in, Next gives what is left and then ErrEnded.
func (o *Observer) Shutdown(deadline time.Duration) error {
	return o.with(func(failure **C.servicemap_error) C.servicemap_status {
		return C.servicemap_observer_shutdown(o.handle, milliseconds(deadline), failure)
	})
}

// Close frees the observer. Batches stay valid. A second Close does nothing; other calls answer ErrEnded afterwards.
func (o *Observer) Close() {
	// So that a Next that still waits gives way.
	o.Wake()
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.handle == nil {
		return
	}
	o.cleanup.Stop()
	destroy(o.handle)
	o.handle = nil
}

// NextEvents waits for the next events, at most max of them besides those that repeat a whole map, and copies them to
// Go memory.
func (o *Observer) NextEvents(max int, timeout time.Duration) (*EventBatch, error) {
	b, err := o.next(C.SERVICEMAP_KIND_EVENTS, max, timeout)
	if err != nil {
		return nil, err
	}
	defer C.servicemap_batch_free(b)
	var view C.servicemap_events_view_t
	view.size = C.size_t(unsafe.Sizeof(view))
	var failure *C.servicemap_error
	status := C.servicemap_go_events_view(b, &view, &failure)
	if err := toError(status, failure); err != nil {
		return nil, err
	}
	o.decoding.Lock()
	defer o.decoding.Unlock()
	return &EventBatch{
		First:  uint64(C.servicemap_batch_first(b)),
		Next:   uint64(C.servicemap_batch_next(b)),
		Lost:   uint64(C.servicemap_batch_lost(b)),
		Events: o.decoder.events(&view),
	}, nil
}

// NextOTLP waits for the next batch of a signal, of at most max log records besides those that repeat a whole map. The
// caller acknowledges it and frees it.
func (o *Observer) NextOTLP(signal Signal, max int, timeout time.Duration) (*OTLPBatch, error) {
	kind := C.SERVICEMAP_KIND_LOGS
	if signal == Metrics {
		kind = C.SERVICEMAP_KIND_METRICS
	}
	b, err := o.next(C.int32_t(kind), max, timeout)
	if err != nil {
		return nil, err
	}
	otlp := C.servicemap_go_batch_otlp(b)
	return &OTLPBatch{
		First:    uint64(C.servicemap_batch_first(b)),
		Lost:     uint64(C.servicemap_batch_lost(b)),
		Items:    int(C.servicemap_batch_items(b)),
		Bytes:    unsafe.Slice((*byte)(otlp.ptr), int(otlp.len)),
		observer: o,
		handle:   b,
	}, nil
}

func (o *Observer) next(kind C.int32_t, max int, timeout time.Duration) (*C.servicemap_batch, error) {
	var b *C.servicemap_batch
	var failure *C.servicemap_error
	o.mu.RLock()
	defer o.mu.RUnlock()
	if o.handle == nil {
		return nil, ErrEnded
	}
	switch status := C.servicemap_observer_next(o.handle, kind, C.uint32_t(max), milliseconds(timeout), &b, &failure); status {
	case C.SERVICEMAP_STATUS_TIMEOUT, C.SERVICEMAP_STATUS_WOKEN:
		return nil, ErrTimeout
	case C.SERVICEMAP_STATUS_ENDED:
		return nil, ErrEnded
	default:
		return b, toError(status, failure)
	}
}

// OTLPBatch is an OTLP request.
type OTLPBatch struct {
	// First is the sequence number of the first event that the batch covers, Lost how many before it this cursor lost.
	First, Lost uint64
	// Items is the number of log records or data points.
	Items int
	// Bytes is the request in protobuf. It is C memory and must not be used after Free.
	Bytes []byte

	observer *Observer
	handle   *C.servicemap_batch
}

// Ack tells the observer what became of the batch; retryAfter counts for Retry only.
func (b *OTLPBatch) Ack(verdict Verdict, retryAfter time.Duration) error {
	ack := C.int32_t(C.SERVICEMAP_ACK_OK)
	switch verdict {
	case Delivered:
	case Retry:
		ack = C.SERVICEMAP_ACK_RETRY
	case Never:
		ack = C.SERVICEMAP_ACK_NEVER
	}
	return b.observer.with(func(failure **C.servicemap_error) C.servicemap_status {
		return C.servicemap_observer_ack(b.observer.handle, b.handle, ack, milliseconds(retryAfter), failure)
	})
}

// Free gives the batch back. A second Free does nothing.
func (b *OTLPBatch) Free() {
	C.servicemap_batch_free(b.handle)
	b.handle, b.Bytes = nil, nil
}

// with runs a call on an observer that is not closed.
func (o *Observer) with(call func(failure **C.servicemap_error) C.servicemap_status) error {
	o.mu.RLock()
	defer o.mu.RUnlock()
	if o.handle == nil {
		return ErrEnded
	}
	var failure *C.servicemap_error
	status := call(&failure)
	return toError(status, failure)
}

// toError is nil for OK; it frees the native error.
func toError(status C.servicemap_status, failure *C.servicemap_error) error {
	if status == C.SERVICEMAP_STATUS_OK {
		return nil
	}
	defer C.servicemap_error_free(failure)
	message := text(C.servicemap_go_error_message(failure))
	// The message begins with the C function's name. It says something to a Go program only where it is a bug of ours.
	if _, rest, found := strings.Cut(message, ": "); found && status != C.SERVICEMAP_STATUS_PANIC {
		message = rest
	}
	return &Error{Status: int32(status), Message: message, Mend: text(C.servicemap_go_error_mend(failure))}
}

func text(s C.servicemap_slice) string {
	return string(unsafe.Slice((*byte)(s.ptr), int(s.len)))
}

// milliseconds rounds up, so that a short wait does not become none.
func milliseconds(d time.Duration) C.uint32_t {
	const longest = time.Duration(1<<32-1) * time.Millisecond
	d = min(max(d, 0), longest)
	return C.uint32_t((d + time.Millisecond - 1) / time.Millisecond)
}
