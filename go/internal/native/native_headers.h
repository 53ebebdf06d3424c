// Both headers of the C ABI. go/build-native.sh copies them here: Go notices changes of headers in the package's own
// directory only. lib_stamp.h holds the library's checksum for the same reason: Go does not look at the library itself,
// and would keep an old program for a new library.
#if !__has_include("lib_stamp.h")
#error "the native library is not built yet: run go/build-native.sh in the Servicemap repository, or set CGO_ENABLED=0"
#endif
#include "lib_stamp.h"

// Go links again only when a package's compiled code changed, and a macro alone changes none. This puts the checksum there.
__attribute__((used)) static const char servicemap_library_checksum[] = SERVICEMAP_LIB_SHA256;
#include "servicemap.h"
#include "servicemap_events.h"

// What the library lends where there is nothing is an address that is none (1 or 8, say). Go takes whatever has the type
// of a pointer for one, and stops the program when it meets such an address on a stack; so it gets NULL.
#define SERVICEMAP_GO_NULL_IF_EMPTY(slice) \
    do { if ((slice).len == 0) (slice).ptr = 0; } while (0)

static inline servicemap_slice servicemap_go_slice(servicemap_slice slice) {
    SERVICEMAP_GO_NULL_IF_EMPTY(slice);
    return slice;
}

static inline servicemap_slice servicemap_go_batch_otlp(const servicemap_batch *batch) {
    return servicemap_go_slice(servicemap_batch_otlp(batch));
}

static inline servicemap_slice servicemap_go_error_message(const servicemap_error *error) {
    return servicemap_go_slice(servicemap_error_message(error));
}

static inline servicemap_slice servicemap_go_error_mend(const servicemap_error *error) {
    return servicemap_go_slice(servicemap_error_mend(error));
}

static inline servicemap_status servicemap_go_events_view(
    const servicemap_batch *batch, servicemap_events_view_t *view, servicemap_error **error
) {
    servicemap_status status = (servicemap_status)servicemap_events_view(batch, view, error);
    if (status != SERVICEMAP_STATUS_OK) return status;
    SERVICEMAP_GO_NULL_IF_EMPTY(view->events);
    SERVICEMAP_GO_NULL_IF_EMPTY(view->services);
    SERVICEMAP_GO_NULL_IF_EMPTY(view->connections);
    SERVICEMAP_GO_NULL_IF_EMPTY(view->dependencies);
    SERVICEMAP_GO_NULL_IF_EMPTY(view->health_changes);
    SERVICEMAP_GO_NULL_IF_EMPTY(view->topologies);
    SERVICEMAP_GO_NULL_IF_EMPTY(view->gaps);
    SERVICEMAP_GO_NULL_IF_EMPTY(view->endpoints);
    SERVICEMAP_GO_NULL_IF_EMPTY(view->labels);
    SERVICEMAP_GO_NULL_IF_EMPTY(view->texts);
    SERVICEMAP_GO_NULL_IF_EMPTY(view->arena);
    return status;
}
