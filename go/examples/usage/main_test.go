//go:build cgo && linux && (amd64 || arm64)

package main

import (
	"bufio"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/servicemap/servicemap/go/internal/capturetest"
)

// runVariable makes the test program run the example itself.
const runVariable = "SERVICEMAP_RUN_USAGE"

func TestMain(m *testing.M) {
	capturetest.RunPeer()
	if os.Getenv(runVariable) != "" {
		main()
		return
	}
	os.Exit(m.Run())
}

func TestUsageExamplePrintsServicesAndDependencies(t *testing.T) {
	capturetest.Require(t)
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	example := exec.Command(self)
	example.Env = append(os.Environ(), runVariable+"=1")
	stderr, err := example.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := example.Start(); err != nil {
		t.Fatal(err)
	}
	lines := make(chan string)
	go func() {
		defer close(lines)
		for scanner := bufio.NewScanner(stderr); scanner.Scan(); {
			lines <- scanner.Text()
		}
	}()
	defer func() {
		_ = example.Process.Kill()
		for range lines { // until the pipe is closed, which Wait wants
		}
		_ = example.Wait()
	}()

	server := capturetest.Server(t, "sm-usage-srv")
	wanted := map[string]bool{"/sm-usage-srv with 1 endpoints": true, "Dependency: sm-usage-cli -> sm-usage-srv": true, "Topology changed: ": true}
	var printed strings.Builder
	// The example does not say when it has begun to observe, so clients come until one is seen.
	again := time.NewTicker(2 * time.Second)
	defer again.Stop()
	for deadline := time.After(time.Minute); len(wanted) > 0; {
		select {
		case text, open := <-lines:
			if !open {
				t.Fatalf("the example ended after:\n%s", printed.String())
			}
			printed.WriteString(text + "\n")
			for part := range wanted {
				if strings.Contains(text, part) {
					delete(wanted, part)
				}
			}
		case <-again.C:
			capturetest.Client(t, "sm-usage-cli", server)
		case <-deadline:
			t.Fatalf("within a minute the example did not print %v, but:\n%s", wanted, printed.String())
		}
	}
}
