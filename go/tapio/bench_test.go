package tapio

import (
	"testing"

	"github.com/servicemap/servicemap/go/domain"
)

// BenchmarkConvert is the cost of an event between Servicemap's channel and tapio's, its JSON included.
func BenchmarkConvert(b *testing.B) {
	c, e := newConverter(), dependencyEvent(domain.EventTypeDependencyDetected, worker(), database())
	b.ReportAllocs()
	for b.Loop() {
		if _, err := c.convert(e); err != nil {
			b.Fatal(err)
		}
	}
}
