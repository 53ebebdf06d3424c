//! Events and figures as OpenTelemetry and Prometheus have them, and the exporters.
