package domain

import (
	"encoding/json"
	"net/netip"
	"os"
	"reflect"
	"regexp"
	"testing"
	"time"
)

// filled is a value of a type with something other than zero everywhere.
func filled(t *testing.T, of reflect.Type) reflect.Value {
	t.Helper()
	v := reflect.New(of).Elem()
	switch v.Interface().(type) {
	case time.Time:
		return reflect.ValueOf(time.Date(2026, 9, 21, 14, 13, 20, 123_456_000, time.UTC))
	case time.Duration:
		return reflect.ValueOf(250 * time.Microsecond)
	case netip.Addr:
		return reflect.ValueOf(netip.MustParseAddr("192.0.2.7"))
	case Severity:
		return reflect.ValueOf(SeverityWarn)
	}
	switch of.Kind() {
	case reflect.String:
		v.SetString("a text")
	case reflect.Int, reflect.Int64:
		v.SetInt(4321)
	case reflect.Uint64:
		v.SetUint(4321)
	case reflect.Float64:
		v.SetFloat(0.25)
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Slice:
		v.Set(reflect.Append(v, filled(t, of.Elem())))
	case reflect.Map:
		v.Set(reflect.MakeMap(of))
		v.SetMapIndex(filled(t, of.Key()), filled(t, of.Elem()))
	case reflect.Pointer:
		v.Set(reflect.New(of.Elem()))
		v.Elem().Set(filled(t, of.Elem()))
	case reflect.Struct:
		for i := range of.NumField() {
			v.Field(i).Set(filled(t, of.Field(i).Type))
		}
	default:
		t.Fatalf("the test does not know how to fill a %v", of)
	}
	return v
}

func encode(t *testing.T, v any) string {
	t.Helper()
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func decode(t *testing.T, text string) map[string]any {
	t.Helper()
	var object map[string]any
	if err := json.Unmarshal([]byte(text), &object); err != nil {
		t.Fatal(err)
	}
	return object
}

// What all documents are made of; a type that is added to events belongs here.
var documented = []any{
	Event{}, Service{}, Exposure{}, Endpoint{}, Connection{}, Failures{}, Dependency{}, HealthChange{}, TopologyChange{}, Gap{},
}

func TestEveryFieldIsWritten(t *testing.T) {
	for _, empty := range documented {
		of := reflect.TypeOf(empty)
		for i := range of.NumField() {
			with := reflect.New(of).Elem()
			with.Field(i).Set(filled(t, of.Field(i).Type))
			if text := encode(t, with.Interface()); text == encode(t, empty) {
				t.Errorf("%v.%s does not show in %s", of, of.Field(i).Name, text)
			}
		}
	}
}

func TestNamesInJSONAreSnakeCase(t *testing.T) {
	snake := regexp.MustCompile(`^[a-z][a-z0-9_]*$`)
	for _, empty := range documented {
		of := reflect.TypeOf(empty)
		for name := range decode(t, encode(t, filled(t, of).Interface())) {
			if !snake.MatchString(name) {
				t.Errorf("%v is written with a property %q: a field needs a json tag", of, name)
			}
		}
	}
}

// definitions are those of the map's JSON Schema, as far as property names go.
func definitions(t *testing.T) map[string]struct{ Properties map[string]any } {
	t.Helper()
	text, err := os.ReadFile("../../docs/map.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	var schema struct {
		Defs map[string]struct{ Properties map[string]any } `json:"$defs"`
	}
	if err := json.Unmarshal(text, &schema); err != nil {
		t.Fatal(err)
	}
	return schema.Defs
}

func TestPropertiesAreThoseOfTheSchema(t *testing.T) {
	defs := definitions(t)
	event := decode(t, encode(t, &Event{GapData: &Gap{}}))
	for name, object := range map[string]map[string]any{
		"service":    decode(t, encode(t, filled(t, reflect.TypeFor[Service]()).Interface())),
		"exposure":   decode(t, encode(t, filled(t, reflect.TypeFor[Exposure]()).Interface())),
		"endpoint":   decode(t, encode(t, filled(t, reflect.TypeFor[Endpoint]()).Interface())),
		"connection": decode(t, encode(t, filled(t, reflect.TypeFor[Connection]()).Interface())),
		"gap":        event["data"].(map[string]any)["gap"].(map[string]any),
	} {
		if len(defs[name].Properties) == 0 {
			t.Errorf("the schema does not define %s", name)
		}
		for property := range object {
			if _, ok := defs[name].Properties[property]; !ok {
				t.Errorf("the schema's %s has no property %q", name, property)
			}
		}
	}
}

func TestEventIsALineOfRun(t *testing.T) {
	at := time.Date(2026, 9, 21, 16, 13, 20, 100_000_000, time.FixedZone("CEST", 2*60*60))
	database := &Service{Namespace: "shop", Name: "db", Type: ServiceTypeClusterIP, Health: HealthStatusUnhealthy, FirstSeen: at, LastSeen: at}
	api := &Service{Namespace: "shop", Name: "api", Type: ServiceTypeWorkload}
	const head = `{"at":"2026-09-21T14:13:20.100000000Z","observed_at":"2026-09-21T14:13:20.100000000Z",`
	const service = `{"id":"service:shop/db","namespace":"shop","name":"db","type":"ClusterIP","endpoints":[],"labels":{},` +
		`"health":{"status":"unhealthy","reasons":[]},"first_seen":"2026-09-21T14:13:20.100000000Z","last_seen":"2026-09-21T14:13:20.100000000Z"}`
	for _, c := range []struct {
		event Event
		want  string
	}{
		{
			Event{ID: "u", Type: EventTypeHealthChanged, Sequence: 7, RunID: "r", Timestamp: at, ObservedAt: at, Severity: SeverityWarn,
				Learning: true, Subject: "service:shop/db", Host: "h", ServiceData: database,
				HealthData: &HealthChange{Service: database, From: HealthStatusHealthy, To: HealthStatusUnhealthy}},
			head + `"id":"u","type":"health.changed","sequence":7,"run_id":"r","severity":"warn","learning":true,"subject":"service:shop/db","host":"h",` +
				`"data":{"health":{"service":` + service + `,"from":"healthy","to":"unhealthy","reasons":[]}}}`,
		},
		{
			Event{Type: EventTypeDependencyDetected, Timestamp: at, ObservedAt: at, Severity: SeverityInfo,
				ConnectionData: &Connection{Source: api, Destination: database},
				DependencyData: &Dependency{Source: api, Destination: database, Protocol: "tcp", Port: 5432}},
			head + `"type":"dependency.detected","sequence":0,"run_id":"","severity":"info","subject":"",` +
				`"data":{"dependency":{"source":{"namespace":"shop","name":"api","type":"Workload"},` +
				`"destination":{"namespace":"shop","name":"db","type":"ClusterIP"},"protocol":"tcp","port":5432,"cross_namespace":false,"cross_environment":false}}}`,
		},
		{
			Event{Type: EventTypeCaptureGap, Timestamp: at, ObservedAt: at, Severity: SeverityWarn,
				GapData: &Gap{Reason: GapReasonSlowReader, Count: 3, Healed: true}},
			head + `"type":"capture.gap","sequence":0,"run_id":"","severity":"warn","subject":"",` +
				`"data":{"gap":{"reason":"slow_reader","count":3,"healed":true,"at":"2026-09-21T14:13:20.100000000Z"}}}`,
		},
	} {
		for _, value := range []any{c.event, &c.event} {
			if got := encode(t, value); !reflect.DeepEqual(decode(t, got), decode(t, c.want)) {
				t.Errorf("%s is written as\n%s, want\n%s", c.event.Type, got, c.want)
			}
		}
	}
}

func TestServiceIDKeepsKindsApart(t *testing.T) {
	for of, want := range map[ServiceType]string{
		ServiceTypeHeadless: "service:shop/db", ServiceTypeProcess: "process:shop/db", ServiceTypeExternal: "external:shop/db",
	} {
		if got := (&Service{Namespace: "shop", Name: "db", Type: of}).ID(); got != want {
			t.Errorf("a %s is %q, want %q", of, got, want)
		}
	}
}
