package servicemapreceiver

import (
	"context"
	"errors"
	"sync"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/receiver"
	"go.opentelemetry.io/collector/receiver/receiverhelper"
	"go.uber.org/zap"

	"github.com/servicemap/servicemap/go/internal/native"
)

const (
	// pollTimeout bounds how long one call waits in the native library, and with it how long an OS thread is held.
	pollTimeout = 500 * time.Millisecond
	// shutdownDeadline bounds how long the native library may take to drain the kernel's last counts, where the
	// Collector sets no earlier one.
	shutdownDeadline = 5 * time.Second
	// transport is what the Collector's own metrics call the way the data came.
	transport = "ffi"
)

// mapReceiver runs one native observer for all signals of a receiver.
type mapReceiver struct {
	config    *Config
	logger    *zap.Logger
	obsreport *receiverhelper.ObsReport
	newEngine func(settings []byte) (engine, error)
	// maxBackoff is the longest wait between two attempts to deliver a batch.
	maxBackoff time.Duration

	// logs and metrics are nil where no pipeline wants them.
	logs    consumer.Logs
	metrics consumer.Metrics

	engine engine
	cancel context.CancelFunc
	pumps  sync.WaitGroup
}

func newReceiver(set receiver.Settings, config *Config, newEngine func([]byte) (engine, error)) (*mapReceiver, error) {
	obsreport, err := receiverhelper.NewObsReport(receiverhelper.ObsReportSettings{
		ReceiverID:             set.ID,
		Transport:              transport,
		LongLivedCtx:           true,
		ReceiverCreateSettings: set,
	})
	if err != nil {
		return nil, err
	}
	return &mapReceiver{
		config: config, logger: set.Logger, obsreport: obsreport, newEngine: newEngine, maxBackoff: defaultMaxBackoff,
	}, nil
}

// Start makes the observer, starts it and begins to deliver. The Collector's own context ends with Start and is not kept.
func (r *mapReceiver) Start(_ context.Context, host component.Host) error {
	settings, err := r.config.nativeJSON()
	if err != nil {
		return err
	}
	e, err := r.newEngine(settings)
	if err != nil {
		return err
	}
	if err := e.Start(); err != nil {
		e.Close()
		return err
	}
	r.engine = e
	ctx, cancel := context.WithCancel(context.Background())
	r.cancel = cancel
	status := newStatusReporter(host)
	if r.logs != nil {
		r.pump(ctx, native.Logs, r.consumeLogs, status)
	}
	if r.metrics != nil {
		r.pump(ctx, native.Metrics, r.consumeMetrics, status)
	}
	return nil
}

// Shutdown lets the observer drain what the kernel counted last, delivers what is left as far as consumers take it,
// and frees the observer.
func (r *mapReceiver) Shutdown(ctx context.Context) error {
	if r.engine == nil {
		return nil
	}
	deadline := shutdownDeadline
	if end, ok := ctx.Deadline(); ok {
		deadline = max(0, min(deadline, time.Until(end)))
	}
	// A consumer that keeps refusing must not hold up the shutdown beyond the deadline.
	giveUp := time.AfterFunc(deadline, r.cancel)
	err := r.engine.Shutdown(deadline)
	r.engine.Wake()
	r.pumps.Wait()
	giveUp.Stop()
	r.cancel()
	r.engine.Close()
	return err
}

// pump delivers one signal on a goroutine of its own until the observer has ended.
func (r *mapReceiver) pump(ctx context.Context, signal native.Signal, consume consumeFunc, status *statusReporter) {
	d := &deliverer{signal: signal, consume: consume, status: status, logger: r.logger, maxBackoff: r.maxBackoff}
	r.pumps.Add(1)
	go func() {
		defer r.pumps.Done()
		for ctx.Err() == nil {
			b, err := r.engine.Next(signal, pollTimeout)
			switch {
			case err == nil:
				d.deliver(ctx, b)
			case errors.Is(err, native.ErrTimeout):
			case errors.Is(err, native.ErrEnded):
				return
			default:
				r.logger.Error("the native observer failed", zap.Error(err))
				status.permanent(err)
				return
			}
		}
	}()
}
