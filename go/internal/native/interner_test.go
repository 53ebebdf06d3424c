//go:build cgo && linux && (amd64 || arm64)

package native

import (
	"fmt"
	"testing"
	"unsafe"
)

func TestEqualTextsAreKeptOnce(t *testing.T) {
	i := newInterner()
	a, b := i.internBytes([]byte("shop/cart")), i.internBytes([]byte("shop/cart"))
	if a != "shop/cart" || unsafe.StringData(a) != unsafe.StringData(b) {
		t.Fatalf("%q and %q are two copies", a, b)
	}
}

func TestInternerForgetsInsteadOfGrowingWithoutBound(t *testing.T) {
	i := newInterner()
	for n := range 3 * maxInterned {
		if s := i.internBytes(fmt.Append(nil, n)); s != fmt.Sprint(n) {
			t.Fatalf("text %d became %q", n, s)
		}
	}
	if len(i.known) > maxInterned {
		t.Fatalf("%d texts are kept, more than %d", len(i.known), maxInterned)
	}
}
