//go:build cgo && linux && (amd64 || arm64)

package native

// #include "native_headers.h"
import "C"

import (
	"encoding/hex"
	"math"
	"net/netip"
	"time"
	"unsafe"

	"github.com/servicemap/servicemap/go/domain"
)

// Flags of an event, as servicemap_events.h documents them.
const (
	flagInitial  = 1
	flagLearning = 2
)

// decoder copies typed batches to Go memory, once. Texts that repeat across batches are kept once.
type decoder struct{ interner interner }

func newDecoder() decoder { return decoder{interner: newInterner()} }

// table is one batch in C memory, and the services by name that its rows refer to.
type table struct {
	interner     *interner
	services     []C.servicemap_event_service_t
	connections  []C.servicemap_event_connection_t
	dependencies []C.servicemap_event_dependency_t
	health       []C.servicemap_event_health_change_t
	topologies   []C.servicemap_event_topology_t
	gaps         []C.servicemap_event_gap_t
	endpoints    []C.servicemap_event_endpoint_t
	labels       []C.servicemap_event_label_t
	exposures    []C.servicemap_event_exposure_t
	ports        []C.uint16_t
	texts        []C.servicemap_event_text_t
	arena        []byte

	// Equal texts of a batch have equal offsets, so that a row of names identifies its service.
	named map[C.servicemap_event_service_ref_t]*domain.Service
}

// events are the batch's events; where it carries a whole map, that comes first, as events marked Initial.
func (d *decoder) events(v *C.servicemap_events_view_t) []*domain.Event {
	t := &table{
		interner:     &d.interner,
		services:     rows(v.services.ptr, v.services.len),
		connections:  rows(v.connections.ptr, v.connections.len),
		dependencies: rows(v.dependencies.ptr, v.dependencies.len),
		health:       rows(v.health_changes.ptr, v.health_changes.len),
		topologies:   rows(v.topologies.ptr, v.topologies.len),
		gaps:         rows(v.gaps.ptr, v.gaps.len),
		endpoints:    rows(v.endpoints.ptr, v.endpoints.len),
		labels:       rows(v.labels.ptr, v.labels.len),
		exposures:    rows(v.exposures.ptr, v.exposures.len),
		ports:        rows(v.ports.ptr, v.ports.len),
		texts:        rows(v.texts.ptr, v.texts.len),
		arena:        unsafe.Slice((*byte)(v.arena.ptr), int(v.arena.len)),
		named:        make(map[C.servicemap_event_service_ref_t]*domain.Service),
	}
	run := d.interner.intern(uuid(v.run_id.idx))
	events := rows(v.events.ptr, v.events.len)
	var out []*domain.Event
	if v.has_snapshot != 0 {
		out = t.snapshot(int(v.snapshot_services), int(v.snapshot_connections), run)
	}
	// One allocation for all events of the batch: they are read and dropped together.
	block := make([]domain.Event, len(events))
	for i := range events {
		t.event(&block[i], &events[i], run)
		out = append(out, &block[i])
	}
	return out
}

// snapshot tells the first rows of services and connections as events of things that exist already.
func (t *table) snapshot(services, connections int, run string) []*domain.Event {
	now := time.Now().UTC()
	out := make([]*domain.Event, 0, services+connections+len(t.services))
	for i := range t.services[:services] {
		s := t.service(&t.services[i])
		out = append(out, &domain.Event{
			Type: domain.EventTypeServiceDiscovered, RunID: run, Timestamp: s.FirstSeen, ObservedAt: now,
			Severity: domain.SeverityInfo, Initial: true, Subject: s.ID(), ServiceData: s,
		})
	}
	for i := range t.connections[:connections] {
		c := t.connection(&t.connections[i])
		kind := domain.EventTypeConnectionEstablished
		if c.RequestCount == 0 {
			kind = domain.EventTypeConnectionFailed
		}
		out = append(out, &domain.Event{
			Type: kind, RunID: run, Timestamp: c.FirstSeen, ObservedAt: now,
			Severity: domain.SeverityInfo, Initial: true, Subject: c.Key(), ConnectionData: c,
		})
	}
	return out
}

func (t *table) event(out *domain.Event, row *C.servicemap_event_t, run string) {
	*out = domain.Event{
		ID:         uuid(row.id.idx),
		Type:       domain.EventType(t.text(row.name)),
		Sequence:   uint64(row.sequence),
		RunID:      run,
		Timestamp:  instant(row.at_ns),
		ObservedAt: instant(row.observed_ns),
		Severity:   domain.Severity(row.severity),
		Initial:    row.flags&flagInitial != 0,
		Learning:   row.flags&flagLearning != 0,
		Subject:    t.text(row.subject),
	}
	switch row.kind {
	case C.SERVICEMAP_EVENT_KIND_SERVICE_DISCOVERED, C.SERVICEMAP_EVENT_KIND_SERVICE_REMOVED:
		out.ServiceData = t.service(&t.services[row.data])
	case C.SERVICEMAP_EVENT_KIND_CONNECTION_ESTABLISHED, C.SERVICEMAP_EVENT_KIND_CONNECTION_FAILED,
		C.SERVICEMAP_EVENT_KIND_CONNECTION_EXPIRED:
		out.ConnectionData = t.connection(&t.connections[row.data])
	case C.SERVICEMAP_EVENT_KIND_DEPENDENCY_DETECTED, C.SERVICEMAP_EVENT_KIND_DEPENDENCY_REMOVED:
		out.DependencyData = t.dependency(&t.dependencies[row.data])
		// So that a reader that asks for who talks to whom finds it at one place.
		out.ConnectionData = &domain.Connection{
			Source: out.DependencyData.Source, Destination: out.DependencyData.Destination,
			Protocol: out.DependencyData.Protocol, Port: out.DependencyData.Port,
			FirstSeen: out.Timestamp, LastSeen: out.Timestamp,
		}
	case C.SERVICEMAP_EVENT_KIND_HEALTH_CHANGED:
		out.HealthData = t.healthChange(&t.health[row.data])
		out.ServiceData = out.HealthData.Service
	case C.SERVICEMAP_EVENT_KIND_TOPOLOGY_CHANGED:
		out.TopologyData = t.topology(&t.topologies[row.data])
	case C.SERVICEMAP_EVENT_KIND_CAPTURE_GAP:
		gap := &t.gaps[row.data]
		out.GapData = &domain.Gap{Reason: t.text(gap.reason), Count: uint64(gap.count), Healed: gap.healed != 0}
	}
}

func (t *table) service(row *C.servicemap_event_service_t) *domain.Service {
	s := &domain.Service{
		Name:          t.text(row.service.service_name),
		Namespace:     t.text(row.service.service_namespace),
		Type:          domain.ServiceType(t.text(row.service.service_type)),
		Health:        domain.HealthStatus(t.text(row.health)),
		HealthReasons: t.list(row.health_reasons),
		Environment:   t.text(row.environment),
		FirstSeen:     instant(row.first_seen_ns),
		LastSeen:      instant(row.last_seen_ns),
	}
	if row.endpoints.count > 0 {
		s.Endpoints = make([]domain.Endpoint, 0, row.endpoints.count)
	}
	for _, e := range part(t.endpoints, row.endpoints) {
		// The zero address stands for one that is none, which the library does not write.
		address, _ := netip.ParseAddr(t.text(e.address))
		s.Endpoints = append(s.Endpoints, domain.Endpoint{
			Address: address, Port: int(e.port), Ready: e.ready != 0,
			Pod: t.text(e.pod), Node: t.text(e.node), Zone: t.text(e.zone),
		})
	}
	for i := range part(t.exposures, row.exposed_by) {
		s.ExposedBy = append(s.ExposedBy, t.exposure(&t.exposures[int(row.exposed_by.first)+i]))
	}
	if row.labels.count > 0 {
		s.Labels = make(map[string]string, row.labels.count)
	}
	for _, l := range part(t.labels, row.labels) {
		s.Labels[t.text(l.key)] = t.text(l.value)
	}
	return s
}

func (t *table) exposure(row *C.servicemap_event_exposure_t) domain.Exposure {
	e := domain.Exposure{
		Kind:      t.text(row.kind),
		Namespace: t.text(row.object_namespace),
		Name:      t.text(row.object_name),
		Class:     t.text(row.serving_class),
		Hosts:     t.list(row.hosts),
	}
	for _, port := range part(t.ports, row.ports) {
		e.Ports = append(e.Ports, int(port))
	}
	return e
}

func (t *table) reference(row C.servicemap_event_service_ref_t) *domain.Service {
	if s, ok := t.named[row]; ok {
		return s
	}
	s := &domain.Service{
		Name:      t.text(row.service_name),
		Namespace: t.text(row.service_namespace),
		Type:      domain.ServiceType(t.text(row.service_type)),
		Health:    domain.HealthStatusUnknown,
	}
	t.named[row] = s
	return s
}

func (t *table) connection(row *C.servicemap_event_connection_t) *domain.Connection {
	return &domain.Connection{
		Source:       t.reference(row.source),
		Destination:  t.reference(row.destination),
		Protocol:     t.text(row.protocol),
		Port:         int(row.port),
		FirstSeen:    instant(row.first_seen_ns),
		LastSeen:     instant(row.last_seen_ns),
		RequestCount: count(row.opened),
		Preexisting:  count(row.preexisting),
		Active:       count(row.active),
		Failed: domain.Failures{
			Refused:     count(row.failed_refused),
			Timeout:     count(row.failed_timeout),
			Unreachable: count(row.failed_unreachable),
			Reset:       count(row.failed_reset),
			Other:       count(row.failed_other),
		},
		BytesSent:     count(row.bytes_sent),
		BytesReceived: count(row.bytes_received),
		Retransmits:   count(row.retransmits),
		RTT:           time.Duration(row.rtt_us) * time.Microsecond,
	}
}

func (t *table) dependency(row *C.servicemap_event_dependency_t) *domain.Dependency {
	return &domain.Dependency{
		Source:         t.reference(row.source),
		Destination:    t.reference(row.destination),
		Protocol:       t.text(row.protocol),
		Port:           int(row.port),
		CrossNamespace: row.cross_namespace != 0,

		CrossEnvironment:       row.cross_environment != 0,
		SourceEnvironment:      t.text(row.source_environment),
		DestinationEnvironment: t.text(row.destination_environment),
	}
}

func (t *table) healthChange(row *C.servicemap_event_health_change_t) *domain.HealthChange {
	return &domain.HealthChange{
		Service: t.service(&t.services[row.service]),
		From:    domain.HealthStatus(t.text(row.from)),
		To:      domain.HealthStatus(t.text(row.to)),
		Reasons: t.list(row.reasons),
	}
}

func (t *table) topology(row *C.servicemap_event_topology_t) *domain.TopologyChange {
	return &domain.TopologyChange{
		Revision:              uint64(row.revision),
		ServiceCount:          int(count(row.service_count)),
		ConnectionCount:       int(count(row.connection_count)),
		ServiceCountBefore:    int(count(row.service_count_before)),
		ConnectionCountBefore: int(count(row.connection_count_before)),
		ServicesAdded:         t.list(row.services_added),
		ServicesRemoved:       t.list(row.services_removed),
		ConnectionsAdded:      t.list(row.connections_added),
		ConnectionsRemoved:    t.list(row.connections_removed),

		DisallowedConnectionsAdded:   t.list(row.disallowed_connections_added),
		DisallowedConnectionsRemoved: t.list(row.disallowed_connections_removed),
		UnrestrictedServicesAdded:    t.list(row.unrestricted_services_added),
		UnrestrictedServicesRemoved:  t.list(row.unrestricted_services_removed),
		Renamed:                      renamed(t.list(row.renamed)),
	}
}

// renamed makes pairs of ids that come by twos.
func renamed(ids []string) []domain.Renaming {
	var pairs []domain.Renaming
	for ; len(ids) >= 2; ids = ids[2:] {
		pairs = append(pairs, domain.Renaming{From: ids[0], To: ids[1]})
	}
	return pairs
}

func (t *table) text(place C.servicemap_event_text_t) string {
	return t.interner.internBytes(t.arena[place.offset : place.offset+place.len])
}

func (t *table) list(of C.servicemap_event_range_t) []string {
	if of.count == 0 {
		return nil
	}
	out := make([]string, 0, of.count)
	for _, place := range part(t.texts, of) {
		out = append(out, t.text(place))
	}
	return out
}

// rows are C rows as a slice, without a copy.
func rows[T any](first *T, n C.size_t) []T { return unsafe.Slice(first, int(n)) }

func part[T any](all []T, of C.servicemap_event_range_t) []T {
	return all[of.first : of.first+of.count]
}

func instant(ns C.uint64_t) time.Time { return time.Unix(0, int64(count(ns))).UTC() }

// count is a counter as Go programs like it: signed, and at its end instead of negative.
func count(n C.uint64_t) int64 { return int64(min(uint64(n), math.MaxInt64)) }

// uuid is the text form of RFC 9562.
func uuid(b [16]C.uint8_t) string {
	raw := *(*[16]byte)(unsafe.Pointer(&b))
	var out [36]byte
	hex.Encode(out[0:8], raw[0:4])
	hex.Encode(out[9:13], raw[4:6])
	hex.Encode(out[14:18], raw[6:8])
	hex.Encode(out[19:23], raw[8:10])
	hex.Encode(out[24:36], raw[10:16])
	out[8], out[13], out[18], out[23] = '-', '-', '-', '-'
	return string(out[:])
}
