// Both headers of the C ABI. go/build-native.sh copies them here: Go notices changes of headers in the package's own
// directory only. lib_stamp.h holds the library's checksum for the same reason: Go does not look at the library itself,
// and would keep an old program for a new library.
#if !__has_include("lib_stamp.h")
#error "the native library is not built yet: run go/build-native.sh in the Servicemap repository, or set CGO_ENABLED=0"
#endif
#include "lib_stamp.h"
#include "servicemap.h"
#include "servicemap_events.h"
