//! Changing the encryption keys: what a rotation is, and what stands in its way.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::words;

words! {
    /// Where a rotation stands.
    pub enum RotationState {
        /// Workers are at it, or will be.
        Running = "running",
        /// Ended; everything is sealed with its key.
        Succeeded = "succeeded",
        /// Ended; what did not open is as it was.
        Partial = "partial",
        /// Another key was put first meanwhile.
        Cancelled = "cancelled",
    }
}

words! {
    /// Why a ciphertext was left as it is.
    pub enum SealFault {
        /// It was altered, cut, or moved from another row.
        Damaged = "damaged",
        /// No key of the ring has the id that it names.
        UnknownKey = "unknown-key",
    }
}

/// A ciphertext that does not open.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct UnopenedRow {
    /// Its table.
    pub table: String,
    /// Its column.
    pub column: String,
    /// Its row.
    pub id: String,
    /// The key that it says it was sealed with.
    pub key_id: String,
    /// Why.
    pub fault: SealFault,
}

/// A run through everything that is sealed, to seal it with one key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyRotation {
    /// Identity.
    pub id: Uuid,
    /// The key that seals everything in the end.
    pub key_id: String,
    /// Where it stands.
    pub state: RotationState,
    /// What was sealed with another key when it began.
    pub total: i64,
    /// What it has sealed again.
    pub done: i64,
    /// What does not open.
    pub failed: i64,
    /// The first of that.
    pub failures: Vec<UnopenedRow>,
    /// The process that works on it, or was the last to.
    pub worker: Option<String>,
    /// When somebody asked for it.
    pub created_at: DateTime<Utc>,
    /// When it ended.
    pub finished_at: Option<DateTime<Utc>>,
}

/// How much of a column is sealed with a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyUse {
    /// The key.
    pub key_id: String,
    /// The table.
    pub table: String,
    /// The column of the ciphertext.
    pub column: String,
    /// How many of its rows.
    pub rows: i64,
}

/// A process that has shown itself lately, and the keys that it has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyHolder {
    /// Its name.
    pub id: String,
    /// `worker` or `api`.
    pub role: String,
    /// The key that it seals with.
    pub active_key_id: String,
    /// All of its keys; none when its version does not tell.
    pub key_ids: Vec<String>,
}

/// Why a process stands in the way of a rotation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Hindrance {
    /// It is of a version that does not tell its keys.
    Untold,
    /// It could not read what the rotation seals.
    Lacks,
    /// It would go on sealing with another key.
    SealsWith(String),
}

impl KeyHolder {
    /// Why everything cannot be sealed with a key while this process runs.
    pub fn hindrance(&self, key_id: &str) -> Option<Hindrance> {
        if self.active_key_id == key_id {
            None
        } else if self.key_ids.is_empty() {
            Some(Hindrance::Untold)
        } else if self.key_ids.iter().any(|known| known == key_id) {
            Some(Hindrance::SealsWith(self.active_key_id.clone()))
        } else {
            Some(Hindrance::Lacks)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_process_must_seal_with_the_key() {
        let holder = |active: &str, all: &[&str]| KeyHolder {
            id: "w".into(),
            role: "worker".into(),
            active_key_id: active.into(),
            key_ids: all.iter().map(|id| (*id).to_owned()).collect(),
        };
        assert_eq!(holder("k2", &["k2", "k1"]).hindrance("k2"), None);
        // An older version that was given the new key first does no harm.
        assert_eq!(holder("k2", &[]).hindrance("k2"), None);
        let behind = holder("k1", &["k1", "k2"]).hindrance("k2");
        assert_eq!(behind, Some(Hindrance::SealsWith("k1".into())));
        let blind = holder("k1", &["k1"]).hindrance("k2");
        assert_eq!(blind, Some(Hindrance::Lacks));
        assert_eq!(holder("k1", &[]).hindrance("k2"), Some(Hindrance::Untold));
    }
}
