package services

import (
	"time"

	"github.com/servicemap/servicemap/go/domain"
	"github.com/servicemap/servicemap/go/internal/native"
)

// slowReaderGap tells the reader that it lost events. It stands in no log, and has no id and no sequence: the log holds
// what happened to the map, and this happened to one reader.
func (o *Observer) slowReaderGap(batch *native.EventBatch) *domain.Event {
	now := time.Now().UTC()
	return &domain.Event{
		Type:       domain.EventTypeCaptureGap,
		RunID:      o.identity.RunID,
		Timestamp:  now,
		ObservedAt: now,
		Severity:   domain.SeverityWarn,
		Subject:    "gap:" + domain.GapReasonSlowReader,
		Host:       o.identity.Host,
		Cluster:    o.identity.Cluster,
		// Healed: what follows in the same batch is the whole map, as initial events.
		GapData: &domain.Gap{Reason: domain.GapReasonSlowReader, Count: batch.Lost, Healed: true},
	}
}
