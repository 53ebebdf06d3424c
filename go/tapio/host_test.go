//go:build cgo && linux && (amd64 || arm64)

package tapio

import (
	"context"
	"encoding/json"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest"

	tapiodomain "github.com/yairfalse/tapio/pkg/domain"

	"github.com/servicemap/servicemap/go/domain"
	"github.com/servicemap/servicemap/go/internal/capturetest"
	"github.com/servicemap/servicemap/go/tapio/internal/tapiohost"
)

// patience is how long a test waits for something that takes seconds on an idle machine.
const patience = 60 * time.Second

// registry has the observer as the file in README.md registers it.
func registry() *tapiohost.Registry {
	r := &tapiohost.Registry{}
	r.Register(observerName, func(name string, data *tapiohost.ConfigData, logger *zap.Logger) (tapiohost.Observer, error) {
		config := DefaultConfig()
		config.ErrorMode = ErrorModePropagate
		config.Services.Logger = logger
		config.Services.EnableEBPF = data.EnableEBPF
		if data.BufferSize > 0 {
			config.Services.BufferSize = data.BufferSize
		}
		return NewObserver(name, config)
	})
	return r
}

func made(t *testing.T, data tapiohost.ConfigData) tapiohost.Observer {
	t.Helper()
	o, err := registry().Make(observerName, &data, zaptest.NewLogger(t))
	if err != nil {
		t.Fatal(err)
	}
	return o
}

func TestObserverIsRestarted100TimesInAProgramOfTapiosShape(t *testing.T) {
	before := goleak.IgnoreCurrent()
	for range 100 {
		o := made(t, tapiohost.ConfigData{BufferSize: 100})
		host := tapiohost.New(func(tapiohost.Message) {}, o)
		if err := host.Start(context.Background()); err != nil {
			t.Fatal(err)
		}
		if !o.IsHealthy() {
			t.Fatal("the observer is not healthy after the start")
		}
		stopHost(t, host)
		if _, open := <-o.Events(); open || o.IsHealthy() {
			t.Fatal("the observer goes on after the stop")
		}
	}
	goleak.VerifyNone(t, before)
}

func TestObserverOfTheKernelIsRestarted100TimesInAProgramOfTapiosShape(t *testing.T) {
	capturetest.Require(t)
	before := goleak.IgnoreCurrent()
	for range 100 {
		o := made(t, tapiohost.ConfigData{EnableEBPF: true})
		host := tapiohost.New(func(m tapiohost.Message) {
			if m.Err != nil {
				t.Error(m.Err)
			}
		}, o)
		if err := host.Start(context.Background()); err != nil {
			t.Fatal(err)
		}
		stopHost(t, host)
	}
	goleak.VerifyNone(t, before)
}

func stopHost(t *testing.T, host *tapiohost.Host) {
	t.Helper()
	begin := time.Now()
	if err := host.Stop(); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(begin); took > stopLimit {
		t.Fatalf("the stop took %v", took)
	}
}

func TestUnknownNameHasNoFactory(t *testing.T) {
	if o, err := registry().Make("network", &tapiohost.ConfigData{}, nil); err == nil {
		t.Fatalf("there is %v", o)
	}
}

// publications are what a host published, for a test to wait on.
type publications struct {
	mu       sync.Mutex
	messages []tapiohost.Message
	news     chan struct{}
}

func (p *publications) add(m tapiohost.Message) {
	p.mu.Lock()
	p.messages = append(p.messages, m)
	p.mu.Unlock()
	select {
	case p.news <- struct{}{}:
	default:
	}
}

func (p *publications) all() []tapiohost.Message {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]tapiohost.Message(nil), p.messages...)
}

// await is the first message that fits.
func (p *publications) await(t *testing.T, what string, fits func(*tapiodomain.CollectorEvent) bool) tapiohost.Message {
	t.Helper()
	for deadline := time.After(patience); ; {
		for _, m := range p.all() {
			if fits(m.Event) {
				return m
			}
		}
		select {
		case <-p.news:
		case <-deadline:
			t.Fatalf("no %s within %v", what, patience)
		}
	}
}

func TestRealConnectionArrivesInAProgramOfTapiosShape(t *testing.T) {
	capturetest.Require(t)
	published := &publications{news: make(chan struct{}, 1)}
	// Another observer beside it.
	script := newScriptedSource()
	script.events <- gapEvent("flow_map_full", 1, true)
	neighbour := newObserver("neighbour", DefaultConfig(), nil, script)
	host := tapiohost.New(published.add, made(t, tapiohost.ConfigData{EnableEBPF: true}), neighbour)
	if err := host.Start(context.Background()); err != nil {
		t.Fatal(err)
	}
	published.await(t, "event of the neighbour", func(e *tapiodomain.CollectorEvent) bool { return e.Source == "neighbour" })
	server := capturetest.Server(t, "sm-tapio-srv")
	capturetest.Client(t, "sm-tapio-cli", server)
	isOurs := func(change domain.EventType) func(*tapiodomain.CollectorEvent) bool {
		return func(e *tapiodomain.CollectorEvent) bool {
			l := e.Metadata.Labels
			return l["change_type"] == string(change) && l["src_svc"] == "sm-tapio-cli" && l["dst_svc"] == "sm-tapio-srv"
		}
	}
	established := published.await(t, "connection", isOurs(domain.EventTypeConnectionEstablished))
	published.await(t, "dependency", isOurs(domain.EventTypeDependencyDetected))
	topology := published.await(t, "whole map with the connection", func(e *tapiodomain.CollectorEvent) bool {
		if e.Metadata.Labels["snapshot"] != "full" {
			return false
		}
		for _, c := range e.EventData.ServiceMap.Connections {
			if strings.HasSuffix(c.Target, "/sm-tapio-srv") && c.Count == 1 {
				return true
			}
		}
		return false
	})
	stopHost(t, host)

	if n := established.Event.EventData.Network; n.EventType != "connect" || int(n.DstPort) != server.Port {
		t.Errorf("the connection is %+v, want one to port %d", n, server.Port)
	}
	if snapshot, _ := object(t, topology.Event.EventData.RawData.Data)["snapshot"].(map[string]any); snapshot["version"] != 1.0 {
		t.Errorf("the raw data's map is %v", snapshot)
	}
	for _, m := range published.all() {
		var back tapiodomain.CollectorEvent
		if m.Err != nil || json.Unmarshal(m.JSON, &back) != nil || back.Metadata.Attributes["observer_name"] != m.Event.Source {
			t.Errorf("%s: %v", m.JSON, m.Err)
		}
	}
}
