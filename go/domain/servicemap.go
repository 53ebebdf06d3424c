package domain

import "slices"

// ServiceMap is the whole map at one instant.
type ServiceMap struct {
	// Services by [Service.Key]. Where two kinds of service share a key, the first of Kubernetes Service, workload,
	// process, node has it and the others are kept under `kind:namespace/name`.
	Services map[string]*Service
	// Connections by [Connection.Key]; their Source and Destination are the values in Services.
	Connections map[string]*Connection
	// Topology is the dependency graph.
	Topology *TopologyGraph

	// TotalServices and TotalConnections count what is above.
	TotalServices    int
	TotalConnections int
	// CrossNamespace counts connections whose ends have different, non-empty namespaces.
	CrossNamespace int
	// CrossEnvironment counts connections whose ends are in different environments.
	CrossEnvironment int
	// ExternalServices counts services outside.
	ExternalServices int
}

// TopologyGraph is the graph of dependencies, and what follows from it.
type TopologyGraph struct {
	// Dependencies lists for each service that has any, by key, the keys of the services that it needs, sorted.
	Dependencies map[string][]string
	// Cycles are the groups of services that need each other in a circle, by id (`kind:namespace/name`), sorted.
	Cycles [][]string
	// Orphans are services that nobody connects to though they connect to others, by id, sorted; external ones and
	// those that are exposed to the outside excepted.
	Orphans []string
	// DisallowedConnections are those that no network policy allows, sorted by their keys.
	DisallowedConnections []DisallowedConnection
	// UnrestrictedServices are those with pods to which anybody may connect as far as network policies go, by id, sorted.
	// Empty as long as the cluster has no policy at all.
	UnrestrictedServices []string
}

// DisallowedConnection is one that no network policy allows. It may be seen nevertheless: attempts fail, a policy came
// later than the connection, or the network does not enforce policies.
type DisallowedConnection struct {
	// Connection is its [Connection.Key].
	Connection string `json:"connection"`
	// DeniedBy is "egress" (the policies of the source's pods), "ingress" (those of the destination's), or both.
	DeniedBy []string `json:"denied_by"`
}

// NewTopologyGraph is the graph of these connections, without cycles and orphans.
func NewTopologyGraph(connections map[string]*Connection) *TopologyGraph {
	graph := &TopologyGraph{Dependencies: make(map[string][]string)}
	for _, c := range connections {
		from := c.Source.Key()
		graph.Dependencies[from] = append(graph.Dependencies[from], c.Destination.Key())
	}
	for from, to := range graph.Dependencies {
		slices.Sort(to)
		graph.Dependencies[from] = slices.Compact(to)
	}
	return graph
}
