//! This machine's processes, cgroups, namespaces and addresses, as facts.
