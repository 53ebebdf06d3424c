package servicemapreceiver

import (
	"encoding/json"
	"fmt"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/confmap"

	"github.com/servicemap/servicemap/go/internal/native"
)

// Config holds the receiver's settings as they were written. Names, defaults and bounds are those of every door of
// Servicemap and live in the native library, which checks them: an unknown key is answered with the nearest known one.
type Config struct {
	// Settings by name, for example "connection_timeout": "30s".
	Settings map[string]any `mapstructure:",remain"`

	// prevent unkeyed literal initialization
	_ struct{}
}

var _ confmap.Validator = (*Config)(nil)

func createDefaultConfig() component.Config { return &Config{} }

// Validate has the native library check the settings, and tells when there is none in this program.
func (c *Config) Validate() error {
	settings, err := c.nativeJSON()
	if err != nil {
		return err
	}
	observer, err := native.New(settings)
	if err != nil {
		return err
	}
	observer.Close()
	return nil
}

func (c *Config) nativeJSON() ([]byte, error) {
	if len(c.Settings) == 0 {
		return []byte("{}"), nil
	}
	settings, err := json.Marshal(c.Settings)
	if err != nil {
		return nil, fmt.Errorf("the settings cannot be written as JSON: %w", err)
	}
	return settings, nil
}
