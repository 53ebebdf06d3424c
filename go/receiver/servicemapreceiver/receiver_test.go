package servicemapreceiver

import (
	"context"
	"errors"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componentstatus"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/consumer/consumererror"
	"go.opentelemetry.io/collector/consumer/consumertest"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pipeline"
	"go.opentelemetry.io/collector/receiver"
	"go.opentelemetry.io/collector/receiver/receivertest"

	"github.com/servicemap/servicemap/go/internal/native"
	"github.com/servicemap/servicemap/go/receiver/servicemapreceiver/internal/metadata"
)

// factoryOver is the receiver's factory over an engine of the test, one receiver per configuration as in production.
func factoryOver(e engine) receiver.Factory {
	shared := func(set receiver.Settings, cfg component.Config) (*sharedReceiverOf, error) {
		return receivers.LoadOrStore(cfg.(*Config), func() (*mapReceiver, error) {
			r, err := newReceiver(set, cfg.(*Config), func([]byte) (engine, error) { return e, nil })
			if err == nil {
				// The contract's consumer refuses half of all attempts and waits five seconds for 200 batches: ten
				// refusals in a row, one batch in a thousand, would take two of them.
				r.maxBackoff = 4 * time.Millisecond
			}
			return r, err
		})
	}
	return receiver.NewFactory(metadata.Type, createDefaultConfig,
		receiver.WithLogs(func(_ context.Context, set receiver.Settings, cfg component.Config, next consumer.Logs) (receiver.Logs, error) {
			c, err := shared(set, cfg)
			c.Unwrap().logs = next
			return c, err
		}, metadata.LogsStability),
		receiver.WithMetrics(func(_ context.Context, set receiver.Settings, cfg component.Config, next consumer.Metrics) (receiver.Metrics, error) {
			c, err := shared(set, cfg)
			c.Unwrap().metrics = next
			return c, err
		}, metadata.MetricsStability))
}

type generator struct {
	t      *testing.T
	engine *queueEngine
	signal native.Signal
	made   atomic.Int64
}

func (g *generator) Start() {}
func (g *generator) Stop()  {}

func (g *generator) Generate() []receivertest.UniqueIDAttrVal {
	id := receivertest.UniqueIDAttrVal("id-" + strconv.FormatInt(g.made.Add(1), 10))
	var otlp []byte
	var err error
	if g.signal == native.Logs {
		otlp, err = (&plog.ProtoMarshaler{}).MarshalLogs(receivertest.CreateOneLogWithID(id))
	} else {
		otlp, err = (&pmetric.ProtoMarshaler{}).MarshalMetrics(receivertest.CreateSumMetricWithID(id))
	}
	require.NoError(g.t, err)
	g.engine.queue(g.signal) <- otlp
	return []receivertest.UniqueIDAttrVal{id}
}

func TestConsumersContractHolds(t *testing.T) {
	for signal, name := range map[native.Signal]pipeline.Signal{native.Logs: pipeline.SignalLogs, native.Metrics: pipeline.SignalMetrics} {
		t.Run(name.String(), func(t *testing.T) {
			e := newQueueEngine()
			receivertest.CheckConsumeContract(receivertest.CheckConsumeContractParams{
				T: t, Factory: factoryOver(e), Signal: name, Config: &Config{},
				Generator: &generator{t: t, engine: e, signal: signal}, GenerateCount: 200,
			})
		})
	}
}

func TestBatchIsAcknowledgedOnlyAfterTheConsumerTookIt(t *testing.T) {
	e := newQueueEngine()
	entered, release := make(chan struct{}), make(chan struct{})
	consume := func(context.Context, plog.Logs) error {
		close(entered)
		<-release
		return nil
	}
	stop := startLogs(t, e, componenttest.NewNopHost(), consume)
	defer stop()
	e.queue(native.Logs) <- oneLog(t, "a")
	<-entered
	require.Empty(t, e.acked())
	close(release)
	require.Eventually(t, func() bool { return len(e.acked()) == 1 }, 5*time.Second, time.Millisecond)
	require.Equal(t, []native.Verdict{native.Delivered}, e.acked())
}

func TestPermanentRefusalIsAcknowledgedAsNever(t *testing.T) {
	e := newQueueEngine()
	stop := startLogs(t, e, componenttest.NewNopHost(), func(context.Context, plog.Logs) error {
		return consumererror.NewPermanent(errors.New("not for me"))
	})
	defer stop()
	e.queue(native.Logs) <- oneLog(t, "a")
	require.Eventually(t, func() bool { return len(e.acked()) == 1 }, 5*time.Second, time.Millisecond)
	require.Equal(t, []native.Verdict{native.Never}, e.acked())
}

func TestBytesThatAreNoOTLPAreAcknowledgedAsNever(t *testing.T) {
	e := newQueueEngine()
	stop := startLogs(t, e, componenttest.NewNopHost(), func(context.Context, plog.Logs) error { return nil })
	defer stop()
	e.queue(native.Logs) <- []byte{0x0a, 0xff}
	require.Eventually(t, func() bool { return len(e.acked()) == 1 }, 5*time.Second, time.Millisecond)
	require.Equal(t, []native.Verdict{native.Never}, e.acked())
}

func TestWhatIsRefusedUntilTheShutdownIsNotAcknowledgedAsDelivered(t *testing.T) {
	e := newQueueEngine()
	refused := make(chan struct{}, 1)
	r := newLogsReceiver(t, e, func(context.Context, plog.Logs) error {
		select {
		case refused <- struct{}{}:
		default:
		}
		return errors.New("busy")
	})
	require.NoError(t, r.Start(context.Background(), componenttest.NewNopHost()))
	e.queue(native.Logs) <- oneLog(t, "a")
	<-refused
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	require.NoError(t, r.Shutdown(ctx))
	require.Equal(t, []native.Verdict{native.Retry}, e.acked())
}

func TestStatusIsReportedWhenItChangesAndOnlyThen(t *testing.T) {
	e := newQueueEngine()
	host := &recordingHost{Host: componenttest.NewNopHost()}
	var attempts atomic.Int64
	stop := startLogs(t, e, host, func(context.Context, plog.Logs) error {
		if attempts.Add(1) <= 3 {
			return errors.New("busy")
		}
		return nil
	})
	e.queue(native.Logs) <- oneLog(t, "a")
	e.queue(native.Logs) <- oneLog(t, "b")
	require.Eventually(t, func() bool { return len(e.acked()) == 2 }, 5*time.Second, time.Millisecond)
	stop()
	require.Equal(t, []componentstatus.Status{componentstatus.StatusRecoverableError, componentstatus.StatusOK}, host.reported())
}

func TestFailureOfTheEngineIsAPermanentStatus(t *testing.T) {
	e := newQueueEngine()
	host := &recordingHost{Host: componenttest.NewNopHost()}
	stop := startLogs(t, e, host, func(context.Context, plog.Logs) error { return nil })
	defer stop()
	e.fail(errors.New("poisoned"))
	require.Eventually(t, func() bool { return len(host.reported()) == 1 }, 5*time.Second, time.Millisecond)
	require.Equal(t, []componentstatus.Status{componentstatus.StatusPermanentError}, host.reported())
}

func TestOneEngineServesBothSignals(t *testing.T) {
	e := newQueueEngine()
	f, cfg := factoryOver(e), &Config{}
	logs, metrics := new(consumertest.LogsSink), new(consumertest.MetricsSink)
	set := receivertest.NewNopSettings(f.Type())
	l, err := f.CreateLogs(context.Background(), set, cfg, logs)
	require.NoError(t, err)
	m, err := f.CreateMetrics(context.Background(), set, cfg, metrics)
	require.NoError(t, err)
	require.NoError(t, l.Start(context.Background(), componenttest.NewNopHost()))
	require.NoError(t, m.Start(context.Background(), componenttest.NewNopHost()))
	e.queue(native.Logs) <- oneLog(t, "a")
	otlp, err := (&pmetric.ProtoMarshaler{}).MarshalMetrics(receivertest.CreateSumMetricWithID("m"))
	require.NoError(t, err)
	e.queue(native.Metrics) <- otlp
	require.Eventually(t, func() bool { return logs.LogRecordCount() == 1 && metrics.DataPointCount() == 1 }, 5*time.Second, time.Millisecond)
	require.NoError(t, m.Shutdown(context.Background()))
	require.NoError(t, l.Shutdown(context.Background()))
	require.Equal(t, int64(1), e.starts.Load())
	require.Equal(t, int64(1), e.closes.Load())
}

func TestEveryPipelineHearsOfTheStatus(t *testing.T) {
	e := newQueueEngine()
	f, cfg := factoryOver(e), &Config{}
	set := receivertest.NewNopSettings(f.Type())
	busy, err := consumer.NewLogs(func(context.Context, plog.Logs) error { return errors.New("busy") })
	require.NoError(t, err)
	l, err := f.CreateLogs(context.Background(), set, cfg, busy)
	require.NoError(t, err)
	m, err := f.CreateMetrics(context.Background(), set, cfg, consumertest.NewNop())
	require.NoError(t, err)
	first, second := &recordingHost{Host: componenttest.NewNopHost()}, &recordingHost{Host: componenttest.NewNopHost()}
	require.NoError(t, l.Start(context.Background(), first))
	e.queue(native.Logs) <- oneLog(t, "a")
	require.Eventually(t, func() bool { return len(first.reported()) == 1 }, 5*time.Second, time.Millisecond)
	// The second pipeline joins after the report, and hears of it all the same.
	require.NoError(t, m.Start(context.Background(), second))
	require.Equal(t, first.reported(), second.reported())
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	require.NoError(t, l.Shutdown(ctx))
	require.NoError(t, m.Shutdown(ctx))
}
