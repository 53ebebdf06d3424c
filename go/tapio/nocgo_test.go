//go:build !(cgo && linux && (amd64 || arm64))

package tapio

import (
	"errors"
	"testing"

	"github.com/servicemap/servicemap/go/internal/native"
)

func TestWithoutTheNativeLibraryNewObserverSaysWhatToDo(t *testing.T) {
	if o, err := NewObserver(observerName, nil); !errors.Is(err, native.ErrUnavailable) || o != nil {
		t.Fatalf("NewObserver answers %v", err)
	}
}
