//go:build cgo && linux && (amd64 || arm64)

package native

import (
	"bytes"
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
	// The cursor begins with its first call, and answers the wakes that come afterwards.
	if err := drain(o); !errors.Is(err, ErrTimeout) {
		t.Fatal(err)
	}
	begin := time.Now()
	o.Wake()
	_, err := o.NextEvents(1, time.Minute)
	if !errors.Is(err, ErrTimeout) || time.Since(begin) > 30*time.Second {
		t.Fatalf("the wait ended after %v with %v", time.Since(begin), err)
	}
}

// drain reads events until there are none.
func drain(o *Observer) error {
	for {
		if _, err := o.NextEvents(100, 0); err != nil {
			return err
		}
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
	if err := drain(o); !errors.Is(err, ErrEnded) {
		t.Fatalf("after everything was read the cursor answers %v", err)
	}
}

func TestBatchOutlivesItsObserverUntilItIsFreed(t *testing.T) {
	o, err := New([]byte(`{"enable_ebpf":false,"collection_interval":"1s"}`))
	if err != nil {
		t.Fatal(err)
	}
	defer o.Close()
	if err := o.Start(); err != nil {
		t.Fatal(err)
	}
	var batch *OTLPBatch
	for deadline := time.Now().Add(30 * time.Second); batch == nil; {
		if batch, err = o.NextOTLP(Metrics, 1, time.Second); err != nil && !errors.Is(err, ErrTimeout) || time.Now().After(deadline) {
			t.Fatalf("no metrics: %v", err)
		}
	}
	if err := batch.Ack(Delivered, 0); err != nil {
		t.Fatal(err)
	}
	if err := batch.Ack(Delivered, 0); err == nil {
		t.Error("a second acknowledgement of one batch was taken")
	}
	o.Close()
	if batch.Items == 0 || len(batch.Bytes) == 0 {
		t.Fatalf("the batch has %d items in %d bytes", batch.Items, len(batch.Bytes))
	}
	if err := batch.Ack(Delivered, 0); !errors.Is(err, ErrEnded) {
		t.Errorf("Ack after Close answers %v", err)
	}
	batch.Free()
	batch.Free()
}

func TestBatchThatIsToBeRetriedComesAgainWithTheSameBytes(t *testing.T) {
	o, err := New([]byte(`{"enable_ebpf":false,"collection_interval":"1s"}`))
	if err != nil {
		t.Fatal(err)
	}
	defer o.Close()
	if err := o.Start(); err != nil {
		t.Fatal(err)
	}
	next := func() *OTLPBatch {
		t.Helper()
		b, err := o.NextOTLP(Metrics, 1, 30*time.Second)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(b.Free)
		return b
	}
	first := next()
	if err := first.Ack(Retry, time.Millisecond); err != nil {
		t.Fatal(err)
	}
	if again := next(); !bytes.Equal(first.Bytes, again.Bytes) {
		t.Fatal("the batch that came again has other bytes")
	}
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
