//! Fields of a change whose `null` is a value.

use serde::{Deserialize, Deserializer};

/// What becomes of something that may be nothing. With `#[serde(default)]`, so that a field that is
/// left out stays.
#[derive(Debug, Default)]
pub(crate) enum Change<T> {
    /// The field was left out.
    #[default]
    Stays,
    /// The field was given, perhaps as `null`.
    Becomes(Option<T>),
}

impl<T> Change<T> {
    /// What it is after the change.
    pub(crate) fn of(self, before: Option<T>) -> Option<T> {
        match self {
            Self::Stays => before,
            Self::Becomes(after) => after,
        }
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Change<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Option::deserialize(deserializer).map(Self::Becomes)
    }
}
