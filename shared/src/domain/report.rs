//! What jobs answer. These shapes are stored with the job and are the `data` of the API's answers.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::job::ErrorCode;
use super::words;
use crate::sync::plan::{Action, Reason};
use crate::sync::warnings::Warning;

words! {
    /// How a sync ended, in the words that existing clients know.
    pub enum SyncStatus {
        /// Everything done.
        Success = "success",
        /// Some keys failed.
        Partial = "partial",
        /// Nothing done.
        Error = "error",
    }
}

/// What happened to one key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct KeyOutcome {
    /// The key.
    pub key: String,
    /// What the plan said.
    pub action: Action,
    /// Why the plan said so.
    pub reason: Reason,
    /// The type that the provider says the variable has now; told of what was written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub variable_type: Option<String>,
    /// Set when it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<ErrorCode>,
    /// The same as a sentence of ours.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}

impl KeyOutcome {
    /// Whether the planned action was not carried out.
    pub fn failed(&self) -> bool {
        self.code.is_some()
    }
}

/// A key that failed, as the API lists it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct KeyFailure {
    /// The key.
    pub key: String,
    /// Stable word.
    pub code: ErrorCode,
    /// Sentence of ours.
    pub message: String,
}

words! {
    /// What became of a part of a destination that was to get what was written.
    pub enum RolloutStatus {
        /// It has it, or is about to.
        Done = "done",
        /// It still has the old values.
        Failed = "failed",
    }
}

/// A part of a destination that was to get what was written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RolloutUnit {
    /// The provider's id of it.
    pub unit: String,
    /// Its name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// What became of it.
    pub status: RolloutStatus,
    /// Set when it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<ErrorCode>,
    /// The same as a sentence of ours.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}

/// Counts of a sync.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SyncStats {
    /// Keys created.
    pub created: u64,
    /// Keys updated.
    pub updated: u64,
    /// Keys deleted.
    pub deleted: u64,
    /// Keys skipped.
    pub skipped: u64,
    /// Keys failed.
    pub failed: u64,
    /// `created + updated + deleted`.
    pub total: u64,
}

/// The report of a sync.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SyncReport {
    /// `success`, `partial` or `error`.
    pub status: SyncStatus,
    /// True only for `success`.
    pub success: bool,
    /// Keys created.
    pub created: u64,
    /// Keys updated.
    pub updated: u64,
    /// Keys deleted.
    pub deleted: u64,
    /// Keys skipped.
    pub skipped: u64,
    /// Keys failed.
    pub failed: u64,
    /// The counts again, where existing clients read them.
    pub stats: SyncStats,
    /// The failed keys.
    pub failures: Vec<KeyFailure>,
    /// What went wrong, only when not success.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// The same as a stable word.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error_code: Option<ErrorCode>,
    /// The job.
    pub job_id: Uuid,
    /// Whether running deployments still have the old values.
    pub redeploy_required: bool,
    /// Each part of the destination to which the values were rolled out; only when that was tried.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rollout: Option<Vec<RolloutUnit>>,
    /// Calls made to the provider.
    pub provider_calls: u64,
    /// Time waited for rate limits.
    pub rate_limited_ms: u64,
}

impl SyncReport {
    /// Counts the outcomes and names the first failures.
    pub fn new(job_id: Uuid, outcomes: &[KeyOutcome], fatal: Option<&(ErrorCode, String)>) -> Self {
        let mut counts = SyncStats::default();
        let mut failures = Vec::new();
        for outcome in outcomes {
            if let Some(code) = outcome.code {
                counts.failed += 1;
                failures.push(KeyFailure {
                    key: outcome.key.clone(),
                    code,
                    message: outcome.message.clone().unwrap_or_default(),
                });
                continue;
            }
            match outcome.action {
                Action::Create => counts.created += 1,
                Action::Update => counts.updated += 1,
                Action::Delete => counts.deleted += 1,
                Action::Skip => counts.skipped += 1,
            }
        }
        counts.total = counts.created + counts.updated + counts.deleted;
        // What is left as it is on purpose is told, and the rest is right.
        let rest_is_right = failures
            .iter()
            .map(|failure| failure.code)
            .chain(fatal.map(|(code, _)| *code))
            .all(leaves_the_rest_right);
        let status = match (counts.failed, counts.total, fatal) {
            (0, _, None) => SyncStatus::Success,
            (_, 0, _) if !rest_is_right => SyncStatus::Error,
            _ => SyncStatus::Partial,
        };
        let error_code = fatal
            .map(|(code, _)| *code)
            .or_else(|| cause(&failures).map(|failure| failure.code));
        let error = match (fatal, failures.as_slice()) {
            (Some((_, message)), []) => Some(message.clone()),
            (Some((_, message)), failures) => {
                Some(format!("{message} {}", describe(failures, outcomes.len())))
            }
            (None, []) => None,
            (None, failures) => Some(describe(failures, outcomes.len())),
        };
        Self {
            status,
            success: status == SyncStatus::Success,
            created: counts.created,
            updated: counts.updated,
            deleted: counts.deleted,
            skipped: counts.skipped,
            failed: counts.failed,
            stats: counts,
            failures,
            error,
            error_code,
            job_id,
            redeploy_required: false,
            rollout: None,
            provider_calls: 0,
            rate_limited_ms: 0,
        }
    }
}

impl SyncReport {
    /// Of a sync that somebody stopped: not a success, whatever it had done, which is counted.
    #[must_use]
    pub fn cancelled(self) -> Self {
        Self {
            status: SyncStatus::Error,
            success: false,
            ..self
        }
    }
}

/// Whether what failed so was left as it is on purpose (because the provider did not show it, because
/// nobody said that a reference is meant, or because of such a key before it), or came after the rest.
const fn leaves_the_rest_right(code: ErrorCode) -> bool {
    matches!(
        code,
        ErrorCode::IncompleteView
            | ErrorCode::Reference
            | ErrorCode::NotAttempted
            | ErrorCode::RolloutFailed
    )
}

/// The first key that failed for a reason of its own.
fn cause(failures: &[KeyFailure]) -> Option<&KeyFailure> {
    let mut own = failures
        .iter()
        .filter(|failure| failure.code != ErrorCode::NotAttempted);
    own.next().or(failures.first())
}

/// "3 of 100 failed: A, B, C (rate-limited)"
fn describe(failures: &[KeyFailure], of: usize) -> String {
    const SHOWN: usize = 5;
    let names: Vec<&str> = failures
        .iter()
        .take(SHOWN)
        .map(|failure| failure.key.as_str())
        .collect();
    let more = match failures.len().saturating_sub(SHOWN) {
        0 => String::new(),
        n => format!(" and {n} more"),
    };
    let why = cause(failures).map_or_else(String::new, |failure| failure.message.clone());
    format!(
        "{} of {of} keys failed: {}{more} ({why})",
        failures.len(),
        names.join(", ")
    )
}

/// The report of a preview.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PreviewReport {
    /// Keys that a sync would create.
    pub to_create: Vec<String>,
    /// Keys that a sync would change.
    pub to_update: Vec<String>,
    /// Keys that a sync would delete.
    pub to_delete: Vec<String>,
    /// Keys that a sync would leave alone.
    pub to_skip: Vec<String>,
    /// Why, for each key.
    pub reasons: BTreeMap<String, Reason>,
    /// Calls that a sync would make of the provider, those included that look at what is there.
    #[serde(default)]
    pub provider_calls: u64,
    /// What there is to know before it is carried out.
    pub warnings: Vec<Warning>,
    /// The plan that a sync can name, to do exactly this. None when a sync would be refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub plan_id: Option<Uuid>,
    /// Until when it can.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub plan_expires_at: Option<DateTime<Utc>>,
}

/// The report of a diff.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DiffReport {
    /// Keys in the vault environment.
    pub keyway_count: u64,
    /// Keys at the provider, without those of the platform.
    pub provider_count: u64,
    /// Keys that only the vault has.
    pub only_in_keyway: Vec<String>,
    /// Keys that only the provider has.
    pub only_in_provider: Vec<String>,
    /// Keys whose values differ.
    pub different: Vec<String>,
    /// Keys whose values are equal.
    pub same: Vec<String>,
    /// Keys whose values cannot be compared.
    pub unverifiable: Vec<String>,
}

/// The report of a status.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StatusReport {
    /// No sync of this pair has succeeded yet.
    pub is_first_sync: bool,
    /// The vault environment holds nothing.
    pub vault_is_empty: bool,
    /// The provider holds something.
    pub provider_has_secrets: bool,
    /// How many distinct keys, without those of the platform.
    pub provider_secret_count: u64,
}
