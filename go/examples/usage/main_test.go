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
	server := capturetest.Server(t, "sm-usage-srv")
	capturetest.Client(t, "sm-usage-cli", server)

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
	timeout := time.AfterFunc(time.Minute, func() { _ = example.Process.Kill() })
	defer timeout.Stop()
	defer func() {
		_ = example.Process.Kill()
		_ = example.Wait()
	}()
	wanted := map[string]bool{"/sm-usage-srv with 1 endpoints": true, "Dependency: sm-usage-cli -> sm-usage-srv": true, "Topology changed: ": true}
	var printed strings.Builder
	for lines := bufio.NewScanner(stderr); len(wanted) > 0 && lines.Scan(); {
		printed.WriteString(lines.Text() + "\n")
		for part := range wanted {
			if strings.Contains(lines.Text(), part) {
				delete(wanted, part)
			}
		}
	}
	if len(wanted) > 0 {
		t.Fatalf("within a minute the example did not print %v, but:\n%s", wanted, printed.String())
	}
}
