//go:build !(cgo && linux && (amd64 || arm64))

package native

import "time"

// Available says whether the native library is part of this program.
const Available = false

// ABIVersions are the ABI that this package was written for and the one of the linked library; zero without one.
func ABIVersions() (header, library uint32) { return 0, 0 }

// Version is the version of the linked library; empty without one.
func Version() string { return "" }

// Observer cannot be made in this build.
type Observer struct{}

// New returns [ErrUnavailable].
func New([]byte) (*Observer, error) { return nil, ErrUnavailable }

// Start returns [ErrUnavailable].
func (*Observer) Start() error { return ErrUnavailable }

// NextEvents returns [ErrUnavailable].
func (*Observer) NextEvents(int, time.Duration) (*EventBatch, error) { return nil, ErrUnavailable }

// NextOTLP returns [ErrUnavailable].
func (*Observer) NextOTLP(Signal, int, time.Duration) (*OTLPBatch, error) {
	return nil, ErrUnavailable
}

// Wake does nothing.
func (*Observer) Wake() {}

// Snapshot returns [ErrUnavailable].
func (*Observer) Snapshot() ([]byte, error) { return nil, ErrUnavailable }

// Shutdown does nothing.
func (*Observer) Shutdown(time.Duration) error { return nil }

// Close does nothing.
func (*Observer) Close() {}

// OTLPBatch cannot be had in this build.
type OTLPBatch struct {
	First, Lost uint64
	Items       int
	Bytes       []byte
}

// Ack returns [ErrUnavailable].
func (*OTLPBatch) Ack(Verdict, time.Duration) error { return ErrUnavailable }

// Free does nothing.
func (*OTLPBatch) Free() {}
