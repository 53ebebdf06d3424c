//! The JSON configuration: the receiver's own settings, and what only an embedding host can say.

use serde_json::Value;
use servicemap_core::{Initial, Settings};

use crate::boundary::Failure;
use crate::status::Status;

/// A configuration has at most this many bytes: the settings are some twenty scalars and short lists.
pub(crate) const MAX_CONFIG_LEN: usize = 1 << 20;

/// What an observer behind the ABI is made from.
#[derive(Clone, Debug)]
pub(crate) struct Options {
    pub(crate) settings: Settings,
    /// What the events cursor gets of what exists already.
    pub(crate) initial: Initial,
}

impl Default for Options {
    fn default() -> Self {
        Self { settings: Settings::default(), initial: Initial::Events }
    }
}

impl Options {
    /// From JSON; no bytes at all are the defaults. `initial` is ours, everything else belongs to [`Settings`].
    pub(crate) fn from_json(json: &[u8]) -> Result<Self, Failure> {
        if json.is_empty() {
            return Ok(Self::default());
        }
        let value: Value =
            serde_json::from_slice(json).map_err(|error| wrong(format!("not JSON: {error}")))?;
        let Value::Object(mut keys) = value else {
            return Err(wrong("not a JSON object: the settings are `{\"key\": value, …}`"));
        };
        let mut options = Self::default();
        // Without our key the text goes on as it came, so that its reader sees everything that is wrong with it.
        let settings = match keys.remove("initial") {
            Some(initial) => {
                options.initial = parse_initial(&initial)?;
                Settings::from_json(Value::Object(keys).to_string().as_bytes())
            }
            None => Settings::from_json(json),
        };
        options.settings = settings.map_err(|error| wrong(error.to_string()))?;
        Ok(options)
    }
}

fn parse_initial(value: &Value) -> Result<Initial, Failure> {
    match value.as_str() {
        Some("events") => Ok(Initial::Events),
        Some("snapshot") => Ok(Initial::Snapshot),
        Some("nothing") => Ok(Initial::Nothing),
        _ => Err(wrong(format!("`initial` is {value}; it must be \"events\", \"snapshot\" or \"nothing\""))),
    }
}

fn wrong(message: impl Into<String>) -> Failure {
    Failure::new(Status::InvalidConfig, message)
}
