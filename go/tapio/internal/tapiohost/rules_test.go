package tapiohost

import (
	"strings"
	"testing"
	"time"

	"github.com/yairfalse/tapio/pkg/domain"
)

func good() *domain.CollectorEvent {
	return &domain.CollectorEvent{
		EventID: "1", Timestamp: time.Unix(1, 0), Type: domain.EventTypeNetworkConnection, Source: "services",
		Severity:  domain.EventSeverityInfo,
		EventData: domain.EventDataContainer{Network: &domain.NetworkData{}, RawData: &domain.RawData{}},
		Metadata:  domain.EventMetadata{Labels: map[string]string{"observer": "services", "version": "1"}},
	}
}

func TestEachRuleTurnsAwayWhatBreaksIt(t *testing.T) {
	if err := Check(good(), "services"); err != nil {
		t.Fatal(err)
	}
	for part, spoil := range map[string]func(*domain.CollectorEvent){
		"no id":           func(e *domain.CollectorEvent) { e.EventID = "" },
		"no timestamp":    func(e *domain.CollectorEvent) { e.Timestamp = time.Time{} },
		"no type":         func(e *domain.CollectorEvent) { e.Type = "" },
		"no severity":     func(e *domain.CollectorEvent) { e.Severity = "" },
		"the source":      func(e *domain.CollectorEvent) { e.Source = "network" },
		"no labels":       func(e *domain.CollectorEvent) { e.Metadata.Labels = nil },
		"label observer":  func(e *domain.CollectorEvent) { e.Metadata.Labels["observer"] = "network" },
		"label version":   func(e *domain.CollectorEvent) { delete(e.Metadata.Labels, "version") },
		"needs Network":   func(e *domain.CollectorEvent) { e.EventData.Network = nil },
		"needs HTTP":      func(e *domain.CollectorEvent) { e.Type = "network.http" },
		"needs GRPC":      func(e *domain.CollectorEvent) { e.Type = "network.grpc" },
		"needs DNS":       func(e *domain.CollectorEvent) { e.Type, e.EventData.DNS = "dns.query", &domain.DNSData{} },
		"needs Process":   func(e *domain.CollectorEvent) { e.Type = "kernel.process" },
		"needs StorageIO": func(e *domain.CollectorEvent) { e.Type = "storage.io.read" },
		"needs Memory":    func(e *domain.CollectorEvent) { e.Type = "memory.oom" },
		"custom value":    func(e *domain.CollectorEvent) { e.EventData.Custom = map[string]string{"dns_name": "x"} },
		"custom values": func(e *domain.CollectorEvent) {
			e.EventData.Custom = map[string]string{}
			for _, key := range strings.Split("abcdefghijk", "") {
				e.EventData.Custom[key] = ""
			}
		},
		"no data that counts": func(e *domain.CollectorEvent) {
			e.Type, e.EventData = domain.EventTypeServiceMap, domain.EventDataContainer{ServiceMap: &domain.ServiceMapData{}}
		},
	} {
		e := good()
		spoil(e)
		if err := Check(e, "services"); err == nil || !strings.Contains(err.Error(), part) {
			t.Errorf("%s: %v", part, err)
		}
	}
}
