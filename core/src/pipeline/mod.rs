//! The Collector-style YAML: read, substitute, check, build.
