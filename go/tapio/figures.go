package tapio

import (
	"strconv"
	"sync"
	"time"

	tapiodomain "github.com/yairfalse/tapio/pkg/domain"

	"github.com/servicemap/servicemap/go/domain"
)

// gapMemory is how long a loss that is not healed is held against the observer's health.
const gapMemory = 5 * time.Minute

// figures are what an observer tells of itself.
type figures struct {
	component string

	mu        sync.Mutex
	madeAt    time.Time
	startedAt time.Time
	stopped   bool
	lastEvent time.Time
	lastErr   error
	lastGap   string
	gapAt     time.Time

	sentEvents  int64
	errors      int64
	missed      uint64
	unsent      uint64
	mapsLeftOut uint64
}

func newFigures(component string) *figures {
	now := time.Now()
	return &figures{component: component, madeAt: now, lastEvent: now}
}

func (f *figures) started() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.startedAt = time.Now()
}

func (f *figures) ended() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.stopped = true
}

func (f *figures) failed(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.errors++
	f.lastErr = err
}

func (f *figures) sent() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.sentEvents++
	f.lastEvent = time.Now()
}

// dropped counts an event that nobody took while the observer stopped.
func (f *figures) dropped() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.unsent++
}

func (f *figures) mapLeftOut() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.mapsLeftOut++
}

// noticed takes in what an event says of the observation itself.
func (f *figures) noticed(event *domain.Event) {
	if event.GapData == nil {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if event.GapData.Reason == domain.GapReasonSlowReader {
		f.missed += event.GapData.Count
	}
	if !event.GapData.Healed {
		f.lastGap, f.gapAt = event.GapData.Reason, time.Now()
	}
}

func (f *figures) uptime() time.Duration {
	if f.startedAt.IsZero() {
		return 0
	}
	return time.Since(f.startedAt)
}

// Statistics are the observer's figures: events sent, errors, and as custom metrics what was lost.
func (o *Observer) Statistics() *tapiodomain.CollectorStats {
	f := o.figures
	f.mu.Lock()
	defer f.mu.Unlock()
	return &tapiodomain.CollectorStats{
		EventsProcessed: f.sentEvents,
		ErrorCount:      f.errors,
		LastEventTime:   f.lastEvent,
		Uptime:          f.uptime(),
		CustomMetrics: map[string]string{
			// Lost because they were read too slowly, each loss told by an event.
			"events_missed_total": strconv.FormatUint(f.missed, 10),
			// Taken by nobody while the observer stopped.
			"events_dropped_total": strconv.FormatUint(f.unsent, 10),
			// Topology events without the map, which was larger than MaxMapEntries or could not be read.
			"maps_left_out_total": strconv.FormatUint(f.mapsLeftOut, 10),
		},
	}
}

// Health is the observer's health and why: unhealthy when it does not observe though it should, degraded for five
// minutes after something was lost for good.
func (o *Observer) Health() *tapiodomain.HealthStatus {
	now, observing := time.Now(), o.IsHealthy()
	f := o.figures
	f.mu.Lock()
	defer f.mu.Unlock()
	h := &tapiodomain.HealthStatus{
		Timestamp: now, Component: f.component, Version: o.converter.version, Uptime: f.uptime(),
		EventsEmitted: f.sentEvents, EventsDropped: int64(f.missed + f.unsent), ErrorCount: f.errors, LastError: f.lastErr,
	}
	if f.lastErr != nil {
		h.LastErrorText = f.lastErr.Error()
	}
	switch {
	case observing && f.lastGap != "" && now.Sub(f.gapAt) < gapMemory:
		h.Status, h.Message, h.LastHealthy = tapiodomain.HealthDegraded, "observing, with a loss: "+f.lastGap, f.gapAt
	case observing:
		h.Status, h.Message, h.LastHealthy = tapiodomain.HealthHealthy, "observing", now
	case f.stopped:
		h.Status, h.Message = tapiodomain.HealthUnhealthy, "stopped"
	case f.lastErr != nil:
		h.Status, h.Message = tapiodomain.HealthUnhealthy, "nothing is observed: "+h.LastErrorText
	default:
		h.Status, h.Message = tapiodomain.HealthUnknown, "not started"
	}
	return h
}
