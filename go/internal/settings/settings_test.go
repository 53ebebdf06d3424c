package settings

import (
	"testing"
	"time"
)

func TestDurationIsWrittenWithTheLargestUnitThatKeepsItWhole(t *testing.T) {
	for text, d := range map[string]time.Duration{
		"0s": 0, "300s": 5 * time.Minute, "1500ms": 1500 * time.Millisecond,
		"7us": 7 * time.Microsecond, "1000000001ns": time.Second + 1,
	} {
		b, err := Duration(d).MarshalJSON()
		if err != nil || string(b) != `"`+text+`"` {
			t.Errorf("%v is written as %s (%v), want %q", d, b, err, text)
		}
	}
}
