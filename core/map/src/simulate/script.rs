//! The script of a simulation: what goes wrong, and when, one thing a line.
//!
//! ```text
//! # the database goes down, and a node with it
//! 30s: fail shop/db for 20s
//! 60s: node node-3 lost for 2m
//! 90s: roll shop/api
//! 2m:  flap shop/api for 1m every 5s
//! 3m:  disconnect shop/web shop/api
//! 4m:  connect shop/web shop/api
//! ```

use std::str::{FromStr, SplitWhitespace};
use std::time::Duration;

use jiff::SignedDuration;

/// How long a service flaps where nothing else is said: long enough to be called flapping.
const FLAPPING: Duration = Duration::from_mins(1);
/// Time between two turns of a service that flaps: a readiness probe's default period is 10 s.
const FLAP_EVERY: Duration = Duration::from_secs(5);

/// What happens, in the order of the lines.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Script {
    /// The statements.
    pub statements: Vec<Statement>,
}

/// One line of a script.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statement {
    /// Its number, from 1.
    pub line: usize,
    /// When, after the start; at the start where the line says nothing.
    pub after: Duration,
    /// What.
    pub action: Action,
}

/// What a script can make happen. Services are named `namespace/name`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// No pod of a service takes connections: those that are open are cut, new ones are refused.
    Fail {
        /// The service.
        service: String,
        /// Until it is well again; for good where it is `None`.
        lasting: Option<Duration>,
    },
    /// A node is not heard of any more, and nobody reaches its pods.
    LoseNode {
        /// The node.
        node: String,
        /// Until it is back; for good where it is `None`.
        lasting: Option<Duration>,
    },
    /// The pods of a service are replaced one after the other.
    Roll {
        /// The service.
        service: String,
    },
    /// The pods of a service are ready and not ready by turns.
    Flap {
        /// The service.
        service: String,
        /// For how long.
        lasting: Duration,
        /// Time between two turns.
        every: Duration,
    },
    /// A service begins to depend on another one.
    Connect {
        /// Who connects.
        source: String,
        /// To whom.
        destination: String,
    },
    /// A service depends on another one no longer.
    Disconnect {
        /// Who connected.
        source: String,
        /// To whom.
        destination: String,
    },
}

/// A line of a script is wrong.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line} of the script, `{text}`: {wrong}")]
pub struct ScriptError {
    /// Its number, from 1.
    pub line: usize,
    /// What stands there.
    pub text: String,
    /// What is wrong with it, and how to write it.
    pub wrong: String,
}

const VERBS: &str = "fail, node, roll, flap, connect or disconnect";

impl FromStr for Script {
    type Err = ScriptError;

    /// Empty lines, and what follows a `#`, mean nothing.
    fn from_str(text: &str) -> Result<Self, ScriptError> {
        let mut statements = Vec::new();
        for (index, whole) in text.lines().enumerate() {
            let said = whole.split('#').next().unwrap_or_default().trim();
            if said.is_empty() {
                continue;
            }
            let line = index + 1;
            let (after, action) =
                statement(said).map_err(|wrong| ScriptError { line, text: said.to_owned(), wrong })?;
            statements.push(Statement { line, after, action });
        }
        Ok(Self { statements })
    }
}

fn statement(text: &str) -> Result<(Duration, Action), String> {
    let (after, rest) = match text.split_once(':') {
        Some((time, rest)) => (duration(time.trim())?, rest),
        None => (Duration::ZERO, text),
    };
    let mut words = rest.split_whitespace();
    let verb = words.next().ok_or_else(|| format!("nothing happens there; say {VERBS}"))?;
    let action = match verb {
        "fail" => Action::Fail { service: service(&mut words)?, lasting: phrase(&mut words, "for")? },
        "node" => {
            let node = words.next().ok_or("which node; write for example `node node-3 lost`")?.to_owned();
            if words.next() != Some("lost") {
                return Err(format!("what becomes of the node; write `node {node} lost`"));
            }
            Action::LoseNode { node, lasting: phrase(&mut words, "for")? }
        }
        "roll" => Action::Roll { service: service(&mut words)? },
        "flap" => Action::Flap {
            service: service(&mut words)?,
            lasting: phrase(&mut words, "for")?.unwrap_or(FLAPPING),
            every: phrase(&mut words, "every")?.unwrap_or(FLAP_EVERY),
        },
        "connect" => Action::Connect { source: service(&mut words)?, destination: service(&mut words)? },
        "disconnect" => {
            Action::Disconnect { source: service(&mut words)?, destination: service(&mut words)? }
        }
        other => return Err(format!("`{other}` is nothing that can happen; say {VERBS}")),
    };
    match words.next() {
        Some(more) => Err(format!("`{more}` is too much; leave it out")),
        None => Ok((after, action)),
    }
}

fn service(words: &mut SplitWhitespace<'_>) -> Result<String, String> {
    match words.next() {
        Some(name) if name.contains('/') => Ok(name.to_owned()),
        Some(name) => Err(format!("`{name}` is no service; write namespace/name, for example `shop/{name}`")),
        None => Err("a service is missing; write namespace/name, for example `shop/api`".to_owned()),
    }
}

/// `for 20s`, if that comes next.
fn phrase(words: &mut SplitWhitespace<'_>, word: &str) -> Result<Option<Duration>, String> {
    if words.clone().next() != Some(word) {
        return Ok(None);
    }
    words.next();
    let time = words.next().ok_or_else(|| format!("how long; write for example `{word} 20s`"))?;
    let time = duration(time)?;
    if time.is_zero() { Err(format!("`{word}` needs more than no time")) } else { Ok(Some(time)) }
}

fn duration(text: &str) -> Result<Duration, String> {
    let parsed = text.parse::<SignedDuration>().ok().and_then(|time| Duration::try_from(time).ok());
    parsed.ok_or_else(|| format!("`{text}` is no time; write for example `90s` or `1m30s`"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Vec<(u64, Action)> {
        let script: Script = text.parse().unwrap_or_else(|error| panic!("{error}"));
        script.statements.into_iter().map(|one| (one.after.as_secs(), one.action)).collect()
    }

    fn wrong(text: &str) -> String {
        text.parse::<Script>().unwrap_err().to_string()
    }

    #[test]
    fn a_line_says_when_and_what() {
        let service = || "shop/db".to_owned();
        let lasting = Some(Duration::from_secs(20));
        assert_eq!(read("30s: fail shop/db for 20s"), [(30, Action::Fail { service: service(), lasting })]);
        let node = "node-3".to_owned();
        assert_eq!(read("1m: node node-3 lost"), [(60, Action::LoseNode { node, lasting: None })]);
        assert_eq!(read("roll shop/db"), [(0, Action::Roll { service: service() })]);
        let every = Duration::from_secs(2);
        let flap = Action::Flap { service: service(), lasting: FLAPPING, every };
        assert_eq!(read("flap shop/db every 2s"), [(0, flap)]);
    }

    #[test]
    fn comments_and_empty_lines_mean_nothing_but_count_as_lines() {
        let script: Script = "# first\n\n5s: roll shop/api # and then\n".parse().unwrap();
        assert_eq!(script.statements.iter().map(|one| one.line).collect::<Vec<_>>(), [3]);
    }

    #[test]
    fn a_wrong_line_is_named_with_what_is_wrong_and_how_to_write_it() {
        assert_eq!(
            wrong("roll shop/api\n5: fail shop/db"),
            "line 2 of the script, `5: fail shop/db`: `5` is no time; write for example `90s` or `1m30s`"
        );
        for (text, part) in [
            ("explode shop/db", "`explode` is nothing that can happen; say fail, node"),
            ("fail db", "`db` is no service; write namespace/name, for example `shop/db`"),
            ("node node-3", "write `node node-3 lost`"),
            ("fail shop/db for", "how long; write for example `for 20s`"),
            ("flap shop/db every 0s", "`every` needs more than no time"),
            ("roll shop/db now", "`now` is too much"),
            ("connect shop/a", "a service is missing"),
            ("5s:", "nothing happens there"),
        ] {
            assert!(wrong(text).contains(part), "{text}: {}", wrong(text));
        }
    }
}
