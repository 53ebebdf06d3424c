// Package tapio makes Servicemap's observer one of tapio's: it has the methods of tapio's observer interface, and its
// events are tapio's [domain.CollectorEvent]s, so that tapio's registry can hold it as its `services` observer.
//
//	observer, err := tapio.NewObserver("services", tapio.DefaultConfig())
//	...
//	if err := observer.Start(ctx); err != nil { ... }
//	for event := range observer.Events() { ... }
//
// Each event keeps tapio's rules of validation, and carries the whole of Servicemap's own event as JSON in its RawData.
// What maps to what is a table in this module's README, beside the file that registers the observer in tapio's tree.
//
// Of tapio only pkg/domain is imported. Without cgo, or on another platform than Linux on amd64 or arm64, the package
// compiles and [NewObserver] returns an error that says what to do.
package tapio
