//! The effective configuration, as it may be shown.

use clap::parser::ValueSource;
use clap::{ArgMatches, Command};

use super::secret;
use super::values::redact_url;
use super::{Lookup, reference};

/// Where a value comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// Nobody set it.
    Default,
    /// A flag.
    Flag,
    /// The environment.
    Environment,
    /// The file that `<variable>_FILE` names.
    File,
}

impl Source {
    /// For people.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Default => "default",
            Self::Flag => "flag",
            Self::Environment => "environment",
            Self::File => "file",
        }
    }
}

/// One setting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its variable.
    pub variable: String,
    /// Its value, redacted; `None` when it has none.
    pub value: Option<String>,
    /// Where that comes from.
    pub source: Source,
}

/// Every setting that `command` takes, with the value it has in `matches`. Secrets are shown as set
/// or not, addresses without user and password.
pub fn dump(command: &Command, matches: &ArgMatches, lookup: Lookup<'_>) -> Vec<Entry> {
    let mut entries = Vec::new();
    for arg in command.get_arguments() {
        let Some(variable) = reference::variable(arg) else {
            continue;
        };
        let id = arg.get_id().as_str();
        let raw = matches.get_raw(id).map(|values| {
            let values: Vec<_> = values.map(|value| value.to_string_lossy()).collect();
            values.join(",")
        });
        let Some(known) = reference::secret_of(&variable) else {
            let source = match matches.value_source(id) {
                Some(ValueSource::CommandLine) => Source::Flag,
                Some(ValueSource::EnvVariable) => Source::Environment,
                _ => Source::Default,
            };
            entries.push(Entry {
                variable,
                value: raw,
                source,
            });
            continue;
        };
        let path = matches.get_one::<std::path::PathBuf>(id);
        let source = if path.is_some() {
            Source::File
        } else if lookup(known.name).is_some() {
            Source::Environment
        } else {
            Source::Default
        };
        let value = match secret::read(known.name, path.map(AsRef::as_ref), lookup) {
            Ok(Some(value)) if known.address => Some(redact_url(&value)),
            Ok(Some(_)) => Some("(set; not shown)".to_owned()),
            Ok(None) => None,
            Err(_) => Some("(cannot be used)".to_owned()),
        };
        entries.push(Entry {
            variable: known.name.to_owned(),
            value,
            source,
        });
    }
    entries
}
