package servicemapreceiver

import (
	"sync"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componentstatus"

	"github.com/servicemap/servicemap/go/internal/native"
)

// statusReporter tells the Collector how the receiver is, and only when that changed: it recovers once every signal has.
type statusReporter struct {
	host component.Host

	mu      sync.Mutex
	refused map[native.Signal]bool
}

func newStatusReporter(host component.Host) *statusReporter {
	return &statusReporter{host: host, refused: make(map[native.Signal]bool)}
}

// delivered says that a signal's consumer took a batch. The Collector itself reports the first OK, after Start.
func (s *statusReporter) delivered(signal native.Signal) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.refused[signal] {
		return
	}
	delete(s.refused, signal)
	if len(s.refused) == 0 {
		componentstatus.ReportStatus(s.host, componentstatus.NewEvent(componentstatus.StatusOK))
	}
}

// recoverable says that a signal's consumer refused a batch that will be offered again.
func (s *statusReporter) recoverable(signal native.Signal, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.refused) == 0 {
		componentstatus.ReportStatus(s.host, componentstatus.NewRecoverableErrorEvent(err))
	}
	s.refused[signal] = true
}

// permanent says that no more will come.
func (s *statusReporter) permanent(err error) {
	componentstatus.ReportStatus(s.host, componentstatus.NewPermanentErrorEvent(err))
}
