// Package domain holds what Servicemap talks about: services, connections and the events that tell of their changes.
// It is plain data: it imports nothing of ours, needs no cgo and compiles everywhere.
//
// Values that an observer hands out are not changed by it afterwards; services and connections may be shared between
// events, so treat them as read-only.
package domain
