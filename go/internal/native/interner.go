//go:build cgo && linux && (amd64 || arm64)

package native

// maxInterned bounds the texts that are kept to be used again: the names and keys of the largest map that is usual on
// one machine, at some 100 bytes each about 1.6 MB. Beyond it the interner starts afresh; what was handed out stays.
const maxInterned = 16_384

// interner keeps texts that repeat, so that each is copied out of C memory once and not with every event.
type interner struct{ known map[string]string }

func newInterner() interner { return interner{known: make(map[string]string)} }

func (i *interner) internBytes(b []byte) string {
	// The compiler does not allocate for this conversion.
	if s, ok := i.known[string(b)]; ok {
		return s
	}
	return i.keep(string(b))
}

func (i *interner) intern(s string) string {
	if known, ok := i.known[s]; ok {
		return known
	}
	return i.keep(s)
}

func (i *interner) keep(s string) string {
	if len(i.known) >= maxInterned {
		clear(i.known)
	}
	i.known[s] = s
	return s
}
