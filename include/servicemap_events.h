// Typed events of Servicemap: the batches of kind EVENTS of servicemap.h, read in place. Generated: do not edit.
//
// servicemap_batch_t and servicemap_error_t are the types servicemap_batch and servicemap_error of servicemap.h.
// Rows hold no pointers: text is an offset and a length into the view's arena, a range is a first index and a count into
// one of the view's lists, whose pointers are never NULL. Layouts of rows change only with SERVICEMAP_ABI_VERSION.

#ifndef SERVICEMAP_EVENTS_H
#define SERVICEMAP_EVENTS_H
#ifdef __cplusplus
extern "C" {
#endif

/**
 *  The batch of `servicemap.h`: `struct servicemap_batch`.
 */
typedef struct servicemap_batch servicemap_batch_t;


#include <stddef.h>
#include <stdint.h>

typedef struct {
    uint8_t idx[16];
} uint8_16_array_t;

/**
 *  What kind of thing an event tells, and in which list its data is. Numbers are never used again for something else.
 */
/** \remark Has the same ABI as `uint32_t` **/
#ifdef DOXYGEN
typedef
#endif
enum servicemap_event_kind {
    /**
     *  A service is in the map that was not: `services`.
     */
    SERVICEMAP_EVENT_KIND_SERVICE_DISCOVERED = 1,
    /**
     *  A service is gone: `services`.
     */
    SERVICEMAP_EVENT_KIND_SERVICE_REMOVED = 2,
    /**
     *  An edge carries an established connection and did not before: `connections`.
     */
    SERVICEMAP_EVENT_KIND_CONNECTION_ESTABLISHED = 10,
    /**
     *  An edge's attempts start to fail: `connections`.
     */
    SERVICEMAP_EVENT_KIND_CONNECTION_FAILED = 11,
    /**
     *  An edge had no open socket and no traffic for `connection_timeout`: `connections`.
     */
    SERVICEMAP_EVENT_KIND_CONNECTION_EXPIRED = 12,
    /**
     *  A dependency that was never told before: `dependencies`.
     */
    SERVICEMAP_EVENT_KIND_DEPENDENCY_DETECTED = 20,
    /**
     *  A dependency went: `dependencies`.
     */
    SERVICEMAP_EVENT_KIND_DEPENDENCY_REMOVED = 21,
    /**
     *  A service's health status is another one: `health_changes`.
     */
    SERVICEMAP_EVENT_KIND_HEALTH_CHANGED = 30,
    /**
     *  The graph changed: `topologies`.
     */
    SERVICEMAP_EVENT_KIND_TOPOLOGY_CHANGED = 40,
    /**
     *  Something was lost: `gaps`.
     */
    SERVICEMAP_EVENT_KIND_CAPTURE_GAP = 50,
}
#ifndef DOXYGEN
; typedef uint32_t
#endif
servicemap_event_kind_t;

/**
 *  Text in the batch's arena: UTF-8, not NUL-terminated. Equal texts of one batch have equal offsets.
 */
typedef struct servicemap_event_text {
    /**
     *  First byte, counted from the start of the arena.
     */
    uint32_t offset;

    /**
     *  Length in bytes.
     */
    uint32_t len;
} servicemap_event_text_t;

/**
 *  One event. `kind` says in which list its data is, `data` where in it.
 */
typedef struct servicemap_event {
    /**
     *  Stable id, the 16 bytes of a UUID: the same fact gives the same id on a replay.
     */
    uint8_16_array_t id;

    /**
     *  Position in the log of this run, from 1.
     */
    uint64_t sequence;

    /**
     *  When it happened, in ns since the epoch.
     */
    uint64_t at_ns;

    /**
     *  When it was noticed, in ns since the epoch.
     */
    uint64_t observed_ns;

    /**
     *  What it tells; newer libraries may have more kinds.
     */
    servicemap_event_kind_t kind;

    /**
     *  OpenTelemetry's SeverityNumber: 5 debug, 9 info, 13 warning.
     */
    uint32_t severity;

    /**
     *  1 initial: it existed when the observer or the consumer started. 2 learning: the observer has not yet learned
     *  what is normal here. Other bits are to be ignored.
     */
    uint32_t flags;

    /**
     *  Index of its data in the list that belongs to `kind`.
     */
    uint32_t data;

    /**
     *  The name of its kind, for example `service.discovered`.
     */
    servicemap_event_text_t name;

    /**
     *  What it is about: a service id, an edge key, or `topology`.
     */
    servicemap_event_text_t subject;
} servicemap_event_t;

/**
 *  Consecutive entries.
 */
typedef struct slice_ref_servicemap_event {
    /**
     *  Pointer to the first element (if any).
     */
    servicemap_event_t const * ptr;

    /**
     *  Element count
     */
    size_t len;
} slice_ref_servicemap_event_t;

/**
 *  A service by name.
 */
typedef struct servicemap_event_service_ref {
    /**
     *  Kubernetes namespace, host name for a Process, empty for Node and External.
     */
    servicemap_event_text_t service_namespace;

    /**
     *  Name inside the namespace.
     */
    servicemap_event_text_t service_name;

    /**
     *  `ClusterIP`, `NodePort`, `LoadBalancer`, `ExternalName`, `Headless`, `Workload`, `Process`, `Node` or `External`.
     */
    servicemap_event_text_t service_type;
} servicemap_event_service_ref_t;

/**
 *  Some consecutive entries of one of the batch's lists.
 */
typedef struct servicemap_event_range {
    /**
     *  Index of the first entry.
     */
    uint32_t first;

    /**
     *  How many entries.
     */
    uint32_t count;
} servicemap_event_range_t;

/**
 *  A service: of `service.*` events, of health changes, and of the snapshot.
 */
typedef struct servicemap_event_service {
    /**
     *  Namespace, name and type.
     */
    servicemap_event_service_ref_t service;

    /**
     *  `unknown`, `healthy`, `degraded` or `unhealthy`.
     */
    servicemap_event_text_t health;

    /**
     *  Why: entries of `texts`, most important first.
     */
    servicemap_event_range_t health_reasons;

    /**
     *  Address:port pairs behind it: entries of `endpoints`.
     */
    servicemap_event_range_t endpoints;

    /**
     *  Labels: entries of `labels`.
     */
    servicemap_event_range_t labels;

    /**
     *  The environment that it is in; empty where the settings do not say.
     */
    servicemap_event_text_t environment;

    /**
     *  What leads to it from outside the cluster: entries of `exposures`.
     */
    servicemap_event_range_t exposed_by;

    /**
     *  When it was first known, in ns since the epoch.
     */
    uint64_t first_seen_ns;

    /**
     *  When something was last seen of it, in ns since the epoch.
     */
    uint64_t last_seen_ns;
} servicemap_event_service_t;

/**
 *  Consecutive entries.
 */
typedef struct slice_ref_servicemap_event_service {
    /**
     *  Pointer to the first element (if any).
     */
    servicemap_event_service_t const * ptr;

    /**
     *  Element count
     */
    size_t len;
} slice_ref_servicemap_event_service_t;

/**
 *  A connection (an edge): of `connection.*` events and of the snapshot. Counts are sums since it was first seen.
 */
typedef struct servicemap_event_connection {
    /**
     *  The TCP initiator.
     */
    servicemap_event_service_ref_t source;

    /**
     *  Who accepted.
     */
    servicemap_event_service_ref_t destination;

    /**
     *  Always `tcp`.
     */
    servicemap_event_text_t protocol;

    /**
     *  Connections that became established, those open before the start included.
     */
    uint64_t opened;

    /**
     *  How many of `opened` were open before the observer started.
     */
    uint64_t preexisting;

    /**
     *  Open now.
     */
    uint64_t active;

    /**
     *  Failed: nobody listens.
     */
    uint64_t failed_refused;

    /**
     *  Failed: no answer.
     */
    uint64_t failed_timeout;

    /**
     *  Failed: no way there.
     */
    uint64_t failed_unreachable;

    /**
     *  Failed: cut off by the other side.
     */
    uint64_t failed_reset;

    /**
     *  Failed: any other error.
     */
    uint64_t failed_other;

    /**
     *  Bytes from the source to the destination.
     */
    uint64_t bytes_sent;

    /**
     *  Bytes from the destination to the source.
     */
    uint64_t bytes_received;

    /**
     *  Segments sent again by the counted side.
     */
    uint64_t retransmits;

    /**
     *  When it was first seen, in ns since the epoch.
     */
    uint64_t first_seen_ns;

    /**
     *  When it was last seen, in ns since the epoch.
     */
    uint64_t last_seen_ns;

    /**
     *  Example, the first socket: its kernel cookie, as `ss -e` shows it; 0 without an example.
     */
    uint64_t example_cookie;

    /**
     *  Example: local address; empty without an example.
     */
    servicemap_event_text_t example_address;

    /**
     *  Example: process id, 0 if not known.
     */
    uint32_t example_pid;

    /**
     *  Example: user id of the socket's owner.
     */
    uint32_t example_uid;

    /**
     *  `client` or `server`: the side at which it is counted.
     */
    servicemap_event_text_t side;

    /**
     *  The rule that named the source: `cgroup`, `program` or `address`.
     */
    servicemap_event_text_t source_rule;

    /**
     *  The rule that named the destination: `listener`, `cgroup`, `program` or `address`.
     */
    servicemap_event_text_t destination_rule;

    /**
     *  Smoothed round-trip time in microseconds; 0 if not known.
     */
    uint32_t rtt_us;

    /**
     *  The port that the destination offers; 0 stands for a scan of many that nobody offers.
     */
    uint16_t port;

    /**
     *  Example: local port.
     */
    uint16_t example_port;

    /**
     *  1 if the direction was seen, 0 if it was inferred from who listens.
     */
    uint32_t direction_known;

    /**
     *  Always 0.
     */
    uint32_t reserved;
} servicemap_event_connection_t;

/**
 *  Consecutive entries.
 */
typedef struct slice_ref_servicemap_event_connection {
    /**
     *  Pointer to the first element (if any).
     */
    servicemap_event_connection_t const * ptr;

    /**
     *  Element count
     */
    size_t len;
} slice_ref_servicemap_event_connection_t;

/**
 *  A dependency: of `dependency.*` events.
 */
typedef struct servicemap_event_dependency {
    /**
     *  Who needs.
     */
    servicemap_event_service_ref_t source;

    /**
     *  Who is needed.
     */
    servicemap_event_service_ref_t destination;

    /**
     *  Protocol over which it was first seen: `tcp`.
     */
    servicemap_event_text_t protocol;

    /**
     *  Port at which it was first seen.
     */
    uint16_t port;

    /**
     *  1 if both have namespaces and they differ, else 0.
     */
    uint16_t cross_namespace;

    /**
     *  1 if both are in environments and they differ, else 0.
     */
    uint32_t cross_environment;

    /**
     *  The environment of who needs; empty where it is in none.
     */
    servicemap_event_text_t source_environment;

    /**
     *  The environment of who is needed; empty where it is in none.
     */
    servicemap_event_text_t destination_environment;
} servicemap_event_dependency_t;

/**
 *  Consecutive entries.
 */
typedef struct slice_ref_servicemap_event_dependency {
    /**
     *  Pointer to the first element (if any).
     */
    servicemap_event_dependency_t const * ptr;

    /**
     *  Element count
     */
    size_t len;
} slice_ref_servicemap_event_dependency_t;

/**
 *  A change of health: of `health.changed` events.
 */
typedef struct servicemap_event_health_change {
    /**
     *  Status before.
     */
    servicemap_event_text_t from;

    /**
     *  Status after.
     */
    servicemap_event_text_t to;

    /**
     *  Why: entries of `texts`.
     */
    servicemap_event_range_t reasons;

    /**
     *  The service as it is after the change: an index into `services`.
     */
    uint32_t service;

    /**
     *  Always 0.
     */
    uint32_t reserved;
} servicemap_event_health_change_t;

/**
 *  Consecutive entries.
 */
typedef struct slice_ref_servicemap_event_health_change {
    /**
     *  Pointer to the first element (if any).
     */
    servicemap_event_health_change_t const * ptr;

    /**
     *  Element count
     */
    size_t len;
} slice_ref_servicemap_event_health_change_t;

/**
 *  What became of the graph within one debounce window: of `topology.changed` events.
 */
typedef struct servicemap_event_topology {
    /**
     *  Counts up by one with each topology event of a run.
     */
    uint64_t revision;

    /**
     *  Services after the window.
     */
    uint64_t service_count;

    /**
     *  Connections after the window.
     */
    uint64_t connection_count;

    /**
     *  Services before the window.
     */
    uint64_t service_count_before;

    /**
     *  Connections before the window.
     */
    uint64_t connection_count_before;

    /**
     *  Services that came, as `namespace/name`: entries of `texts`.
     */
    servicemap_event_range_t services_added;

    /**
     *  Services that went, as `namespace/name`: entries of `texts`.
     */
    servicemap_event_range_t services_removed;

    /**
     *  Connections that came, as `ns/a->ns/b:port/tcp`: entries of `texts`.
     */
    servicemap_event_range_t connections_added;

    /**
     *  Connections that went, as `ns/a->ns/b:port/tcp`: entries of `texts`.
     */
    servicemap_event_range_t connections_removed;

    /**
     *  Connections that no network policy allows any more: entries of `texts`.
     */
    servicemap_event_range_t disallowed_connections_added;

    /**
     *  Connections of which that is true no longer: entries of `texts`.
     */
    servicemap_event_range_t disallowed_connections_removed;

    /**
     *  Ids of services that no network policy restricts any more: entries of `texts`.
     */
    servicemap_event_range_t unrestricted_services_added;

    /**
     *  Services of which that is true no longer: entries of `texts`.
     */
    servicemap_event_range_t unrestricted_services_removed;

    /**
     *  Services whose pods have another name now: entries of `texts`, by twos, the former id and the one from now on.
     */
    servicemap_event_range_t renamed;
} servicemap_event_topology_t;

/**
 *  Consecutive entries.
 */
typedef struct slice_ref_servicemap_event_topology {
    /**
     *  Pointer to the first element (if any).
     */
    servicemap_event_topology_t const * ptr;

    /**
     *  Element count
     */
    size_t len;
} slice_ref_servicemap_event_topology_t;

/**
 *  Something was lost: of `capture.gap` events.
 */
typedef struct servicemap_event_gap {
    /**
     *  Where, for example `flow_map_full`.
     */
    servicemap_event_text_t reason;

    /**
     *  How many things.
     */
    uint64_t count;

    /**
     *  When it was noticed, in ns since the epoch.
     */
    uint64_t at_ns;

    /**
     *  1 if the map has been made exact again since, else 0.
     */
    uint32_t healed;

    /**
     *  Always 0.
     */
    uint32_t reserved;
} servicemap_event_gap_t;

/**
 *  Consecutive entries.
 */
typedef struct slice_ref_servicemap_event_gap {
    /**
     *  Pointer to the first element (if any).
     */
    servicemap_event_gap_t const * ptr;

    /**
     *  Element count
     */
    size_t len;
} slice_ref_servicemap_event_gap_t;

/**
 *  One address and port behind a service.
 */
typedef struct servicemap_event_endpoint {
    /**
     *  IPv4 or IPv6 address; the unspecified one for a listener on all addresses.
     */
    servicemap_event_text_t address;

    /**
     *  TCP port.
     */
    uint16_t port;

    /**
     *  1 if it takes connections, else 0.
     */
    uint16_t ready;

    /**
     *  Name of the pod behind it, in the namespace of the service; empty where it is none that is known.
     */
    servicemap_event_text_t pod;

    /**
     *  Name of its node; empty where it is not known.
     */
    servicemap_event_text_t node;

    /**
     *  Name of its zone; empty where it is not known.
     */
    servicemap_event_text_t zone;
} servicemap_event_endpoint_t;

/**
 *  Consecutive entries.
 */
typedef struct slice_ref_servicemap_event_endpoint {
    /**
     *  Pointer to the first element (if any).
     */
    servicemap_event_endpoint_t const * ptr;

    /**
     *  Element count
     */
    size_t len;
} slice_ref_servicemap_event_endpoint_t;

/**
 *  One label of a service.
 */
typedef struct servicemap_event_label {
    /**
     *  The key.
     */
    servicemap_event_text_t key;

    /**
     *  The value.
     */
    servicemap_event_text_t value;
} servicemap_event_label_t;

/**
 *  Consecutive entries.
 */
typedef struct slice_ref_servicemap_event_label {
    /**
     *  Pointer to the first element (if any).
     */
    servicemap_event_label_t const * ptr;

    /**
     *  Element count
     */
    size_t len;
} slice_ref_servicemap_event_label_t;

/**
 *  Consecutive entries.
 */
typedef struct slice_ref_servicemap_event_text {
    /**
     *  Pointer to the first element (if any).
     */
    servicemap_event_text_t const * ptr;

    /**
     *  Element count
     */
    size_t len;
} slice_ref_servicemap_event_text_t;

/**
 *  Consecutive entries.
 */
typedef struct slice_ref_uint8 {
    /**
     *  Pointer to the first element (if any).
     */
    uint8_t const * ptr;

    /**
     *  Element count
     */
    size_t len;
} slice_ref_uint8_t;

/**
 *  What leads to a service from outside the cluster.
 */
typedef struct servicemap_event_exposure {
    /**
     *  `Ingress`, `HTTPRoute`, `Route`, `LoadBalancer`, `NodePort`, `ExternalIP` and so on.
     */
    servicemap_event_text_t kind;

    /**
     *  Namespace of the object.
     */
    servicemap_event_text_t object_namespace;

    /**
     *  Name of the object.
     */
    servicemap_event_text_t object_name;

    /**
     *  Who serves it, such as an ingress class; empty if not known.
     */
    servicemap_event_text_t serving_class;

    /**
     *  Host names or addresses at which it is reached: entries of `texts`; none where it answers to all names.
     */
    servicemap_event_range_t hosts;

    /**
     *  Ports of the service to which it leads, of `NodePort` those at the nodes: entries of `ports`.
     */
    servicemap_event_range_t ports;
} servicemap_event_exposure_t;

/**
 *  Consecutive entries.
 */
typedef struct slice_ref_servicemap_event_exposure {
    /**
     *  Pointer to the first element (if any).
     */
    servicemap_event_exposure_t const * ptr;

    /**
     *  Element count
     */
    size_t len;
} slice_ref_servicemap_event_exposure_t;

/**
 *  Consecutive entries.
 */
typedef struct slice_ref_uint16 {
    /**
     *  Pointer to the first element (if any).
     */
    uint16_t const * ptr;

    /**
     *  Element count
     */
    size_t len;
} slice_ref_uint16_t;

/**
 *  Everything in a typed batch, lent until the batch is freed. May grow: set `size` to sizeof this struct and the rest to
 *  zero.
 */
typedef struct servicemap_events_view {
    /**
     *  Size of this struct in bytes, as the caller knows it.
     */
    size_t size;

    /**
     *  This life of the observer, the 16 bytes of a UUID: sequence numbers begin anew with each.
     */
    uint8_16_array_t run_id;

    /**
     *  1 if the batch carries a snapshot of the map: then it is all that the consumer needs to know before the events.
     */
    size_t has_snapshot;

    /**
     *  Sequence number of the last event that the snapshot includes.
     */
    uint64_t snapshot_sequence;

    /**
     *  How many of `services`, from the first on, are the snapshot's.
     */
    size_t snapshot_services;

    /**
     *  How many of `connections`, from the first on, are the snapshot's.
     */
    size_t snapshot_connections;

    /**
     *  The events, in the order of the log.
     */
    slice_ref_servicemap_event_t events;

    /**
     *  Services.
     */
    slice_ref_servicemap_event_service_t services;

    /**
     *  Connections.
     */
    slice_ref_servicemap_event_connection_t connections;

    /**
     *  Dependencies.
     */
    slice_ref_servicemap_event_dependency_t dependencies;

    /**
     *  Changes of health.
     */
    slice_ref_servicemap_event_health_change_t health_changes;

    /**
     *  Changes of the graph.
     */
    slice_ref_servicemap_event_topology_t topologies;

    /**
     *  Losses.
     */
    slice_ref_servicemap_event_gap_t gaps;

    /**
     *  Endpoints of services.
     */
    slice_ref_servicemap_event_endpoint_t endpoints;

    /**
     *  Labels of services.
     */
    slice_ref_servicemap_event_label_t labels;

    /**
     *  Texts of lists.
     */
    slice_ref_servicemap_event_text_t texts;

    /**
     *  The bytes that every text points into.
     */
    slice_ref_uint8_t arena;

    /**
     *  What leads to services from outside the cluster.
     */
    slice_ref_servicemap_event_exposure_t exposures;

    /**
     *  Ports of exposures.
     */
    slice_ref_uint16_t ports;
} servicemap_events_view_t;

/**
 *  The error of `servicemap.h`: `struct servicemap_error`.
 */
typedef struct servicemap_error servicemap_error_t;

/**
 *  Looks into a batch of kind EVENTS without a copy. `*out` is written only on success.
 *
 *  Ownership: the view is lent until the batch is freed. Threads: any one at a time for a batch. Does not block.
 *  Answers a `servicemap_status`: OK, NULL_POINTER, INVALID_ARGUMENT (a batch of another kind), STRUCT_SIZE, PANIC;
 *  `error` may be NULL.
 *
 *  Safety: `batch` is NULL or was not freed, `out` is NULL or writable for `out->size` bytes.
 */
int32_t
servicemap_events_view (
    servicemap_batch_t const * batch,
    servicemap_events_view_t * out,
    servicemap_error_t * * error);


#ifdef __cplusplus
} /* extern "C" */
#endif

#endif /* SERVICEMAP_EVENTS_H */
