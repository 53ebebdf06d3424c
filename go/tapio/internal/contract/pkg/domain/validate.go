package domain

import "errors"

// Validate refuses an event without identity, and one without data. A service map and custom values are no data to it.
func (e *CollectorEvent) Validate() error {
	d := &e.EventData
	switch {
	case e.EventID == "":
		return errors.New("the event has no id")
	case e.Timestamp.IsZero():
		return errors.New("the event has no timestamp")
	case e.Type == "":
		return errors.New("the event has no type")
	case e.Source == "":
		return errors.New("the event has no source")
	case d.Process == nil && d.Network == nil && d.KubernetesResource == nil && d.DNS == nil && d.HTTP == nil &&
		d.GRPC == nil && d.StorageIO == nil && d.RawData == nil:
		return errors.New("the event has no data that counts")
	default:
		return nil
	}
}

// GetCorrelationKey is what events that belong together have in common.
func (e *CollectorEvent) GetCorrelationKey() string {
	if hints := e.CorrelationHints; hints != nil {
		switch {
		case hints.ContainerID != "":
			return "container:" + hints.ContainerID
		case hints.PodUID != "":
			return "pod:" + hints.PodUID
		case hints.NodeName != "":
			return "node:" + hints.NodeName
		}
	}
	return "source:" + e.Source
}
