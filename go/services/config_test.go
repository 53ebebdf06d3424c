package services

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/servicemap/servicemap/go/domain"
)

func TestDefaultsAreValid(t *testing.T) {
	if err := DefaultConfig().Validate(); err != nil {
		t.Fatal(err)
	}
}

func TestEveryWrongValueIsNamedWithItsKey(t *testing.T) {
	for key, spoil := range map[string]func(*Config){
		"BufferSize":           func(c *Config) { c.BufferSize = 0 },
		"ServiceTimeout":       func(c *Config) { c.ServiceTimeout = 0 },
		"ConnectionTimeout":    func(c *Config) { c.ConnectionTimeout = -time.Second },
		"FullSnapshotInterval": func(c *Config) { c.FullSnapshotInterval = 0 },
		"MinEmitInterval":      func(c *Config) { c.MinEmitInterval = -1 },
		"DebounceWindow":       func(c *Config) { c.DebounceWindow = 0 },
		"EmissionMode":         func(c *Config) { c.EmissionMode = "sometimes" },
	} {
		config := DefaultConfig()
		spoil(config)
		if _, err := NewObserver("test", config); err == nil || !strings.Contains(err.Error(), key) {
			t.Errorf("a wrong %s is answered with %v", key, err)
		}
	}
}

func TestSettingsCarryTheNamesThatEveryDoorUses(t *testing.T) {
	config := DefaultConfig()
	config.KubeConfig, config.WatchNamespaces = "/kc", []string{"shop"}
	document, err := config.nativeJSON("edge")
	if err != nil {
		t.Fatal(err)
	}
	var got map[string]any
	if err := json.Unmarshal(document, &got); err != nil {
		t.Fatal(err)
	}
	for key, want := range map[string]any{
		"name": "edge", "buffer_size": 10000.0, "enable_k8s_discovery": nil, "kube_config": "/kc", "enable_ebpf": true,
		"service_timeout": "300s", "connection_timeout": "30s", "emission_mode": "incremental",
		"full_snapshot_interval": "300s", "min_emit_interval": "1s", "debounce_window": "2s",
	} {
		if got[key] != want {
			t.Errorf("%s is written as %v, want %v", key, got[key], want)
		}
	}
}

func TestTypesOfEventsAndTheStateDirectoryAreWrittenOnlyWhereTheyAreSet(t *testing.T) {
	config := DefaultConfig()
	document, err := config.nativeJSON("edge")
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(document), "events") || strings.Contains(string(document), "state_dir") {
		t.Fatalf("the settings are %s", document)
	}
	config.EventTypes = []domain.EventType{domain.EventTypeServiceDiscovered, domain.EventTypeCaptureGap}
	config.StateDir = "/var/lib/servicemap"
	if document, err = config.nativeJSON("edge"); err != nil {
		t.Fatal(err)
	}
	want := `"events":["service.discovered","capture.gap"],"state_dir":"/var/lib/servicemap"`
	if !strings.Contains(string(document), want) {
		t.Fatalf("the settings are %s, want %s", document, want)
	}
}

func TestKubernetesIsWrittenOnlyWhereItIsSwitchedOff(t *testing.T) {
	config := DefaultConfig()
	config.EnableK8sDiscovery = false
	document, err := config.nativeJSON("edge")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(document), `"enable_k8s_discovery":false`) {
		t.Fatalf("the settings are %s", document)
	}
}
