package domain

import (
	"strconv"
	"time"
)

// ProtocolTCP is the only protocol so far.
const ProtocolTCP = "tcp"

// Connection is an edge of the map: the sum of all flows from one service to one port of another. The source is always
// the TCP initiator.
type Connection struct {
	// Source is who connects. Its name, namespace and type are set; ask the [ServiceMap] for the rest.
	Source *Service
	// Destination is who accepts.
	Destination *Service
	// Protocol is "tcp".
	Protocol string
	// Port is the one that the destination offers, 1 to 65535.
	Port int
	// FirstSeen and LastSeen bound the time in which the edge was seen (UTC).
	FirstSeen time.Time
	LastSeen  time.Time
	// RequestCount is how many TCP connections became established, those open before the start included.
	RequestCount int64

	// Preexisting is how many of RequestCount were open before the observer started.
	Preexisting int64
	// Active is how many are open now.
	Active int64
	// Failed attempts and connections, by reason.
	Failed Failures
	// BytesSent went from source to destination, BytesReceived came back: the kernel's figures, at most a refresh
	// interval old for open connections.
	BytesSent     int64
	BytesReceived int64
	// Retransmits are segments that the counted side sent again.
	Retransmits int64
	// RTT is the smoothed round-trip time, the latest mean; zero when it is not known.
	RTT time.Duration
}

// Key is `ns/a->ns/b:port/tcp`, as the maps of [ServiceMap] have it.
func (c *Connection) Key() string {
	return c.Source.Key() + "->" + c.Destination.Key() + ":" + strconv.Itoa(c.Port) + "/" + c.Protocol
}

// Failures counts failed attempts and connections by reason.
type Failures struct {
	Refused     int64 // nobody listens (ECONNREFUSED)
	Timeout     int64 // no answer (ETIMEDOUT)
	Unreachable int64 // no way there (EHOSTUNREACH, ENETUNREACH)
	Reset       int64 // cut off by the other side (ECONNRESET), also when it was established
	Other       int64 // any other error
}

// Total is the sum over all reasons.
func (f Failures) Total() int64 {
	return f.Refused + f.Timeout + f.Unreachable + f.Reset + f.Other
}

// Dependency says that one service needs another, whatever the port.
type Dependency struct {
	// Source needs Destination.
	Source      *Service
	Destination *Service
	// Protocol and Port are those at which it was first seen.
	Protocol string
	Port     int
	// CrossNamespace says that both have a namespace and the two differ.
	CrossNamespace bool
}
