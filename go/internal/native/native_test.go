//go:build cgo && linux && (amd64 || arm64)

package native

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"
)

func newObserver(t *testing.T) *Observer {
	t.Helper()
	o, err := New([]byte(`{"enable_ebpf":false}`))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(o.Close)
	return o
}

func TestLinkedLibraryHasTheABIOfTheHeader(t *testing.T) {
	if header, library := ABIVersions(); header != library || header == 0 {
		t.Fatalf("header has ABI %d, library %d", header, library)
	}
	if Version() == "" {
		t.Fatal("the library does not tell its version")
	}
}

func TestWrongSettingIsNamedAndTheNearestKnownOneIsOffered(t *testing.T) {
	_, err := New([]byte(`{"bufer_size":1}`))
	var native *Error
	if !errors.As(err, &native) {
		t.Fatalf("an unknown key is answered with %v", err)
	}
	for _, part := range []string{"bufer_size", `"buffer_size"`} {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("%q does not mention %s", err, part)
		}
	}
}

func TestCallBeforeStartIsAnErrorThatSaysSo(t *testing.T) {
	_, err := newObserver(t).NextEvents(1, 0)
	var native *Error
	if !errors.As(err, &native) {
		t.Fatalf("NextEvents before Start answers %v", err)
	}
}

func TestWakeEndsAWait(t *testing.T) {
	o := newObserver(t)
	if err := o.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	begin := time.Now()
	go func() {
		for {
			_, err := o.NextEvents(1, time.Minute)
			if err != nil {
				ended <- err
				return
			}
		}
	}()
	o.Wake()
	if err := <-ended; !errors.Is(err, ErrTimeout) || time.Since(begin) > 30*time.Second {
		t.Fatalf("the wait ended after %v with %v", time.Since(begin), err)
	}
}

func TestAfterShutdownTheCursorEnds(t *testing.T) {
	o := newObserver(t)
	if err := o.Start(); err != nil {
		t.Fatal(err)
	}
	if err := o.Shutdown(5 * time.Second); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); {
		if _, err := o.NextEvents(100, time.Second); errors.Is(err, ErrEnded) {
			return
		}
	}
	t.Fatal("the cursor did not end within 10 s")
}

func TestEveryCallAfterCloseAnswersEnded(t *testing.T) {
	o := newObserver(t)
	o.Close()
	o.Close()
	o.Wake()
	_, nextErr := o.NextEvents(1, 0)
	_, otlpErr := o.NextOTLP(Logs, 1, 0)
	_, snapshotErr := o.Snapshot()
	for call, err := range map[string]error{
		"Start": o.Start(), "Shutdown": o.Shutdown(0), "NextEvents": nextErr, "NextOTLP": otlpErr, "Snapshot": snapshotErr,
	} {
		if !errors.Is(err, ErrEnded) {
			t.Errorf("%s after Close answers %v", call, err)
		}
	}
}

func TestDroppedObserverIsFreedByTheGarbageCollector(t *testing.T) {
	func() {
		o, err := New([]byte(`{"enable_ebpf":false}`))
		if err != nil {
			t.Fatal(err)
		}
		if err := o.Start(); err != nil {
			t.Fatal(err)
		}
	}()
	awaitNoNativeThreads(t, runtime.GC)
}

func TestCloseEndsAllNativeThreads(t *testing.T) {
	o := newObserver(t)
	if err := o.Start(); err != nil {
		t.Fatal(err)
	}
	o.Close()
	awaitNoNativeThreads(t, func() {})
}

// awaitNoNativeThreads waits until no thread of the library is left: goleak knows nothing of them.
func awaitNoNativeThreads(t *testing.T, nudge func()) {
	t.Helper()
	var left []string
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); {
		nudge()
		if left = nativeThreads(t); len(left) == 0 {
			return
		}
		runtime.Gosched()
	}
	t.Fatalf("threads of the library are left: %v", left)
}

func nativeThreads(t *testing.T) []string {
	t.Helper()
	tasks, err := filepath.Glob("/proc/self/task/*/comm")
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, task := range tasks {
		// A thread may end between the listing and the reading.
		if name, err := os.ReadFile(task); err == nil && strings.HasPrefix(string(name), "servicemap") {
			names = append(names, strings.TrimSpace(string(name)))
		}
	}
	return names
}
