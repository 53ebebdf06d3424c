// Package settings writes an observer's settings as the native library reads them: JSON with the receiver's names.
package settings

import (
	"encoding/json"
	"strconv"
	"time"
)

// Duration is a duration that is written as text with a unit, as every door of Servicemap wants it.
type Duration time.Duration

// MarshalJSON writes the duration in the largest unit that keeps it whole: "300s", "1500ms".
func (d Duration) MarshalJSON() ([]byte, error) {
	return json.Marshal(d.String())
}

// String is the duration in the largest of s, ms, us and ns that keeps it whole.
func (d Duration) String() string {
	for _, u := range []struct {
		name string
		size time.Duration
	}{{"s", time.Second}, {"ms", time.Millisecond}, {"us", time.Microsecond}} {
		if time.Duration(d)%u.size == 0 {
			return strconv.FormatInt(int64(time.Duration(d)/u.size), 10) + u.name
		}
	}
	return strconv.FormatInt(int64(d), 10) + "ns"
}
