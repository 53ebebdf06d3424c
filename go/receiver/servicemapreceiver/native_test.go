//go:build cgo && linux && (amd64 || arm64)

package servicemapreceiver

import (
	"context"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/confmap/confmaptest"
	"go.opentelemetry.io/collector/consumer/consumertest"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/receiver/receivertest"

	"github.com/servicemap/servicemap/go/internal/capturetest"
)

// The generated TestMain is not ours to change.
func init() { capturetest.RunPeer() }

func loadConfig(t *testing.T, name string) *Config {
	t.Helper()
	conf, err := confmaptest.LoadConf(filepath.Join("testdata", name))
	require.NoError(t, err)
	cfg := createDefaultConfig()
	require.NoError(t, conf.Unmarshal(cfg))
	return cfg.(*Config)
}

func TestSettingsOfTheReadmeAreValid(t *testing.T) {
	require.NoError(t, loadConfig(t, "full.yaml").Validate())
}

func TestUnknownSettingIsRefusedWithTheNearestKnownOne(t *testing.T) {
	err := (&Config{Settings: map[string]any{"conection_timeout": "30s"}}).Validate()
	require.ErrorContains(t, err, `"conection_timeout"`)
	require.ErrorContains(t, err, `"connection_timeout"`)
}

func TestDurationWithoutAUnitIsRefused(t *testing.T) {
	err := (&Config{Settings: map[string]any{"connection_timeout": 30}}).Validate()
	require.ErrorContains(t, err, "connection_timeout")
	require.ErrorContains(t, err, "unit")
}

func TestMetricsArriveWithoutTheKernelSide(t *testing.T) {
	f := NewFactory()
	sink := new(consumertest.MetricsSink)
	cfg := &Config{Settings: map[string]any{"enable_ebpf": false, "collection_interval": "1s"}}
	r, err := f.CreateMetrics(context.Background(), receivertest.NewNopSettings(f.Type()), cfg, sink)
	require.NoError(t, err)
	require.NoError(t, r.Start(context.Background(), componenttest.NewNopHost()))
	require.Eventually(t, func() bool { return sink.DataPointCount() > 0 }, time.Minute, 10*time.Millisecond)
	require.NoError(t, r.Shutdown(context.Background()))
}

func TestConnectionOfTwoProgramsArrivesAsLogRecordAndMetric(t *testing.T) {
	capturetest.Require(t)
	f := NewFactory()
	logs, metrics := new(consumertest.LogsSink), new(consumertest.MetricsSink)
	cfg := &Config{Settings: map[string]any{"collection_interval": "1s"}}
	set := receivertest.NewNopSettings(f.Type())
	l, err := f.CreateLogs(context.Background(), set, cfg, logs)
	require.NoError(t, err)
	m, err := f.CreateMetrics(context.Background(), set, cfg, metrics)
	require.NoError(t, err)
	require.NoError(t, l.Start(context.Background(), componenttest.NewNopHost()))
	require.NoError(t, m.Start(context.Background(), componenttest.NewNopHost()))
	defer func() {
		require.NoError(t, l.Shutdown(context.Background()))
		require.NoError(t, m.Shutdown(context.Background()))
	}()

	server := capturetest.Server(t, "sm-rcv-server")
	capturetest.Client(t, "sm-rcv-client", server)

	const name = "servicemap.connection.established"
	require.Eventually(t, func() bool { return hasRecord(logs.AllLogs(), name, "sm-rcv-client", "sm-rcv-server") },
		time.Minute, 50*time.Millisecond, "no log record %s of the connection", name)
	const metric = "servicemap.edge.connections.opened"
	require.Eventually(t, func() bool { return sumOf(metrics.AllMetrics(), metric, "sm-rcv-client", "sm-rcv-server") == 1 },
		time.Minute, 50*time.Millisecond, "no data point of %s says 1 for the connection", metric)
}

func hasRecord(all []plog.Logs, event, source, destination string) bool {
	for _, ld := range all {
		for _, rl := range ld.ResourceLogs().All() {
			for _, sl := range rl.ScopeLogs().All() {
				for _, record := range sl.LogRecords().All() {
					if record.EventName() == event && ofEdge(record.Attributes(), source, destination) {
						return true
					}
				}
			}
		}
	}
	return false
}

// sumOf is the latest value of an edge's series; 0 without one.
func sumOf(all []pmetric.Metrics, metric, source, destination string) (value int64) {
	for _, md := range all {
		for _, rm := range md.ResourceMetrics().All() {
			for _, sm := range rm.ScopeMetrics().All() {
				for _, m := range sm.Metrics().All() {
					if m.Name() != metric {
						continue
					}
					for _, point := range m.Sum().DataPoints().All() {
						if ofEdge(point.Attributes(), source, destination) {
							value = point.IntValue()
						}
					}
				}
			}
		}
	}
	return value
}

func ofEdge(attributes pcommon.Map, source, destination string) bool {
	return attributeIs(attributes, "servicemap.source.name", source) &&
		attributeIs(attributes, "servicemap.destination.name", destination)
}

func attributeIs(attributes pcommon.Map, key, want string) bool {
	value, ok := attributes.Get(key)
	return ok && value.AsString() == want
}
