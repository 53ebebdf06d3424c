//go:build !(cgo && linux && (amd64 || arm64))

package services

import (
	"errors"
	"strings"
	"testing"

	"github.com/servicemap/servicemap/go/internal/native"
)

func TestWithoutTheNativeLibraryTheErrorSaysWhyAndWhatToDo(t *testing.T) {
	_, err := NewObserver("services", DefaultConfig())
	if !errors.Is(err, native.ErrUnavailable) {
		t.Fatalf("NewObserver answers %v", err)
	}
	for _, part := range []string{"without the native library", "CGO_ENABLED=1", "go/build-native.sh"} {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("the error %q does not mention %q", err, part)
		}
	}
}
