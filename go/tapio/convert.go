package tapio

import (
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	tapiodomain "github.com/yairfalse/tapio/pkg/domain"

	"github.com/servicemap/servicemap/go/domain"
)

const (
	// contentType names the JSON in RawData: an event as docs/map.md describes it.
	contentType = "application/vnd.servicemap.event.v1+json"
	// schemaVersion is the version of that JSON.
	schemaVersion = "1"
)

// Labels that every event has. tapio refuses an event without the first two.
const (
	labelObserver   = "observer"
	labelVersion    = "version"
	labelChangeType = "change_type"
)

// converter makes tapio's events of Servicemap's. One goroutine uses it.
type converter struct {
	name          string
	version       string
	maxMapEntries int
	snapshot      func() ([]byte, error)
	figures       *figures
	// unlogged counts events without an id of their own.
	unlogged uint64
}

// convert gives an event that shares nothing with the given one: tapio writes into what it gets.
func (c *converter) convert(e *domain.Event) (*tapiodomain.CollectorEvent, error) {
	raw, err := json.Marshal(e)
	if err != nil {
		return nil, fmt.Errorf("tapio: cannot write event %s of %q as JSON: %w", e.Type, e.Subject, err)
	}
	out := c.envelope(e)
	switch {
	case e.HealthData != nil:
		health(out, e)
	case e.ServiceData != nil:
		service(out, e)
	case e.DependencyData != nil:
		dependency(out, e)
	case e.ConnectionData != nil:
		connection(out, e)
	case e.TopologyData != nil:
		raw = c.topology(out, e, raw)
	case e.GapData != nil:
		gap(out, e)
	}
	out.EventData.RawData = &tapiodomain.RawData{
		Format: "json", ContentType: contentType, Data: raw, Size: int64(len(raw)),
	}
	return out, nil
}

// envelope is what all events have. An event of a kind that is not known here stays as it is: a part of a service map,
// of which RawData tells.
func (c *converter) envelope(e *domain.Event) *tapiodomain.CollectorEvent {
	out := &tapiodomain.CollectorEvent{
		EventID:   c.id(e),
		Timestamp: happened(e),
		Type:      tapiodomain.EventTypeServiceMap,
		Source:    c.name,
		Severity:  severity(e),
		Metadata: tapiodomain.EventMetadata{
			NodeName: e.Host,
			Priority: tapiodomain.PriorityNormal,
			Labels: map[string]string{
				labelObserver: c.name, labelVersion: c.version, labelChangeType: string(e.Type), "snapshot": "delta",
			},
			Attributes:    map[string]string{},
			SchemaVersion: schemaVersion,
		},
		CorrelationHints: &tapiodomain.CorrelationHints{NodeName: e.Host},
	}
	out.EventData.ServiceMap = emptyMap(e)
	if e.Cluster != "" {
		out.Metadata.Labels["cluster"] = e.Cluster
	}
	if e.Initial {
		out.Metadata.Labels["initial"] = "true"
	}
	if e.Learning {
		out.Metadata.Labels["learning"] = "true"
	}
	return out
}

// retype takes an event out of the service map, for which only events of that type stand.
func retype(out *tapiodomain.CollectorEvent, to tapiodomain.CollectorEventType) {
	out.Type = to
	delete(out.Metadata.Labels, "snapshot")
}

// idKinds begin the ids of events, as tapio's ids begin.
var idKinds = map[domain.EventType]string{
	domain.EventTypeServiceDiscovered:     "service",
	domain.EventTypeServiceRemoved:        "service",
	domain.EventTypeConnectionEstablished: "conn",
	domain.EventTypeConnectionFailed:      "conn",
	domain.EventTypeConnectionExpired:     "conn",
	domain.EventTypeDependencyDetected:    "flow",
	domain.EventTypeDependencyRemoved:     "flow",
	domain.EventTypeHealthChanged:         "health",
	domain.EventTypeTopologyChanged:       "service-map",
	domain.EventTypeCaptureGap:            "gap",
}

// id is the event's own where it has one: the same fact gives the same id on a replay. Others are numbered in their run.
func (c *converter) id(e *domain.Event) string {
	kind, known := idKinds[e.Type]
	if !known {
		kind = "event"
	}
	if e.ID != "" {
		return kind + "-" + e.ID
	}
	c.unlogged++
	return kind + "-" + e.RunID + "-" + strconv.FormatUint(c.unlogged, 10)
}

// happened is never zero, which tapio refuses: an event whose instant is not known happened when it was noticed.
func happened(e *domain.Event) time.Time {
	for _, at := range []time.Time{e.Timestamp, e.ObservedAt} {
		if !at.IsZero() {
			return at
		}
	}
	return time.Now().UTC()
}

// severity is how much tapio's people want to look at an event: connections that come and go are worth knowing there.
func severity(e *domain.Event) tapiodomain.EventSeverity {
	if e.Severity >= domain.SeverityWarn {
		return tapiodomain.EventSeverityWarning
	}
	return tapiodomain.EventSeverityInfo
}

func gap(out *tapiodomain.CollectorEvent, e *domain.Event) {
	out.Metadata.Labels["gap_reason"] = e.GapData.Reason
	out.Metadata.Labels["gap_count"] = strconv.FormatUint(e.GapData.Count, 10)
	out.Metadata.Labels["gap_healed"] = strconv.FormatBool(e.GapData.Healed)
}
