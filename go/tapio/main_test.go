package tapio

import (
	"testing"

	"go.uber.org/goleak"

	"github.com/servicemap/servicemap/go/internal/capturetest"
)

func TestMain(m *testing.M) {
	capturetest.RunPeer()
	goleak.VerifyTestMain(m)
}
