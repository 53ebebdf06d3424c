package servicemapreceiver

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componentstatus"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/receiver"
	"go.opentelemetry.io/collector/receiver/receivertest"

	"github.com/servicemap/servicemap/go/internal/native"
	"github.com/servicemap/servicemap/go/receiver/servicemapreceiver/internal/metadata"
	"github.com/servicemap/servicemap/go/receiver/servicemapreceiver/internal/sharedcomponent"
)

type sharedReceiverOf = sharedcomponent.Component[*mapReceiver]

// queueEngine gives out what a test queues, so that delivery can be tested with requests of the test's choice.
type queueEngine struct {
	queues [2]chan []byte
	// failed carries an error of the engine itself.
	failed chan error
	starts atomic.Int64
	closes atomic.Int64

	mu       sync.Mutex
	down     chan struct{} // made by Start, closed by Shutdown
	verdicts []native.Verdict
}

func newQueueEngine() *queueEngine {
	return &queueEngine{
		queues: [2]chan []byte{make(chan []byte, 1000), make(chan []byte, 1000)},
		failed: make(chan error, 1),
	}
}

func (e *queueEngine) queue(signal native.Signal) chan []byte { return e.queues[signal] }
func (e *queueEngine) fail(err error)                         { e.failed <- err }
func (e *queueEngine) Close()                                 { e.closes.Add(1) }
func (e *queueEngine) Wake()                                  {}

func (e *queueEngine) Start() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.starts.Add(1)
	e.down = make(chan struct{})
	return nil
}

func (e *queueEngine) Shutdown(time.Duration) error {
	close(e.downed())
	return nil
}

func (e *queueEngine) downed() chan struct{} {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.down
}

func (e *queueEngine) Next(signal native.Signal, timeout time.Duration) (batch, error) {
	select {
	case otlp := <-e.queues[signal]:
		return &queuedBatch{e, otlp}, nil
	default:
	}
	select {
	case otlp := <-e.queues[signal]:
		return &queuedBatch{e, otlp}, nil
	case err := <-e.failed:
		return nil, err
	case <-e.downed():
		return nil, native.ErrEnded
	case <-time.After(timeout):
		return nil, native.ErrTimeout
	}
}

func (e *queueEngine) acked() []native.Verdict {
	e.mu.Lock()
	defer e.mu.Unlock()
	return append([]native.Verdict(nil), e.verdicts...)
}

type queuedBatch struct {
	engine *queueEngine
	otlp   []byte
}

func (b *queuedBatch) OTLP() []byte { return b.otlp }
func (b *queuedBatch) Lost() uint64 { return 0 }
func (b *queuedBatch) Free()        { b.otlp = nil }
func (b *queuedBatch) Ack(v native.Verdict, _ time.Duration) error {
	b.engine.mu.Lock()
	defer b.engine.mu.Unlock()
	b.engine.verdicts = append(b.engine.verdicts, v)
	return nil
}

// recordingHost keeps the statuses that were reported to it.
type recordingHost struct {
	component.Host
	mu       sync.Mutex
	statuses []componentstatus.Status
}

func (h *recordingHost) Report(event *componentstatus.Event) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.statuses = append(h.statuses, event.Status())
}

func (h *recordingHost) reported() []componentstatus.Status {
	h.mu.Lock()
	defer h.mu.Unlock()
	return append([]componentstatus.Status(nil), h.statuses...)
}

func newLogsReceiver(t *testing.T, e engine, consume consumer.ConsumeLogsFunc) receiver.Logs {
	t.Helper()
	next, err := consumer.NewLogs(consume)
	require.NoError(t, err)
	f := factoryOver(e)
	r, err := f.CreateLogs(context.Background(), receivertest.NewNopSettings(metadata.Type), &Config{}, next)
	require.NoError(t, err)
	return r
}

// startLogs starts a receiver of logs; the function that it returns shuts it down.
func startLogs(t *testing.T, e engine, host component.Host, consume consumer.ConsumeLogsFunc) func() {
	t.Helper()
	r := newLogsReceiver(t, e, consume)
	require.NoError(t, r.Start(context.Background(), host))
	return func() { require.NoError(t, r.Shutdown(context.Background())) }
}

func oneLog(t *testing.T, id string) []byte {
	t.Helper()
	otlp, err := (&plog.ProtoMarshaler{}).MarshalLogs(receivertest.CreateOneLogWithID(receivertest.UniqueIDAttrVal(id)))
	require.NoError(t, err)
	return otlp
}
