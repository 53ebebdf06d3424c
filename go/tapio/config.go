package tapio

import (
	"errors"
	"fmt"

	"github.com/servicemap/servicemap/go/services"
)

// ErrorMode says what becomes of an observation that cannot start, for want of privileges or of a kernel that can.
type ErrorMode string

// The error modes.
const (
	// ErrorModeIgnore logs the error; the observer starts, sends nothing and is not healthy. tapio ends as a whole when
	// one of its observers does not start.
	ErrorModeIgnore ErrorMode = "ignore"
	// ErrorModePropagate makes Start return the error.
	ErrorModePropagate ErrorMode = "propagate"
)

// defaultMaxMapEntries keeps the event of a whole map, about 1.1 kB a service or connection, well below the 1 MiB that a NATS
// server takes as one message unless it is told otherwise.
const defaultMaxMapEntries = 500

// Config of an observer. Start from [DefaultConfig].
type Config struct {
	// Services are the settings of what is observed, its logger included; nil for [services.DefaultConfig].
	Services *services.Config
	// ErrorMode is ignore (the default) or propagate.
	ErrorMode ErrorMode
	// MaxMapEntries bounds the services and connections of a map that goes along with a topology event (500). Of a
	// larger one the event tells only what changed, and Statistics count it. Zero sends no maps.
	MaxMapEntries int
}

// DefaultConfig is the configuration that suits most.
func DefaultConfig() *Config {
	return &Config{
		Services:      services.DefaultConfig(),
		ErrorMode:     ErrorModeIgnore,
		MaxMapEntries: defaultMaxMapEntries,
	}
}

// Validate tells everything that is wrong with the configuration.
func (c *Config) Validate() error {
	var errs []error
	if c.Services != nil {
		errs = append(errs, c.Services.Validate())
	}
	switch c.ErrorMode {
	case ErrorModeIgnore, ErrorModePropagate:
	default:
		errs = append(errs, fmt.Errorf("tapio: ErrorMode is %q, it must be %q or %q",
			c.ErrorMode, ErrorModeIgnore, ErrorModePropagate))
	}
	if c.MaxMapEntries < 0 {
		errs = append(errs, fmt.Errorf("tapio: MaxMapEntries is %d, it must not be negative", c.MaxMapEntries))
	}
	return errors.Join(errs...)
}
