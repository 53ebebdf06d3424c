package services

import (
	"time"

	"github.com/servicemap/servicemap/go/domain"
	"github.com/servicemap/servicemap/go/internal/native"
)

// slowReaderGap tells the reader that it lost events. It stands in no log: the log holds what happened to the map,
// and this happened to one reader.
func slowReaderGap(batch *native.EventBatch) *domain.Event {
	now := time.Now().UTC()
	gap := &domain.Event{
		Type:       domain.EventTypeCaptureGap,
		Timestamp:  now,
		ObservedAt: now,
		Severity:   domain.SeverityWarn,
		Subject:    domain.GapReasonSlowReader,
		GapData:    &domain.Gap{Reason: domain.GapReasonSlowReader, Count: batch.Lost},
	}
	return gap
}
