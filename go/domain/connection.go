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
	Source *Service `json:"source"`
	// Destination is who accepts.
	Destination *Service `json:"destination"`
	// Protocol is "tcp".
	Protocol string `json:"protocol"`
	// Port is the one that the destination offers, 1 to 65535; 0 stands for a scan of many that nobody offers.
	Port int `json:"port"`
	// FirstSeen and LastSeen bound the time in which the edge was seen (UTC).
	FirstSeen time.Time `json:"first_seen"`
	LastSeen  time.Time `json:"last_seen"`
	// RequestCount is how many TCP connections became established, those open before the start included.
	RequestCount int64 `json:"opened"`

	// Preexisting is how many of RequestCount were open before the observer started.
	Preexisting int64 `json:"preexisting"`
	// Active is how many are open now.
	Active int64 `json:"active"`
	// Failed attempts and connections, by reason.
	Failed Failures `json:"failed"`
	// BytesSent went from source to destination, BytesReceived came back: the kernel's figures, at most a refresh
	// interval old for open connections.
	BytesSent     int64 `json:"bytes_sent"`
	BytesReceived int64 `json:"bytes_received"`
	// Retransmits are segments that the counted side sent again.
	Retransmits int64 `json:"retransmits"`
	// RTT is the smoothed round-trip time, the latest mean; zero when it is not known.
	RTT time.Duration `json:"-"`
}

// Key is `ns/a->ns/b:port/tcp`, as the maps of [ServiceMap] have it; a scan's port is `~scan`.
func (c *Connection) Key() string {
	port := "~scan"
	if c.Port != 0 {
		port = strconv.Itoa(c.Port)
	}
	return c.Source.Key() + "->" + c.Destination.Key() + ":" + port + "/" + c.Protocol
}

// Failures counts failed attempts and connections by reason.
type Failures struct {
	Refused     int64 `json:"refused,omitempty"`     // nobody listens (ECONNREFUSED)
	Timeout     int64 `json:"timeout,omitempty"`     // no answer (ETIMEDOUT)
	Unreachable int64 `json:"unreachable,omitempty"` // no way there (EHOSTUNREACH, ENETUNREACH)
	Reset       int64 `json:"reset,omitempty"`       // cut off by the other side (ECONNRESET), also when it was established
	Other       int64 `json:"other,omitempty"`       // any other error
}

// Total is the sum over all reasons.
func (f Failures) Total() int64 {
	return f.Refused + f.Timeout + f.Unreachable + f.Reset + f.Other
}

// Dependency says that one service needs another, whatever the port.
type Dependency struct {
	// Source needs Destination.
	Source      *Service `json:"source"`
	Destination *Service `json:"destination"`
	// Protocol and Port are those at which it was first seen.
	Protocol string `json:"protocol"`
	Port     int    `json:"port"`
	// CrossNamespace says that both have a namespace and the two differ.
	CrossNamespace bool `json:"cross_namespace"`
	// CrossEnvironment says that both are in environments and the two differ.
	CrossEnvironment bool `json:"cross_environment"`
	// SourceEnvironment and DestinationEnvironment are those of the two ends; empty where one is in none.
	SourceEnvironment      string `json:"source_environment,omitempty"`
	DestinationEnvironment string `json:"destination_environment,omitempty"`
}
