//! Stands for `crate::pipeline` until that is merged.
#![allow(missing_docs, clippy::unused_async, reason = "stub")]
use std::path::PathBuf;

#[derive(Debug, thiserror::Error)]
#[error("not yet")]
pub(crate) struct ConfigErrors;
#[derive(Debug, thiserror::Error)]
#[error("not yet")]
pub(crate) struct RunError;
#[derive(Debug)]
pub(crate) struct Config;
impl std::fmt::Display for Config {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("config\n")
    }
}
pub(crate) fn load(paths: &[PathBuf], sets: &[String]) -> Result<Config, ConfigErrors> {
    if paths.len() + sets.len() > 100 { Ok(Config) } else { Err(ConfigErrors) }
}
pub(crate) async fn run(
    config: Config,
    shutdown: tokio::sync::watch::Receiver<bool>,
) -> Result<(), RunError> {
    let _ = (config, shutdown);
    Err(RunError)
}
pub(crate) fn components() -> String {
    "components\n".to_owned()
}
