package services

import (
	"encoding/json"

	"go.uber.org/zap"
)

// identity says who observes, as the map has it.
type identity struct {
	Host    string `json:"host"`
	Cluster string `json:"cluster"`
	RunID   string `json:"run_id"`
}

// identify reads who observes from the map, which is still small right after the start.
func (o *Observer) identify() {
	document, err := o.engine.Snapshot()
	if err == nil {
		var m struct {
			Observer identity `json:"observer"`
		}
		err = json.Unmarshal(document, &m)
		o.identity = m.Observer
	}
	if err != nil {
		// Events are worth having without it.
		o.logger.Warn("events will not say which host they are from", zap.Error(err))
	}
}
