/* Prints the events of this machine, as a C program that embeds Servicemap would read them.
 *
 *     print_events [--seconds N] [--otlp] [CONFIG]
 *
 * CONFIG is a JSON object of settings, for example '{"drain_interval": "500ms"}'. --seconds: how long to observe (10).
 * --otlp reads log records and metrics as OTLP requests and prints their sizes instead of the events.
 * Exit status 1 and one sentence on standard error when it cannot. */
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "servicemap.h"
#include "servicemap_events.h"

/* Events asked for at once, and how long one call waits: short enough to notice the end of the observation. */
enum { MAX_ITEMS = 1000, WAIT_MS = 200, SHUTDOWN_MS = 5000 };

/* Text with a length, for "%.*s". */
#define SLICE(slice) (int)(slice).len, (const char *)(slice).ptr
#define TEXT(view, text) (int)(text).len, (const char *)(view)->arena.ptr + (text).offset

/* Says what went wrong and what to do, and frees the error. */
static bool failed(servicemap_status status, servicemap_error **slot) {
    if (status < SERVICEMAP_STATUS_NULL_POINTER) {
        return false;
    }
    servicemap_error *error = *slot;
    servicemap_slice message = servicemap_error_message(error);
    servicemap_slice mend = servicemap_error_mend(error);
    fprintf(stderr, "print_events: %.*s (status %" PRId32 ")\n", SLICE(message), status);
    fprintf(stderr, "What to do: %.*s\n", SLICE(mend));
    servicemap_error_free(error);
    *slot = NULL;
    return true;
}

static void print_service_ref(const servicemap_events_view_t *view, const servicemap_event_service_ref_t *service) {
    printf("%.*s/%.*s", TEXT(view, service->service_namespace), TEXT(view, service->service_name));
}

static void print_service(const servicemap_events_view_t *view, const servicemap_event_service_t *service) {
    print_service_ref(view, &service->service);
    printf(" (%.*s) %.*s", TEXT(view, service->service.service_type), TEXT(view, service->health));
    for (uint32_t i = 0; i < service->endpoints.count; i++) {
        const servicemap_event_endpoint_t *endpoint = &view->endpoints.ptr[service->endpoints.first + i];
        printf(" [%.*s]:%u", TEXT(view, endpoint->address), (unsigned)endpoint->port);
    }
}

static void print_connection(const servicemap_events_view_t *view, const servicemap_event_connection_t *connection) {
    uint64_t failures = connection->failed_refused + connection->failed_timeout + connection->failed_unreachable +
                        connection->failed_reset + connection->failed_other;
    print_service_ref(view, &connection->source);
    printf(" -> ");
    print_service_ref(view, &connection->destination);
    printf(":%u opened=%" PRIu64 " active=%" PRIu64 " failed=%" PRIu64, (unsigned)connection->port, connection->opened,
           connection->active, failures);
    printf(" sent=%" PRIu64 " received=%" PRIu64, connection->bytes_sent, connection->bytes_received);
}

static void print_dependency(const servicemap_events_view_t *view, const servicemap_event_dependency_t *dependency) {
    print_service_ref(view, &dependency->source);
    printf(" needs ");
    print_service_ref(view, &dependency->destination);
    printf(":%u", (unsigned)dependency->port);
}

static void print_event(const servicemap_events_view_t *view, const servicemap_event_t *event) {
    printf("%" PRIu64 " %.*s%s ", event->sequence, TEXT(view, event->name), (event->flags & 1) ? " (initial)" : "");
    switch (event->kind) {
    case SERVICEMAP_EVENT_KIND_SERVICE_DISCOVERED:
    case SERVICEMAP_EVENT_KIND_SERVICE_REMOVED:
        print_service(view, &view->services.ptr[event->data]);
        break;
    case SERVICEMAP_EVENT_KIND_CONNECTION_ESTABLISHED:
    case SERVICEMAP_EVENT_KIND_CONNECTION_FAILED:
    case SERVICEMAP_EVENT_KIND_CONNECTION_EXPIRED:
        print_connection(view, &view->connections.ptr[event->data]);
        break;
    case SERVICEMAP_EVENT_KIND_DEPENDENCY_DETECTED:
    case SERVICEMAP_EVENT_KIND_DEPENDENCY_REMOVED:
        print_dependency(view, &view->dependencies.ptr[event->data]);
        break;
    case SERVICEMAP_EVENT_KIND_HEALTH_CHANGED: {
        const servicemap_event_health_change_t *change = &view->health_changes.ptr[event->data];
        print_service_ref(view, &view->services.ptr[change->service].service);
        printf(" %.*s -> %.*s", TEXT(view, change->from), TEXT(view, change->to));
        break;
    }
    case SERVICEMAP_EVENT_KIND_TOPOLOGY_CHANGED: {
        const servicemap_event_topology_t *topology = &view->topologies.ptr[event->data];
        printf("services=%" PRIu64 " connections=%" PRIu64, topology->service_count, topology->connection_count);
        break;
    }
    case SERVICEMAP_EVENT_KIND_CAPTURE_GAP: {
        const servicemap_event_gap_t *gap = &view->gaps.ptr[event->data];
        printf("%.*s count=%" PRIu64, TEXT(view, gap->reason), gap->count);
        break;
    }
    default: /* a newer library */
        printf("%.*s", TEXT(view, event->subject));
    }
    putchar('\n');
}

static bool print_events(const servicemap_batch *batch) {
    servicemap_events_view_t view;
    servicemap_error *error = NULL;
    memset(&view, 0, sizeof view);
    view.size = sizeof view;
    if (failed(servicemap_events_view(batch, &view, &error), &error)) {
        return false;
    }
    if (servicemap_batch_lost(batch) > 0) {
        printf("%" PRIu64 " events were lost: the reader is too slow\n", servicemap_batch_lost(batch));
    }
    for (size_t i = 0; i < view.events.len; i++) {
        print_event(&view, &view.events.ptr[i]);
    }
    fflush(stdout);
    return true;
}

static bool print_otlp(const servicemap_batch *batch) {
    const char *kind = servicemap_batch_kind(batch) == SERVICEMAP_KIND_LOGS ? "logs" : "metrics";
    printf("%s items=%zu bytes=%zu\n", kind, servicemap_batch_items(batch), servicemap_batch_otlp(batch).len);
    fflush(stdout);
    return true;
}

/* One call of next and what it gives. False ends the program: an error, or nothing more to come. */
static bool pull(const servicemap_observer *observer, int32_t kind, uint32_t wait_ms, bool *error_seen) {
    servicemap_batch *batch = NULL;
    servicemap_error *error = NULL;
    servicemap_status status = servicemap_observer_next(observer, kind, MAX_ITEMS, wait_ms, &batch, &error);
    if (failed(status, &error)) {
        *error_seen = true;
        return false;
    }
    if (status != SERVICEMAP_STATUS_OK) {
        return status != SERVICEMAP_STATUS_ENDED;
    }
    bool good = kind == SERVICEMAP_KIND_EVENTS ? print_events(batch) : print_otlp(batch);
    status = servicemap_observer_ack(observer, batch, SERVICEMAP_ACK_OK, 0, &error);
    good = !failed(status, &error) && good;
    servicemap_batch_free(batch);
    *error_seen = *error_seen || !good;
    return good;
}

static bool observe(const servicemap_observer *observer, bool otlp, long seconds) {
    servicemap_error *error = NULL;
    bool error_seen = false;
    int32_t kind = otlp ? SERVICEMAP_KIND_LOGS : SERVICEMAP_KIND_EVENTS;
    struct timespec now, end;

    if (failed(servicemap_observer_start(observer, &error), &error)) {
        return false;
    }
    timespec_get(&end, TIME_UTC);
    end.tv_sec += seconds;
    do {
        bool more = pull(observer, kind, WAIT_MS, &error_seen);
        if (more && otlp) {
            more = pull(observer, SERVICEMAP_KIND_METRICS, 0, &error_seen);
        }
        if (!more) {
            return false;
        }
        timespec_get(&now, TIME_UTC);
    } while (now.tv_sec < end.tv_sec || (now.tv_sec == end.tv_sec && now.tv_nsec < end.tv_nsec));

    if (failed(servicemap_observer_shutdown(observer, SHUTDOWN_MS, &error), &error)) {
        return false;
    }
    while (pull(observer, kind, 0, &error_seen)) {
    }
    while (otlp && pull(observer, SERVICEMAP_KIND_METRICS, 0, &error_seen)) {
    }
    return !error_seen;
}

int main(int argc, char **argv) {
    const char *config = "{}";
    bool otlp = false;
    long seconds = 10;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--otlp") == 0) {
            otlp = true;
        } else if (strcmp(argv[i], "--seconds") == 0 && i + 1 < argc) {
            seconds = strtol(argv[++i], NULL, 10);
        } else if (argv[i][0] == '{') {
            config = argv[i];
        } else {
            fprintf(stderr, "usage: print_events [--seconds N] [--otlp] [JSON]\n");
            return 1;
        }
    }
    if (servicemap_abi_version() != SERVICEMAP_ABI_VERSION) {
        fprintf(stderr, "print_events: built for ABI %d, the library has %" PRIu32 ": build it again\n",
                SERVICEMAP_ABI_VERSION, servicemap_abi_version());
        return 1;
    }

    servicemap_observer *observer = NULL;
    servicemap_error *error = NULL;
    if (failed(servicemap_observer_create((const uint8_t *)config, strlen(config), &observer, &error), &error)) {
        return 1;
    }
    bool good = observe(observer, otlp, seconds);
    servicemap_observer_destroy(&observer);
    return good ? 0 : 1;
}
