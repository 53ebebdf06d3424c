//! `validate`, `print-config` and `components`: what the Collector's commands of these names do.

use std::fmt::Write as _;
use std::process::ExitCode;

use super::args::ConfigArgs;
use super::error::CliError;
use super::output;
use crate::pipeline::{self, Component};

pub(super) fn validate(args: &ConfigArgs) -> Result<ExitCode, CliError> {
    pipeline::load(&args.config, &args.set)?;
    Ok(ExitCode::SUCCESS)
}

pub(super) fn print(args: &ConfigArgs) -> Result<ExitCode, CliError> {
    let config = pipeline::load(&args.config, &args.set)?;
    output::print(&format!("{}\n", config.to_json()))
}

pub(super) fn components() -> Result<ExitCode, CliError> {
    output::print(&list(pipeline::components()))
}

/// Components by kind, as YAML in the form of the Collector's `components`.
fn list(components: &[Component]) -> String {
    let version = env!("CARGO_PKG_VERSION");
    let mut out = format!("buildinfo:\n  command: servicemap\n  version: {version}\n");
    let mut section = "";
    for component in components {
        if component.kind.section() != section {
            section = component.kind.section();
            let _ = writeln!(out, "{section}:");
        }
        let signals: Vec<_> = component.signals.iter().map(|signal| signal.as_str()).collect();
        let _ = writeln!(out, "  - name: {}", component.name);
        if let Some(alias) = component.alias {
            let _ = writeln!(out, "    alias: {alias}");
        }
        let _ = writeln!(out, "    signals: [{}]", signals.join(", "));
        let _ = writeln!(out, "    description: {}", component.summary);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn components_are_listed_by_kind() {
        let text = list(pipeline::components());
        let receivers = text.find("\nreceivers:\n  - name: servicemap\n").unwrap();
        let exporters = text.find("\nexporters:\n").unwrap();
        assert!(receivers < exporters, "{text}");
        assert_eq!(text.matches("\nexporters:\n").count(), 1, "{text}");
        assert!(text.contains("  - name: prometheus\n    signals: [metrics]\n"), "{text}");
    }

    #[test]
    fn the_list_is_yaml() {
        let text = list(pipeline::components());
        let tree: std::collections::BTreeMap<String, serde_json::Value> =
            serde_saphyr::from_str(&text).unwrap();
        assert_eq!(tree["buildinfo"]["command"], "servicemap");
        let listed = |section: &str| tree[section].as_array().unwrap().len();
        assert_eq!(listed("receivers") + listed("exporters"), pipeline::components().len());
    }
}
