// Package sharedcomponent lets one component serve several pipelines: it is made once, started by the first Start and
// stopped by the first Shutdown. What it reports of its status reaches each of the pipelines.
package sharedcomponent

import (
	"context"
	"sync"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componentstatus"
)

// Map keeps components by key until they are shut down.
type Map[K comparable, V component.Component] struct {
	mu    sync.Mutex
	byKey map[K]*Component[V]
}

// NewMap makes an empty map.
func NewMap[K comparable, V component.Component]() *Map[K, V] {
	return &Map[K, V]{byKey: make(map[K]*Component[V])}
}

// LoadOrStore is the component of a key; create makes it the first time.
func (m *Map[K, V]) LoadOrStore(key K, create func() (V, error)) (*Component[V], error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if c, ok := m.byKey[key]; ok {
		return c, nil
	}
	inner, err := create()
	if err != nil {
		return nil, err
	}
	c := &Component[V]{inner: inner, forget: func() {
		m.mu.Lock()
		defer m.mu.Unlock()
		delete(m.byKey, key)
	}}
	m.byKey[key] = c
	return c, nil
}

// Component starts and stops its inner component once.
type Component[V component.Component] struct {
	inner  V
	forget func()

	start    sync.Once
	startErr error
	stop     sync.Once
	stopErr  error

	hosts hosts
}

// Unwrap is the inner component.
func (c *Component[V]) Unwrap() V { return c.inner }

// Start starts the inner component the first time; every pipeline gets that attempt's result.
func (c *Component[V]) Start(ctx context.Context, host component.Host) error {
	c.hosts.join(host)
	c.start.Do(func() { c.startErr = c.inner.Start(ctx, &sharedHost{Host: host, hosts: &c.hosts}) })
	return c.startErr
}

// Shutdown stops the inner component the first time.
func (c *Component[V]) Shutdown(ctx context.Context) error {
	c.stop.Do(func() {
		c.stopErr = c.inner.Shutdown(ctx)
		c.forget()
	})
	return c.stopErr
}

// hosts are the pipelines' views of the host. A status that is reported reaches all of them, and the latest one also
// those that join later.
type hosts struct {
	mu     sync.Mutex
	all    []component.Host
	latest *componentstatus.Event
}

func (h *hosts) join(host component.Host) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.all = append(h.all, host)
	if h.latest != nil {
		componentstatus.ReportStatus(host, h.latest)
	}
}

func (h *hosts) report(event *componentstatus.Event) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.latest = event
	for _, host := range h.all {
		componentstatus.ReportStatus(host, event)
	}
}

// sharedHost is the host as the inner component sees it.
type sharedHost struct {
	component.Host
	hosts *hosts
}

var _ componentstatus.Reporter = (*sharedHost)(nil)

// Report passes a status on to every pipeline.
func (s *sharedHost) Report(event *componentstatus.Event) { s.hosts.report(event) }
