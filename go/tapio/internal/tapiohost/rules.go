package tapiohost

import (
	"errors"
	"fmt"
	"strings"

	"github.com/yairfalse/tapio/pkg/domain"
)

// maxCustom is how many custom values tapio lets an event have.
const maxCustom = 10

// Check says what tapio has against an event of an observer of that name, by both of its validators: the one before an
// event is sent, and the event's own.
func Check(e *domain.CollectorEvent, observer string) error {
	return errors.Join(checkIdentity(e, observer), checkData(e), checkCustom(&e.EventData), e.Validate())
}

func checkIdentity(e *domain.CollectorEvent, observer string) error {
	labels := e.Metadata.Labels
	switch {
	case e.EventID == "":
		return errors.New("the event has no id")
	case e.Timestamp.IsZero():
		return errors.New("the event has no timestamp")
	case e.Type == "":
		return errors.New("the event has no type")
	case e.Severity == "":
		return errors.New("the event has no severity")
	case e.Source == "" || !strings.Contains(e.Source, observer):
		return fmt.Errorf("the source %q does not contain the observer's name %q", e.Source, observer)
	case labels == nil:
		return errors.New("the event has no labels")
	case labels["observer"] != observer:
		return fmt.Errorf("the label observer is %q, not %q", labels["observer"], observer)
	case labels["version"] == "":
		return errors.New("the event has no label version")
	default:
		return nil
	}
}

// checkData wants the data that belongs to the type.
func checkData(e *domain.CollectorEvent) error {
	d, kind := &e.EventData, string(e.Type)
	switch {
	case kind == "network.tcp" || kind == "network.connection":
		return want(d.Network != nil, kind, "Network")
	case kind == "network.http":
		return want(d.HTTP != nil, kind, "HTTP")
	case kind == "network.grpc":
		return want(d.GRPC != nil, kind, "GRPC")
	case kind == "network.dns" || strings.HasPrefix(kind, "dns."):
		return want(d.DNS != nil && d.Network == nil, kind, "DNS and no Network")
	case kind == "kernel.process":
		return want(d.Process != nil, kind, "Process")
	case strings.HasPrefix(kind, "storage.io"):
		return want(d.StorageIO != nil, kind, "StorageIO")
	case strings.HasPrefix(kind, "memory."):
		return want(d.Memory != nil, kind, "Memory")
	default:
		return nil
	}
}

func want(have bool, kind, what string) error {
	if have {
		return nil
	}
	return fmt.Errorf("an event of type %s needs %s", kind, what)
}

// checkCustom refuses what belongs into a typed member.
func checkCustom(d *domain.EventDataContainer) error {
	if len(d.Custom) > maxCustom {
		return fmt.Errorf("the event has %d custom values, at most %d are taken", len(d.Custom), maxCustom)
	}
	for key := range d.Custom {
		for prefix, typed := range map[string]bool{
			"dns_": d.DNS != nil, "http_": d.HTTP != nil, "memory_": d.Memory != nil, "storage_": d.StorageIO != nil,
		} {
			if strings.HasPrefix(key, prefix) && !typed {
				return fmt.Errorf("the custom value %s belongs into typed data", key)
			}
		}
	}
	return nil
}
