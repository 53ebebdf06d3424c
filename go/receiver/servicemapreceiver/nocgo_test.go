//go:build !(cgo && linux && (amd64 || arm64))

package servicemapreceiver

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/consumer/consumertest"
	"go.opentelemetry.io/collector/receiver/receivertest"

	"github.com/servicemap/servicemap/go/internal/native"
)

func TestWithoutTheNativeLibraryValidateSaysSo(t *testing.T) {
	require.ErrorIs(t, createDefaultConfig().(*Config).Validate(), native.ErrUnavailable)
}

func TestWithoutTheNativeLibraryStartSaysSo(t *testing.T) {
	f := NewFactory()
	r, err := f.CreateLogs(context.Background(), receivertest.NewNopSettings(f.Type()), createDefaultConfig(), consumertest.NewNop())
	require.NoError(t, err)
	require.ErrorIs(t, r.Start(context.Background(), componenttest.NewNopHost()), native.ErrUnavailable)
	require.NoError(t, r.Shutdown(context.Background()))
}
