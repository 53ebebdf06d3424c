package servicemapreceiver

import (
	"context"
	"fmt"
	"time"

	"go.opentelemetry.io/collector/consumer/consumererror"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.uber.org/zap"

	"github.com/servicemap/servicemap/go/internal/native"
)

const (
	// firstBackoff and defaultMaxBackoff bound the wait between two attempts to hand a batch to a consumer that refused
	// it; it doubles from one to the other. Meanwhile events wait in the observer's log, which buffer_size bounds.
	firstBackoff      = 2 * time.Millisecond
	defaultMaxBackoff = time.Second
	// format is what the Collector's own metrics call the encoding.
	format = "otlp"
)

// consumeFunc decodes an OTLP request and hands it to the next consumer.
type consumeFunc func(ctx context.Context, otlp []byte) error

func (r *mapReceiver) consumeLogs(ctx context.Context, otlp []byte) error {
	logs, err := (&plog.ProtoUnmarshaler{}).UnmarshalLogs(otlp)
	if err != nil {
		return consumererror.NewPermanent(fmt.Errorf("the native library's log records cannot be decoded: %w", err))
	}
	count := logs.LogRecordCount()
	ctx = r.obsreport.StartLogsOp(ctx)
	err = r.logs.ConsumeLogs(ctx, logs)
	r.obsreport.EndLogsOp(ctx, format, count, err)
	return err
}

func (r *mapReceiver) consumeMetrics(ctx context.Context, otlp []byte) error {
	metrics, err := (&pmetric.ProtoUnmarshaler{}).UnmarshalMetrics(otlp)
	if err != nil {
		return consumererror.NewPermanent(fmt.Errorf("the native library's metrics cannot be decoded: %w", err))
	}
	count := metrics.DataPointCount()
	ctx = r.obsreport.StartMetricsOp(ctx)
	err = r.metrics.ConsumeMetrics(ctx, metrics)
	r.obsreport.EndMetricsOp(ctx, format, count, err)
	return err
}

// deliverer hands batches of one signal to its consumer, and tells the observer what became of them.
type deliverer struct {
	signal  native.Signal
	consume consumeFunc
	status  *statusReporter
	logger  *zap.Logger
	// maxBackoff is the longest wait between two attempts.
	maxBackoff time.Duration
}

// deliver returns when the consumer took the batch, refused it for good, or ctx ended. The observer hears of it only
// then: what was not delivered is not acknowledged.
func (d *deliverer) deliver(ctx context.Context, b batch) {
	defer b.Free()
	if lost := b.Lost(); lost > 0 {
		d.logger.Warn("events were lost because the pipeline took them too slowly: raise buffer_size, or mend the pipeline",
			zap.Uint64("lost", lost))
	}
	verdict := d.attempt(ctx, b.OTLP())
	if err := b.Ack(verdict, firstBackoff); err != nil {
		d.logger.Error("a batch could not be acknowledged", zap.Error(err))
	}
}

func (d *deliverer) attempt(ctx context.Context, otlp []byte) native.Verdict {
	for wait := firstBackoff; ; wait = min(2*wait, d.maxBackoff) {
		// Decoded anew each time: a consumer may have changed what it was given before it refused it.
		err := d.consume(ctx, otlp)
		switch {
		case err == nil:
			d.status.delivered(d.signal)
			return native.Delivered
		case consumererror.IsPermanent(err):
			d.logger.Error("a batch was refused for good and is dropped", zap.Error(err))
			return native.Never
		}
		d.status.recoverable(d.signal, err)
		select {
		case <-ctx.Done():
			return native.Retry
		case <-time.After(wait):
		}
	}
}
