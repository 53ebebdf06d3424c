package services

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"go.uber.org/zap"

	"github.com/servicemap/servicemap/go/domain"
	"github.com/servicemap/servicemap/go/internal/settings"
)

// EmissionMode says whether consumers get changes or whole maps.
type EmissionMode string

// The emission modes.
const (
	// EmissionModeIncremental tells what exists at the start, then changes.
	EmissionModeIncremental EmissionMode = "incremental"
	// EmissionModeFull adds a topology event each FullSnapshotInterval.
	EmissionModeFull EmissionMode = "full"
)

// Config of an observer. Start from [DefaultConfig].
type Config struct {
	// Name of the observer, for logs. NewObserver's own argument wins where it is not empty.
	Name string
	// Logger gets what the observer has to say; nil for silence.
	Logger *zap.Logger
	// BufferSize is how many events are kept for a reader that falls behind (10,000). Beyond it the oldest are lost,
	// and the reader is told how many by an EventTypeCaptureGap.
	BufferSize int

	// EnableK8sDiscovery watches Kubernetes where a cluster is reachable (true). This version observes the machine
	// only: the three Kubernetes fields have no effect yet, and the log says so when one was set.
	EnableK8sDiscovery bool
	// KubeConfig is the path of a kubeconfig; empty for the usual places.
	KubeConfig string
	// WatchNamespaces are the namespaces to watch; empty for all.
	WatchNamespaces []string

	// EnableEBPF counts connections in the kernel (true).
	EnableEBPF bool

	// ServiceTimeout removes a service that is not from Kubernetes when nothing was seen of it for this long (5m).
	ServiceTimeout time.Duration
	// ConnectionTimeout removes a connection that had no open socket and no traffic for this long (30s).
	ConnectionTimeout time.Duration

	// EmissionMode is incremental (the default) or full.
	EmissionMode EmissionMode
	// FullSnapshotInterval is the time between two whole maps in full mode (5m).
	FullSnapshotInterval time.Duration
	// MinEmitInterval is the least time between two immediate events about one subject (1s).
	MinEmitInterval time.Duration
	// DebounceWindow gathers changes that are not immediate for this long after the first one (2s).
	DebounceWindow time.Duration

	// EventTypes are the types of events to tell; empty for all.
	EventTypes []domain.EventType
	// StateDir is a directory in which what was told is kept, so that the next run does not tell it as new; it is made if
	// need be, and belongs to one observer. Empty for none: detections of the first hour are then marked Learning.
	StateDir string
}

// DefaultConfig is the configuration that suits most.
func DefaultConfig() *Config {
	return &Config{
		Name:                 "services",
		BufferSize:           10_000,
		EnableK8sDiscovery:   true,
		EnableEBPF:           true,
		ServiceTimeout:       5 * time.Minute,
		ConnectionTimeout:    30 * time.Second,
		EmissionMode:         EmissionModeIncremental,
		FullSnapshotInterval: 5 * time.Minute,
		MinEmitInterval:      time.Second,
		DebounceWindow:       2 * time.Second,
	}
}

// Validate tells everything that is wrong with the configuration.
func (c *Config) Validate() error {
	var errs []error
	if c.BufferSize <= 0 {
		errs = append(errs, fmt.Errorf("services: BufferSize is %d, it must be at least 1", c.BufferSize))
	}
	for _, d := range []struct {
		name  string
		value time.Duration
	}{
		{"ServiceTimeout", c.ServiceTimeout}, {"ConnectionTimeout", c.ConnectionTimeout},
		{"FullSnapshotInterval", c.FullSnapshotInterval}, {"DebounceWindow", c.DebounceWindow},
	} {
		if d.value <= 0 {
			errs = append(errs, fmt.Errorf("services: %s is %v, it must be more than zero", d.name, d.value))
		}
	}
	if c.MinEmitInterval < 0 {
		errs = append(errs, fmt.Errorf("services: MinEmitInterval is %v, it must not be negative", c.MinEmitInterval))
	}
	switch c.EmissionMode {
	case EmissionModeIncremental, EmissionModeFull:
	default:
		errs = append(errs, fmt.Errorf("services: EmissionMode is %q, it must be %q or %q",
			c.EmissionMode, EmissionModeIncremental, EmissionModeFull))
	}
	return errors.Join(errs...)
}

// nativeSettings are the settings that the core reads, under the names that every door uses.
type nativeSettings struct {
	Name string `json:"name"`
	// Absent for "where a cluster is reachable".
	EnableK8sDiscovery   *bool             `json:"enable_k8s_discovery,omitempty"`
	KubeConfig           string            `json:"kube_config,omitempty"`
	WatchNamespaces      []string          `json:"watch_namespaces,omitempty"`
	EnableEBPF           bool              `json:"enable_ebpf"`
	BufferSize           int               `json:"buffer_size"`
	ServiceTimeout       settings.Duration `json:"service_timeout"`
	ConnectionTimeout    settings.Duration `json:"connection_timeout"`
	EmissionMode         EmissionMode      `json:"emission_mode"`
	FullSnapshotInterval settings.Duration `json:"full_snapshot_interval"`
	MinEmitInterval      settings.Duration `json:"min_emit_interval"`
	DebounceWindow       settings.Duration `json:"debounce_window"`
	// Absent for every type.
	Events   []domain.EventType `json:"events,omitempty"`
	StateDir string             `json:"state_dir,omitempty"`
}

func (c *Config) nativeJSON(name string) ([]byte, error) {
	var discovery *bool
	if !c.EnableK8sDiscovery {
		discovery = &c.EnableK8sDiscovery
	}
	return json.Marshal(nativeSettings{
		Name:                 name,
		EnableK8sDiscovery:   discovery,
		KubeConfig:           c.KubeConfig,
		WatchNamespaces:      c.WatchNamespaces,
		EnableEBPF:           c.EnableEBPF,
		BufferSize:           c.BufferSize,
		ServiceTimeout:       settings.Duration(c.ServiceTimeout),
		ConnectionTimeout:    settings.Duration(c.ConnectionTimeout),
		EmissionMode:         c.EmissionMode,
		FullSnapshotInterval: settings.Duration(c.FullSnapshotInterval),
		MinEmitInterval:      settings.Duration(c.MinEmitInterval),
		DebounceWindow:       settings.Duration(c.DebounceWindow),
		Events:               c.EventTypes,
		StateDir:             c.StateDir,
	})
}
