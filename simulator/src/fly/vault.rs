//! The secrets of one app: what is staged, and what has reached those who name no version.

use std::collections::BTreeMap;
use std::fmt::Write;

use sha2::{Digest, Sha256};

#[derive(Debug, Clone)]
pub(super) struct Secret {
    pub(super) value: String,
    pub(super) created_at: u64,
    pub(super) updated_at: u64,
}

pub(super) type Secrets = BTreeMap<String, Secret>;

#[derive(Debug)]
pub(super) struct Vault {
    salt: String,
    version: u64,
    secrets: Secrets,
    /// Versions that some still see, from the oldest.
    past: Vec<Past>,
}

#[derive(Debug)]
struct Past {
    version: u64,
    secrets: Secrets,
    /// When the next version replaced it.
    until: u64,
}

/// The secrets of a version.
#[derive(Debug, Clone, Copy)]
pub(super) struct Seen<'a> {
    pub(super) version: u64,
    pub(super) secrets: &'a Secrets,
}

impl Seen<'_> {
    pub(super) fn values(&self) -> BTreeMap<String, String> {
        let values = self.secrets.iter();
        values
            .map(|(name, secret)| (name.clone(), secret.value.clone()))
            .collect()
    }
}

impl Vault {
    pub(super) fn new(salt: String) -> Self {
        Self {
            salt,
            version: 0,
            secrets: Secrets::new(),
            past: Vec::new(),
        }
    }

    pub(super) const fn newest(&self) -> Seen<'_> {
        Seen {
            version: self.version,
            secrets: &self.secrets,
        }
    }

    /// What a write reaches only after this time.
    pub(super) fn arrived(&self, now: u64, lag_ms: u64) -> Seen<'_> {
        let mut past = self.past.iter();
        past.find(|past| past.until + lag_ms > now).map_or_else(
            || self.newest(),
            |past| Seen {
                version: past.version,
                secrets: &past.secrets,
            },
        )
    }

    /// Sets and unsets, all at one moment, and makes a new version if that changes anything.
    pub(super) fn write(
        &mut self,
        changes: BTreeMap<String, Option<String>>,
        at: u64,
        lag_ms: u64,
        same_value_is_new: bool,
    ) {
        let changed = changes.iter().any(|(name, value)| {
            let there = self.secrets.get(name).map(|secret| &secret.value);
            there != value.as_ref() || (value.is_some() && same_value_is_new)
        });
        if !changed {
            return;
        }
        self.past.retain(|past| past.until + lag_ms > at);
        if lag_ms > 0 {
            self.past.push(Past {
                version: self.version,
                secrets: self.secrets.clone(),
                until: at,
            });
        }
        self.version += 1;
        for (name, value) in changes {
            let Some(value) = value else {
                self.secrets.remove(&name);
                continue;
            };
            let secret = self.secrets.entry(name).or_insert_with(|| Secret {
                value: String::new(),
                created_at: at,
                updated_at: at,
            });
            secret.value = value;
            secret.updated_at = at;
        }
    }

    /// Equal for equal values of one name in one app, and of no use elsewhere.
    pub(super) fn digest(&self, name: &str, value: &str, length: usize) -> String {
        let mut hash = Sha256::new();
        for part in [&self.salt, name, value] {
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part);
        }
        let mut hex = String::new();
        for byte in hash.finalize() {
            let _ = write!(hex, "{byte:02x}");
        }
        hex.truncate(length);
        hex
    }
}
