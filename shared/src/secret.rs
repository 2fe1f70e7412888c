//! A text that must not be seen: it cannot be printed or serialised, and is wiped when dropped.

use std::fmt;

use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Deserializer};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

/// A value of a secret, a provider's token, a key.
///
/// There is no `Serialize` and no `Display`, and `Debug` shows nothing, so it cannot slip into a
/// log, an answer or a job. [`Secret::expose`] is the only way to the text.
#[derive(Clone)]
pub struct Secret(SecretString);

impl Secret {
    /// Takes the text over. It is copied once, into a place of its exact size, and what came is wiped with
    /// all of its room: to shrink it instead may move it, and leaves what it held behind.
    pub fn new(text: impl Into<String>) -> Self {
        let text = Zeroizing::new(text.into());
        Self(SecretString::from(Box::<str>::from(text.as_str())))
    }

    /// The text. Every use is a place to review.
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }

    /// Length in bytes.
    pub fn len(&self) -> usize {
        self.expose().len()
    }

    /// Whether the text is empty, which for a value is as good as any other.
    pub fn is_empty(&self) -> bool {
        self.expose().is_empty()
    }
}

impl PartialEq for Secret {
    fn eq(&self, other: &Self) -> bool {
        self.expose()
            .as_bytes()
            .ct_eq(other.expose().as_bytes())
            .into()
    }
}

impl Eq for Secret {}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Self::new)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_shows_nothing_of_the_text() {
        assert_eq!(format!("{:?}", Secret::new("hunter2")), "Secret(…)");
    }
}
