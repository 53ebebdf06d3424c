// The C ABI of Servicemap: who talks to whom on this machine, pulled in batches. Generated: do not edit.
//
// Pull, not push: the host asks for the next batch and waits at most as long as it says. Nothing calls into the host,
// no signal handler is installed, nothing is printed, and all threads belong to an observer, which joins them.
//
// Order: servicemap_observer_create, _start, then _next and servicemap_batch_free in a loop, _shutdown, _destroy.
//
// - A function that can fail answers a servicemap_status. Outputs are written only on success. `error` may be NULL; else
//   it receives, only on failure, an error object that the caller frees with servicemap_error_free.
// - `const` handles may be used by many threads at once unless a function says otherwise.
// - Text is UTF-8 with a length and without a NUL at its end; only servicemap_version is NUL-terminated.
// - A panic inside the library is caught and answered as PANIC; the observer then only answers POISONED and can be
//   destroyed. Running out of memory, overflowing a stack, and a panic while another is handled abort the process.
//   The text of a panic goes to standard error too, as Rust does by itself.
// - After a fork, calls in the child with an observer of the parent answer FORKED.
// - A struct that begins with `size` may grow: set `size` to its sizeof and all other bytes to zero before the call.


#ifndef SERVICEMAP_H
#define SERVICEMAP_H

#include <stddef.h>
#include <stdint.h>

// Version of this ABI. It is raised when a program built against an older header would break: compare it with what
// `servicemap_abi_version` answers before anything else, and refuse to run when they differ.
#define SERVICEMAP_ABI_VERSION 2

// What a function answers. Numbers are explicit, grouped with gaps, and never used again for something else.
// Below 10 is no error; whatever a program does not know it should treat as an error.
enum servicemap_status
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : int32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
  // Done.
  SERVICEMAP_STATUS_OK = 0,
  // Nothing came within the timeout.
  SERVICEMAP_STATUS_TIMEOUT = 1,
  // `servicemap_observer_wake` was called.
  SERVICEMAP_STATUS_WOKEN = 2,
  // The observer was shut down and everything has been read.
  SERVICEMAP_STATUS_ENDED = 3,
  // A pointer that must not be NULL is NULL.
  SERVICEMAP_STATUS_NULL_POINTER = 10,
  // An argument is outside its range.
  SERVICEMAP_STATUS_INVALID_ARGUMENT = 11,
  // The `size` of a struct is smaller than its first version, or bytes that this library does not know are not zero.
  SERVICEMAP_STATUS_STRUCT_SIZE = 12,
  // The JSON configuration is wrong; the message names the key.
  SERVICEMAP_STATUS_INVALID_CONFIG = 20,
  // Not possible in the observer's present state: not started yet, started already, shut down.
  SERVICEMAP_STATUS_INVALID_STATE = 30,
  // Another thread is using the same cursor.
  SERVICEMAP_STATUS_BUSY = 31,
  // The batch is not the one that this observer waits to have acknowledged.
  SERVICEMAP_STATUS_NOT_OUTSTANDING = 32,
  // The observer was made by the parent process of a `fork`: it does not exist here.
  SERVICEMAP_STATUS_FORKED = 33,
  // The observer's threads did not end before the deadline; they still may.
  SERVICEMAP_STATUS_STILL_RUNNING = 34,
  // The kernel side cannot be loaded or attached; the message says what is missing.
  SERVICEMAP_STATUS_CAPTURE = 40,
  // The system refused a thread, memory or a file.
  SERVICEMAP_STATUS_SYSTEM = 41,
  // This build cannot do it.
  SERVICEMAP_STATUS_UNSUPPORTED = 50,
  // The function panicked: a bug of Servicemap. The observer is poisoned from then on.
  SERVICEMAP_STATUS_PANIC = 60,
  // A function panicked inside this observer before; it can only be destroyed.
  SERVICEMAP_STATUS_POISONED = 61,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum servicemap_status servicemap_status;
#else
typedef int32_t servicemap_status;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

// What a batch is made of. Each kind has a cursor of its own.
enum servicemap_kind
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : int32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
  // OTLP: an `ExportLogsServiceRequest` of events as log records; the first batch tells the whole map.
  SERVICEMAP_KIND_LOGS = 1,
  // OTLP: an `ExportMetricsServiceRequest`, one each `collection_interval`, cumulative.
  SERVICEMAP_KIND_METRICS = 2,
  // Typed events, read in place by the functions of `servicemap_events.h`.
  SERVICEMAP_KIND_EVENTS = 3,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum servicemap_kind servicemap_kind;
#else
typedef int32_t servicemap_kind;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

// What an observer is doing.
enum servicemap_state
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : int32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
  // Created, not started.
  SERVICEMAP_STATE_CREATED = 1,
  // Started and observing.
  SERVICEMAP_STATE_RUNNING = 2,
  // Shut down; what is left can be read.
  SERVICEMAP_STATE_SHUT_DOWN = 3,
  // A function panicked inside it; it can only be destroyed.
  SERVICEMAP_STATE_POISONED = 4,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum servicemap_state servicemap_state;
#else
typedef int32_t servicemap_state;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

// How the host fared with a batch.
enum servicemap_ack
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : int32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
  // It is delivered.
  SERVICEMAP_ACK_OK = 0,
  // Give it again after a while; later batches wait.
  SERVICEMAP_ACK_RETRY = 1,
  // It will never be taken: drop it and go on. It is counted as rejected.
  SERVICEMAP_ACK_NEVER = 2,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum servicemap_ack servicemap_ack;
#else
typedef int32_t servicemap_ack;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

// A batch. It belongs to the caller until `servicemap_batch_free` and stays valid when its observer is destroyed.
// All its functions may be called by any one thread at a time; none blocks; NULL is an empty batch.
typedef struct servicemap_batch servicemap_batch;

// What went wrong, in words. Owned by the caller until `servicemap_error_free`; reading it is safe from any thread.
typedef struct servicemap_error servicemap_error;

// An observer: sources, map and threads. Several may live in one process. Its functions may be called from any thread
// at the same time, except where they say otherwise.
typedef struct servicemap_observer servicemap_observer;

// Borrowed bytes; text is UTF-8 without a NUL at its end. Valid as long as what lent it; `ptr` is NULL when `len` is 0.
typedef struct {
  // The first byte.
  const uint8_t *ptr;
  // How many bytes.
  size_t len;
} servicemap_slice;

// Bytes that the caller owns: give them back with `servicemap_bytes_free`.
typedef struct {
  // The first byte.
  uint8_t *ptr;
  // How many bytes.
  size_t len;
} servicemap_bytes;

// What `servicemap_observer_status` tells. May grow: set `size` to sizeof this struct and the rest to zero.
typedef struct {
  // Size of this struct in bytes, as the caller knows it.
  size_t size;
  // A `servicemap_state`.
  int32_t state;
  // 1 once the map holds everything that existed at the start, else 0.
  int32_t ready;
  // Why it is poisoned, lent until it is destroyed; empty otherwise.
  servicemap_slice message;
} servicemap_observer_status_t;

#ifdef __cplusplus
extern "C" {
#endif // __cplusplus

// Version of the library, for example "0.1.0": NUL-terminated, static, never freed.
// Any thread; does not block; cannot fail.
const char *servicemap_version(void);

// The `SERVICEMAP_ABI_VERSION` that the library was built with.
// Any thread; does not block; cannot fail.
uint32_t servicemap_abi_version(void);

// The batch's `servicemap_kind`; 0 for NULL.
//
// # Safety
// `batch` is NULL or a batch that was not freed.
int32_t servicemap_batch_kind(const servicemap_batch *batch);

// Sequence number of the first event that the batch covers. Numbers belong to the observer's log and begin at 1;
// events that a consumer does not get leave no hole. 0 for metrics.
//
// # Safety
// `batch` is NULL or a batch that was not freed.
uint64_t servicemap_batch_first(const servicemap_batch *batch);

// Sequence number after the last event that the batch covers: where the next batch begins. 0 for metrics.
//
// # Safety
// `batch` is NULL or a batch that was not freed.
uint64_t servicemap_batch_next(const servicemap_batch *batch);

// How many events before `first` this consumer has lost because it was slower than the log is long. A batch that says
// so carries a snapshot of the map, so that the consumer is up to date again.
//
// # Safety
// `batch` is NULL or a batch that was not freed.
uint64_t servicemap_batch_lost(const servicemap_batch *batch);

// Log records, data points or events in the batch.
//
// # Safety
// `batch` is NULL or a batch that was not freed.
size_t servicemap_batch_items(const servicemap_batch *batch);

// The OTLP request as protobuf, exactly what Servicemap's own exporter would send. Lent until the batch is freed.
// Empty for typed events.
//
// # Safety
// `batch` is NULL or a batch that was not freed.
servicemap_slice servicemap_batch_otlp(const servicemap_batch *batch);

// Frees a batch, whether it was acknowledged or not. NULL does nothing. Slices that it lent are gone.
//
// # Safety
// `batch` is NULL or a batch that was not freed; it is gone afterwards.
void servicemap_batch_free(servicemap_batch *batch);

// The status that the failed function returned; OK for NULL.
//
// Threads: any. Does not block.
//
// # Safety
// `error` is NULL or an error that was not freed.
servicemap_status servicemap_error_status(const servicemap_error *error);

// One sentence that names the thing and the value; empty for NULL. Lent until the error is freed.
//
// Threads: any. Does not block.
//
// # Safety
// `error` is NULL or an error that was not freed.
servicemap_slice servicemap_error_message(const servicemap_error *error);

// What to do about it; empty for NULL. Static.
//
// Threads: any. Does not block.
//
// # Safety
// `error` is NULL or an error that was not freed.
servicemap_slice servicemap_error_mend(const servicemap_error *error);

// Frees an error. NULL does nothing.
//
// Threads: any, once. Does not block.
//
// # Safety
// `error` is NULL or an error that was not freed; it is gone afterwards.
void servicemap_error_free(servicemap_error *error);

// Frees bytes and sets the caller's struct to zero, so that a second call does nothing. NULL does nothing.
//
// Threads: any, one at a time. Does not block. Answers OK.
//
// # Safety
// `bytes` is NULL, all zero, or as a function of this library filled it.
servicemap_status servicemap_bytes_free(servicemap_bytes *bytes);

// Makes an observer from a JSON object of settings; nothing happens before `servicemap_observer_start`.
//
// `config`: UTF-8, `config_len` bytes; NULL with length 0 takes the defaults. Keys, defaults and units are those of the
// receiver `servicemap` (durations are strings such as "30s"), and `initial`: what `next` gives of typed events for
// what exists already: "events" (the default: the same events as for new things, marked initial), "snapshot" or
// "nothing".
//
// Ownership: `*out` belongs to the caller until `servicemap_observer_destroy`. Threads: any. Does not block.
// Errors: NULL_POINTER, INVALID_ARGUMENT, INVALID_CONFIG (the message names the key and the nearest known one), SYSTEM.
//
// # Safety
// `config` is readable for `config_len` bytes, `out` is writable, `error` is NULL or writable.
servicemap_status servicemap_observer_create(const uint8_t *config,
                                             size_t config_len,
                                             servicemap_observer **out,
                                             servicemap_error **error);

// Loads and attaches the kernel side and begins to observe, on threads of the observer's own: they are named
// `servicemap-…`, block signals, and never call into the host. An observer starts once.
//
// Threads: any. Blocks for as long as the kernel checks the programs: tens of milliseconds, seconds on a busy machine.
// Errors: CAPTURE (the message says what is missing and how to give it), SYSTEM, INVALID_STATE, FORKED, POISONED.
//
// # Safety
// `observer` is NULL or an observer that was not destroyed, `error` is NULL or writable.
servicemap_status servicemap_observer_start(const servicemap_observer *observer, servicemap_error **error);

// What the observer is doing. Also answers for a poisoned observer.
//
// Ownership: `out->message` is lent until the observer is destroyed. Threads: any. Does not block.
// Errors: NULL_POINTER, STRUCT_SIZE, FORKED.
//
// # Safety
// `observer` is NULL or an observer that was not destroyed; `out` is writable for `out->size` bytes.
servicemap_status servicemap_observer_status(const servicemap_observer *observer,
                                             servicemap_observer_status_t *out,
                                             servicemap_error **error);

// Servicemap's own figures as a JSON object: facts, events, what the kernel side counted and lost, and per kind the
// batches, items, losses, retries and rejections of `next`.
//
// Ownership: free `*out` with `servicemap_bytes_free`. Threads: any. Blocks at most while the map takes in one batch of
// facts. Errors: NULL_POINTER, INVALID_STATE (not started), FORKED, POISONED.
//
// # Safety
// `observer` is NULL or an observer that was not destroyed, `out` is writable, `error` is NULL or writable.
servicemap_status servicemap_observer_statistics(const servicemap_observer *observer,
                                                 servicemap_bytes *out,
                                                 servicemap_error **error);

// The whole map now, as the JSON of `servicemap map -o json`.
//
// Ownership: free `*out` with `servicemap_bytes_free`. Threads: any. Blocks at most while the map takes in one batch of
// facts. Errors: NULL_POINTER, INVALID_STATE (not started), FORKED, POISONED.
//
// # Safety
// `observer` is NULL or an observer that was not destroyed, `out` is writable, `error` is NULL or writable.
servicemap_status servicemap_observer_snapshot(const servicemap_observer *observer,
                                               servicemap_bytes *out,
                                               servicemap_error **error);

// The next batch of a kind. Each kind has a cursor of its own, which begins with the first call after the map is
// complete: logs with the whole map, typed events as `initial` says, metrics with one reading each `collection_interval`.
//
// `kind`: a `servicemap_kind`. `max_items`: at most so many events (at least 1); a batch that carries a snapshot is
// larger, and metrics are never cut. `timeout_ms`: how long to wait; 0 looks only. A call without an acknowledgement of
// the batch before says that that one was delivered.
//
// Answers: OK with `*out`; TIMEOUT; WOKEN (a wake is answered once by each kind's cursor, also when it came before the
// call; it may be answered twice, never less); ENDED after a shutdown when everything was read.
// Ownership: `*out` belongs to the caller until `servicemap_batch_free`. Threads: any; one cursor is used by one thread
// at a time, a second one gets BUSY. Blocks at most `timeout_ms`.
// Errors: NULL_POINTER, INVALID_ARGUMENT, INVALID_STATE (not started), BUSY, UNSUPPORTED, FORKED, POISONED.
//
// # Safety
// `observer` is NULL or an observer that was not destroyed, `out` is writable, `error` is NULL or writable.
servicemap_status servicemap_observer_next(const servicemap_observer *observer,
                                           int32_t kind,
                                           uint32_t max_items,
                                           uint32_t timeout_ms,
                                           servicemap_batch **out,
                                           servicemap_error **error);

// Says how the latest batch of its kind has fared.
//
// `ack`: a `servicemap_ack`: OK; RETRY, and the next `next` of that kind gives the same batch again (the same bytes, to be
// freed on its own), not before `retry_after_ms` have passed, with later ones waiting behind it, and after a shutdown
// without delay; NEVER. The batch still has to be freed.
//
// Threads: any, but not while `next` of that kind runs: BUSY. Does not block.
// Errors: NULL_POINTER, INVALID_ARGUMENT, NOT_OUTSTANDING (not the latest batch of its kind, acknowledged before, or
// of another observer), BUSY, FORKED, POISONED.
//
// # Safety
// `observer` is NULL or an observer that was not destroyed, `batch` is NULL or was not freed, `error` is NULL or
// writable.
servicemap_status servicemap_observer_ack(const servicemap_observer *observer,
                                          const servicemap_batch *batch,
                                          int32_t ack,
                                          uint32_t retry_after_ms,
                                          servicemap_error **error);

// Makes a waiting `next` of every kind return WOKEN now; where none waits, the next one does.
//
// Threads: any. Does not block. Errors: NULL_POINTER, FORKED, POISONED.
//
// # Safety
// `observer` is NULL or an observer that was not destroyed.
servicemap_status servicemap_observer_wake(const servicemap_observer *observer);

// Stops observing: the kernel's last counts are taken in, `next` gives what is left and then ENDED.
//
// Threads: any. Blocks until the observer's threads have ended, at most `deadline_ms`.
// May be called more than once. Errors: STILL_RUNNING (the deadline passed), PANIC, FORKED, POISONED.
//
// # Safety
// `observer` is NULL or an observer that was not destroyed, `error` is NULL or writable.
servicemap_status servicemap_observer_shutdown(const servicemap_observer *observer,
                                               uint32_t deadline_ms,
                                               servicemap_error **error);

// Frees an observer and sets the caller's pointer to NULL, so that a second call does nothing. One that still runs is
// shut down first. Batches stay valid. In the child of a `fork` the memory is left alone, and the answer is FORKED.
//
// Threads: any; no other call on this observer may be running or begin. Blocks until the observer's threads have ended,
// at most 5 s. NULL, and a pointer to NULL, do nothing. Errors: FORKED, PANIC.
//
// # Safety
// `observer` is NULL or points to NULL or to an observer that was not destroyed.
servicemap_status servicemap_observer_destroy(servicemap_observer **observer);

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

#endif  /* SERVICEMAP_H */
