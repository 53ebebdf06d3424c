package tapio

import (
	"slices"
	"strconv"

	tapiodomain "github.com/yairfalse/tapio/pkg/domain"

	"github.com/servicemap/servicemap/go/domain"
	"github.com/servicemap/servicemap/go/services"
)

// topology tells that the graph changed, with the whole map where that is not too large. It gives the event's JSON, to
// which the map's own was added.
func (c *converter) topology(out *tapiodomain.CollectorEvent, e *domain.Event, raw []byte) []byte {
	t := e.TopologyData
	out.Metadata.Labels["service_count"] = strconv.Itoa(t.ServiceCount)
	out.Metadata.Labels["connection_count"] = strconv.Itoa(t.ConnectionCount)
	if c.maxMapEntries == 0 {
		return raw
	}
	document, whole := c.wholeMap(t)
	if whole == nil {
		c.figures.mapLeftOut()
		return raw
	}
	out.Metadata.Labels["snapshot"] = "full"
	fillMap(out.EventData.ServiceMap, whole)
	return withSnapshot(raw, document)
}

// wholeMap is the map as JSON and read, or nothing where it has more than maxMapEntries or the observation has ended.
func (c *converter) wholeMap(t *domain.TopologyChange) ([]byte, *domain.ServiceMap) {
	if t.ServiceCount+t.ConnectionCount > c.maxMapEntries {
		return nil, nil
	}
	document, err := c.snapshot()
	if err != nil {
		return nil, nil
	}
	whole, err := services.ParseServiceMap(document)
	if err != nil {
		c.figures.failed(err)
		return nil, nil
	}
	// The map is that of now, which may have grown since the event.
	if len(whole.Services)+len(whole.Connections) > c.maxMapEntries {
		return nil, nil
	}
	return document, whole
}

// withSnapshot adds a property to a JSON object that has others. Put together as text, since both parts are JSON already
// and the map may be large.
func withSnapshot(object, document []byte) []byte {
	const property = `,"snapshot":`
	joined := make([]byte, 0, len(object)+len(property)+len(document))
	joined = append(joined, object[:len(object)-1]...)
	joined = append(joined, property...)
	joined = append(joined, document...)
	return append(joined, '}')
}

func emptyMap(e *domain.Event) *tapiodomain.ServiceMapData {
	return &tapiodomain.ServiceMapData{
		Services:    map[string]tapiodomain.ServiceMapInfo{},
		Connections: map[string]tapiodomain.ConnectionInfo{},
		ClusterName: e.Cluster,
		LastUpdated: happened(e),
	}
}

// fillMap puts all of a map into tapio's form of one, under the map's own keys.
func fillMap(out *tapiodomain.ServiceMapData, whole *domain.ServiceMap) {
	dependents, attempts, failures := map[string][]string{}, map[string]int64{}, map[string]int64{}
	for from, needed := range whole.Topology.Dependencies {
		for _, key := range needed {
			dependents[key] = append(dependents[key], from)
		}
	}
	for key, c := range whole.Connections {
		out.Connections[key] = connectionInfo(c)
		failures[c.Destination.Key()] += c.Failed.Total()
		attempts[c.Destination.Key()] += c.RequestCount + c.Failed.Total()
	}
	for key, s := range whole.Services {
		info := serviceInfo(s)
		info.Dependencies = append(info.Dependencies, whole.Topology.Dependencies[s.Key()]...)
		info.Dependents = slices.Sorted(slices.Values(dependents[s.Key()]))
		info.ErrorRate = share(failures[s.Key()], attempts[s.Key()])
		out.Services[key] = info
	}
}
