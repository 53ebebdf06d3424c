// Package services observes which services of this machine talk to which, and tells what changes.
//
// An [Observer] counts TCP connections in the kernel (eBPF), names both ends, and sends one typed [domain.Event] for
// each change that is worth telling:
//
//	observer, err := services.NewObserver("services", services.DefaultConfig())
//	...
//	if err := observer.Start(ctx); err != nil { ... }
//	for event := range observer.Events() { ... }
//
// The work is done by Servicemap's Rust core, which is linked in through cgo. Without cgo, or on another platform than
// Linux on amd64 or arm64, the package compiles all the same and [NewObserver] returns an error that says what to do.
//
// Observing needs root, or the capabilities CAP_BPF and CAP_PERFMON.
package services
