package tapio

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"

	tapiodomain "github.com/yairfalse/tapio/pkg/domain"

	"github.com/servicemap/servicemap/go/domain"
	"github.com/servicemap/servicemap/go/tapio/internal/tapiohost"
)

const observerName = "services"

// smallMap is a map of shop/db and jobs/worker, as the core writes it.
const smallMap = `{"version":1,"at":"2026-09-21T12:00:01.000000000Z","sequence":43,
	"observer":{"version":"1.0.0","host":"host-a","cluster":"blue","run_id":"` + runID + `","started_at":"2026-09-21T11:00:00.000000000Z"},
	"services":[
		{"id":"service:shop/db","namespace":"shop","name":"db","type":"ClusterIP","labels":{"version":"17"},
			"endpoints":[{"address":"10.1.0.4","port":5432,"ready":true}],"health":{"status":"unhealthy","reasons":[]}},
		{"id":"workload:jobs/worker","namespace":"jobs","name":"worker","type":"Workload","health":{"status":"unknown","reasons":[]}}],
	"connections":[{"source":{"namespace":"jobs","name":"worker","type":"Workload"},
		"destination":{"namespace":"shop","name":"db","type":"ClusterIP"},"protocol":"tcp","port":5432,
		"opened":6,"failed":{"refused":2},"bytes_sent":1000,"bytes_received":5000,"rtt_us":250}],
	"topology":{"cycles":[],"orphans":[]},"totals":{},"gaps":[]}`

func newConverter() *converter {
	return &converter{
		name: observerName, version: "1.0.0", maxMapEntries: 100, figures: newFigures(observerName),
		snapshot: func() ([]byte, error) { return []byte(smallMap), nil },
	}
}

func converted(t *testing.T, e *domain.Event) *tapiodomain.CollectorEvent {
	t.Helper()
	out, err := newConverter().convert(e)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func title(e *domain.Event) string {
	s := e.ServiceData
	if e.ConnectionData != nil {
		s = e.ConnectionData.Source
	}
	if s == nil {
		return string(e.Type)
	}
	return fmt.Sprintf("%s of a %s", e.Type, s.Type)
}

func TestEveryEventPassesBothValidators(t *testing.T) {
	for _, e := range everyEvent() {
		if err := tapiohost.Check(converted(t, e), observerName); err != nil {
			t.Errorf("%s: %v", title(e), err)
		}
	}
}

func TestEveryEventIsReadBackFromItsJSON(t *testing.T) {
	for _, e := range everyEvent() {
		out := converted(t, e)
		text, err := json.Marshal(out)
		if err != nil {
			t.Fatal(err)
		}
		var back tapiodomain.CollectorEvent
		if err := json.Unmarshal(text, &back); err != nil {
			t.Fatal(err)
		}
		// Written alike: an empty map and none are the same to tapio.
		again, err := json.Marshal(&back)
		if err != nil || string(again) != string(text) {
			t.Errorf("%s is read back as\n%s, was\n%s (%v)", title(e), again, text, err)
		}
	}
}

func TestRawDataIsTheWholeEvent(t *testing.T) {
	for _, e := range everyEvent() {
		want, err := json.Marshal(e)
		if err != nil {
			t.Fatal(err)
		}
		raw := converted(t, e).EventData.RawData
		if raw.Format != "json" || raw.ContentType != contentType || raw.Size != int64(len(raw.Data)) {
			t.Errorf("%s: raw data is %s, %s, %d of %d bytes", title(e), raw.Format, raw.ContentType, raw.Size, len(raw.Data))
		}
		got, whole := object(t, raw.Data), object(t, want)
		delete(got, "snapshot")
		if !reflect.DeepEqual(got, whole) {
			t.Errorf("%s: raw data is\n%v, want\n%v", title(e), got, whole)
		}
	}
}

func object(t *testing.T, text []byte) map[string]any {
	t.Helper()
	var o map[string]any
	if err := json.Unmarshal(text, &o); err != nil {
		t.Fatalf("%v in %s", err, text)
	}
	return o
}

func TestEventsShareNothingWithWhatTheyWereMadeOf(t *testing.T) {
	for _, e := range everyEvent() {
		before, _ := json.Marshal(e)
		out := converted(t, e)
		for _, m := range []map[string]string{out.Metadata.Labels, out.Metadata.Attributes} {
			m["written by"] = "tapio"
		}
		if k := out.K8sContext; k != nil && k.Labels != nil {
			k.Labels["written by"] = "tapio"
		}
		if r := out.EventData.KubernetesResource; r != nil {
			if r.Labels != nil {
				r.Labels["written by"] = "tapio"
			}
			if len(r.Conditions) > 0 {
				r.Conditions[0] = "written by tapio"
			}
		}
		if m := out.EventData.ServiceMap; m != nil {
			for _, s := range m.Services {
				if s.Labels != nil {
					s.Labels["written by"] = "tapio"
				}
			}
		}
		if after, _ := json.Marshal(e); string(after) != string(before) {
			t.Errorf("%s became\n%s, was\n%s", title(e), after, before)
		}
	}
}

func TestTypesAndSeveritiesAreThoseOfTheTable(t *testing.T) {
	const (
		serviceMap = tapiodomain.EventTypeServiceMap
		network    = tapiodomain.EventTypeNetworkConnection
		k8s        = tapiodomain.EventTypeK8sService
		info       = tapiodomain.EventSeverityInfo
		warning    = tapiodomain.EventSeverityWarning
	)
	const healthy, degraded, unhealthy = domain.HealthStatusHealthy, domain.HealthStatusDegraded, domain.HealthStatusUnhealthy
	failed := connectionEvent(domain.EventTypeConnectionFailed, worker(), database())
	failed.Severity = domain.SeverityWarn
	established := connectionEvent(domain.EventTypeConnectionEstablished, worker(), database())
	established.Severity = domain.SeverityDebug
	for _, c := range []struct {
		event    *domain.Event
		kind     tapiodomain.CollectorEventType
		severity tapiodomain.EventSeverity
	}{
		{serviceEvent(domain.EventTypeServiceDiscovered, database()), k8s, info},
		{serviceEvent(domain.EventTypeServiceDiscovered, worker()), serviceMap, info},
		{serviceEvent(domain.EventTypeServiceDiscovered, program()), serviceMap, info},
		{serviceEvent(domain.EventTypeServiceRemoved, database()), k8s, warning},
		{serviceEvent(domain.EventTypeServiceRemoved, program()), serviceMap, info},
		{established, network, info},
		{failed, network, warning},
		{connectionEvent(domain.EventTypeConnectionExpired, worker(), outside()), network, info},
		{dependencyEvent(domain.EventTypeDependencyDetected, worker(), database()), serviceMap, tapiodomain.EventSeverityMedium},
		{dependencyEvent(domain.EventTypeDependencyDetected, database(), database()), serviceMap, info},
		{dependencyEvent(domain.EventTypeDependencyRemoved, worker(), database()), serviceMap, info},
		{healthEvent(database(), healthy, unhealthy), k8s, tapiodomain.EventSeverityHigh},
		{healthEvent(database(), healthy, degraded), k8s, warning},
		{healthEvent(program(), unhealthy, healthy), serviceMap, info},
		{topologyEvent(2, 1), serviceMap, info},
		{gapEvent("flow_map_full", 5, false), serviceMap, warning},
	} {
		out := converted(t, c.event)
		if out.Type != c.kind || out.Severity != c.severity {
			t.Errorf("%s is %s/%s, want %s/%s", title(c.event), out.Type, out.Severity, c.kind, c.severity)
		}
		if got := out.Metadata.Labels["change_type"]; got != string(c.event.Type) {
			t.Errorf("%s has change_type %q", title(c.event), got)
		}
	}
}

func TestKubernetesServiceIsAResourceAndAServiceOfTheMap(t *testing.T) {
	out := converted(t, serviceEvent(domain.EventTypeServiceRemoved, database()))
	r := out.EventData.KubernetesResource
	if r.Kind != "Service" || r.APIVersion != "v1" || r.Name != "db" || r.Namespace != "shop" || r.Operation != "delete" ||
		r.DeletionTimestamp == nil || !r.DeletionTimestamp.Equal(noon) {
		t.Errorf("the resource is %+v", r)
	}
	want := tapiodomain.ServiceMapInfo{
		Name: "db", Namespace: "shop", Type: "unknown", Version: "17.2", Health: "healthy", Endpoints: 2,
		Labels: map[string]string{"app.kubernetes.io/version": "17.2"}, Dependencies: []string{},
	}
	if got := out.EventData.ServiceMap.Services["shop/db"]; !reflect.DeepEqual(got, want) {
		t.Errorf("the service is %+v, want %+v", got, want)
	}
	if k := out.K8sContext; k.Kind != "Service" || k.ClusterName != "blue" || out.Metadata.PodNamespace != "shop" {
		t.Errorf("the context is %+v, the namespace %q", k, out.Metadata.PodNamespace)
	}
}

func TestServiceOfAMachineIsNoKubernetesObject(t *testing.T) {
	out := converted(t, serviceEvent(domain.EventTypeServiceDiscovered, program()))
	if out.EventData.KubernetesResource != nil || out.K8sContext != nil || out.Metadata.PodNamespace != "" {
		t.Errorf("%+v, %+v, %q", out.EventData.KubernetesResource, out.K8sContext, out.Metadata.PodNamespace)
	}
	if out.Metadata.NodeName != "host-a" || out.GetCorrelationKey() != "node:host-a" {
		t.Errorf("the node is %q, the key %q", out.Metadata.NodeName, out.GetCorrelationKey())
	}
}

func TestUnhealthyIsDownAndUrgent(t *testing.T) {
	out := converted(t, healthEvent(database(), domain.HealthStatusHealthy, domain.HealthStatusUnhealthy))
	r, labels := out.EventData.KubernetesResource, out.Metadata.Labels
	if r.Operation != "update" || r.Phase != "down" || r.Reason != "HealthChanged" || r.Message != "healthy -> down" ||
		!reflect.DeepEqual(r.Conditions, []string{"connections_fail"}) {
		t.Errorf("the resource is %+v", r)
	}
	if labels["from_status"] != "healthy" || labels["to_status"] != "down" || out.Metadata.Priority != tapiodomain.PriorityHigh {
		t.Errorf("labels are %v, the priority %s", labels, out.Metadata.Priority)
	}
	if got := out.EventData.ServiceMap.Services["shop/db"].Health; got != "down" {
		t.Errorf("the map says %q", got)
	}
}

func TestConnectionHasBothEndsAndItsSums(t *testing.T) {
	out := converted(t, connectionEvent(domain.EventTypeConnectionEstablished, worker(), database()))
	want := tapiodomain.NetworkData{
		EventType: "connect", Protocol: "TCP", Direction: "outbound", DstPort: 5432,
		BytesSent: 1000, BytesRecv: 5000, Latency: edge(worker(), database()).RTT,
	}
	if got := *out.EventData.Network; got != want {
		t.Errorf("the data is %+v, want %+v", got, want)
	}
	for label, want := range map[string]string{
		"level": "1", "conn_type": "connect", "src_ns": "jobs", "src_svc": "worker", "dst_ns": "shop", "dst_svc": "db",
	} {
		if got := out.Metadata.Labels[label]; got != want {
			t.Errorf("label %s is %q, want %q", label, got, want)
		}
	}
	if h := out.CorrelationHints; h.FlowID != "jobs/worker->shop/db:5432" || h.ConnectionID != h.FlowID+"/tcp" ||
		!h.WindowStart.Equal(noon) {
		t.Errorf("the hints are %+v", h)
	}
}

func TestDependencyIsOneEdgeOfTheMapWithItsFlowType(t *testing.T) {
	for _, c := range []struct {
		source, destination *domain.Service
		flow                string
	}{
		{worker(), database(), "inter-namespace"},
		{database(), database(), "intra-namespace"},
		{worker(), outside(), "egress"},
		{outside(), database(), "ingress"},
		{&domain.Service{Name: "node-1", Type: domain.ServiceTypeNode}, database(), "unknown"},
	} {
		out := converted(t, dependencyEvent(domain.EventTypeDependencyDetected, c.source, c.destination))
		if got := out.Metadata.Labels["flow_type"]; got != c.flow || out.EventData.Network.Direction != c.flow {
			t.Errorf("from a %s to a %s the flow is %q, want %q", c.source.Type, c.destination.Type, got, c.flow)
		}
	}
	out := converted(t, dependencyEvent(domain.EventTypeDependencyDetected, worker(), database()))
	want := tapiodomain.ConnectionInfo{
		Source: "jobs/worker", Target: "shop/db", Protocol: "TCP", Count: 6, BytesSent: 1000, BytesRecv: 5000,
		ErrorRate: 0.25, AvgLatency: 0.25,
	}
	if got := out.EventData.ServiceMap.Connections["jobs/worker->shop/db:5432/tcp"]; got != want {
		t.Errorf("the edge is %+v, want %+v", got, want)
	}
	if d := out.K8sContext.Dependencies; len(d) != 1 || d[0].Name != "db" || !d[0].Required {
		t.Errorf("the dependencies are %+v", d)
	}
}

func TestTopologyEventCarriesTheWholeMap(t *testing.T) {
	out := converted(t, topologyEvent(2, 1))
	m := out.EventData.ServiceMap
	want := tapiodomain.ServiceMapInfo{
		Name: "db", Namespace: "shop", Type: "unknown", Version: "17", Health: "down", Endpoints: 1,
		Labels: map[string]string{"version": "17"}, Dependencies: []string{}, Dependents: []string{"jobs/worker"}, ErrorRate: 0.25,
	}
	if got := m.Services["shop/db"]; !reflect.DeepEqual(got, want) {
		t.Errorf("the service is %+v, want %+v", got, want)
	}
	if got := m.Services["jobs/worker"].Dependencies; !reflect.DeepEqual(got, []string{"shop/db"}) {
		t.Errorf("the worker depends on %v", got)
	}
	if got := m.Connections["jobs/worker->shop/db:5432/tcp"]; got.Count != 6 || len(m.Connections) != 1 {
		t.Errorf("the edges are %+v", m.Connections)
	}
	if l := out.Metadata.Labels; l["snapshot"] != "full" || l["service_count"] != "2" || l["connection_count"] != "1" {
		t.Errorf("the labels are %v", l)
	}
	if m.ClusterName != "blue" || m.LastUpdated.IsZero() {
		t.Errorf("the map is of cluster %q, %v", m.ClusterName, m.LastUpdated)
	}
	if got := object(t, out.EventData.RawData.Data)["snapshot"]; !reflect.DeepEqual(got, any(object(t, []byte(smallMap)))) {
		t.Errorf("the raw data's map is %v", got)
	}
}

func TestMapThatIsTooLargeOrCannotBeReadIsLeftOutAndCounted(t *testing.T) {
	for why, adapt := range map[string]func(*converter, *domain.Event){
		"too large by the event": func(_ *converter, e *domain.Event) { e.TopologyData.ConnectionCount = 101 },
		"too large by now":       func(c *converter, e *domain.Event) { c.maxMapEntries, e.TopologyData.ConnectionCount = 2, 0 },
		"the observation ended": func(c *converter, _ *domain.Event) {
			c.snapshot = func() ([]byte, error) { return nil, errors.New("ended") }
		},
		"a map of a later version": func(c *converter, _ *domain.Event) {
			c.snapshot = func() ([]byte, error) { return []byte(`{"version":2}`), nil }
		},
	} {
		c, e := newConverter(), topologyEvent(2, 1)
		adapt(c, e)
		out, err := c.convert(e)
		if err != nil {
			t.Fatal(err)
		}
		if out.Metadata.Labels["snapshot"] != "delta" || len(out.EventData.ServiceMap.Services) != 0 || c.figures.mapsLeftOut != 1 {
			t.Errorf("%s: labels %v, %d left out", why, out.Metadata.Labels, c.figures.mapsLeftOut)
		}
		if _, there := object(t, out.EventData.RawData.Data)["snapshot"]; there {
			t.Errorf("%s: the raw data has a map", why)
		}
		if err := tapiohost.Check(out, observerName); err != nil {
			t.Errorf("%s: %v", why, err)
		}
	}
}

func TestWithoutMapsNoneIsTaken(t *testing.T) {
	c := newConverter()
	c.maxMapEntries = 0
	c.snapshot = func() ([]byte, error) { t.Error("the map was taken"); return nil, errors.New("no") }
	if out, err := c.convert(topologyEvent(0, 0)); err != nil || out.Metadata.Labels["snapshot"] != "delta" || c.figures.mapsLeftOut != 0 {
		t.Errorf("%+v, %v, %d left out", out, err, c.figures.mapsLeftOut)
	}
}

func TestOnlyServiceMapEventsSayWhatPartOfTheMapTheyAre(t *testing.T) {
	for _, e := range everyEvent() {
		out := converted(t, e)
		_, says := out.Metadata.Labels["snapshot"]
		if ofMap := out.Type == tapiodomain.EventTypeServiceMap; says != ofMap || ofMap && out.EventData.ServiceMap == nil {
			t.Errorf("%s is a %s with labels %v", title(e), out.Type, out.Metadata.Labels)
		}
	}
}

func TestIDsAreTheEventsOwnOrNumberedInTheirRun(t *testing.T) {
	c := newConverter()
	id := func(e *domain.Event) string {
		out, err := c.convert(e)
		if err != nil {
			t.Fatal(err)
		}
		return out.EventID
	}
	logged := connectionEvent(domain.EventTypeConnectionEstablished, worker(), database())
	if a, b := id(logged), id(logged); a != "conn-"+logged.ID || a != b {
		t.Errorf("the ids of a replayed event are %q and %q", a, b)
	}
	initial := serviceEvent(domain.EventTypeServiceDiscovered, database())
	initial.ID = ""
	if a, b := id(initial), id(initial); a == b || !strings.HasPrefix(a, "service-"+runID+"-") {
		t.Errorf("the ids of initial events are %q and %q", a, b)
	}
}
