//! The reports of jobs, as the document describes them. They are passed on as they were stored.

use std::collections::BTreeMap;

use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::envelope::Timestamp;

/// Counts of a sync.
#[derive(Debug, Default, Serialize, ToSchema)]
#[schema(as = SyncStats)]
pub(crate) struct StatsBody {
    /// Keys created.
    created: u64,
    /// Keys updated.
    updated: u64,
    /// Keys deleted.
    deleted: u64,
    /// Keys skipped.
    skipped: u64,
    /// Keys failed.
    failed: u64,
    /// `created + updated + deleted`.
    total: u64,
}

/// A key that failed.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = KeyFailure)]
pub(crate) struct FailureBody {
    /// The key.
    key: String,
    /// A stable word.
    #[schema(example = "rejected")]
    code: String,
    /// The same as a sentence.
    message: String,
}

/// A part of the destination: a service, a machine, a build.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = RolloutUnit)]
pub(crate) struct RolloutUnitBody {
    /// The provider's id of it.
    unit: String,
    /// Its name.
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    /// What became of it: `failed` has the old values still.
    #[schema(pattern = "^(done|failed)$")]
    status: String,
    /// Why it failed, as a stable word.
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<String>,
    /// The same as a sentence.
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<String>,
}

/// How a sync ended.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = SyncReport)]
pub(crate) struct SyncReportBody {
    /// How it ended.
    #[schema(pattern = "^(success|partial|error)$")]
    status: String,
    /// True only for `success`.
    success: bool,
    /// Keys created.
    created: u64,
    /// Keys updated.
    updated: u64,
    /// Keys deleted.
    deleted: u64,
    /// Keys skipped.
    skipped: u64,
    /// Keys failed.
    failed: u64,
    /// The counts again.
    stats: StatsBody,
    /// The keys that failed.
    failures: Vec<FailureBody>,
    /// What went wrong; only when not success.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    /// The same as a stable word.
    #[serde(skip_serializing_if = "Option::is_none")]
    error_code: Option<String>,
    /// The job.
    job_id: Uuid,
    /// Whether running deployments still have the old values.
    redeploy_required: bool,
    /// Each part of the destination to which the values were rolled out; only when that was tried.
    #[serde(skip_serializing_if = "Option::is_none")]
    rollout: Option<Vec<RolloutUnitBody>>,
    /// Calls made to the provider.
    provider_calls: u64,
    /// Time waited for rate limits.
    rate_limited_ms: u64,
}

/// What a sync would do. Keys are sorted.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = PreviewReport)]
pub(crate) struct PreviewBody {
    /// Keys that would be created.
    to_create: Vec<String>,
    /// Keys that would be changed.
    to_update: Vec<String>,
    /// Keys that would be deleted.
    to_delete: Vec<String>,
    /// Keys that would be left alone.
    to_skip: Vec<String>,
    /// Why, for each key.
    reasons: BTreeMap<String, String>,
    /// Calls that a sync would make of the provider when nothing stands in its way, those included that look
    /// at what is there, without those of a rollout.
    provider_calls: u64,
    /// What there is to know before it is carried out.
    warnings: Vec<WarningBody>,
    /// The plan that a sync can name, to do exactly this. None when a sync would be refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    plan_id: Option<Uuid>,
    /// Until when a sync with it is accepted.
    #[serde(skip_serializing_if = "Option::is_none")]
    plan_expires_at: Option<Timestamp>,
}

/// Something to know before a sync.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Warning)]
pub(crate) struct WarningBody {
    /// A stable word.
    #[schema(example = "near-the-limit")]
    code: String,
    /// The same as a sentence.
    message: String,
    /// The keys that it is about, sorted; none when it is about all of them.
    keys: Vec<String>,
}

/// How the two sides differ. Keys are sorted.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = DiffReport)]
pub(crate) struct DiffBody {
    /// Keys in the vault's environment.
    keyway_count: u64,
    /// Keys at the provider, without those of the platform.
    provider_count: u64,
    /// Keys that only the vault has.
    only_in_keyway: Vec<String>,
    /// Keys that only the provider has.
    only_in_provider: Vec<String>,
    /// Keys whose values differ.
    different: Vec<String>,
    /// Keys whose values are equal.
    same: Vec<String>,
    /// Keys whose values cannot be compared.
    unverifiable: Vec<String>,
}

/// What is on either side.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = StatusReport)]
pub(crate) struct StatusBody {
    /// No sync of this pair has succeeded yet.
    is_first_sync: bool,
    /// The vault's environment holds nothing.
    vault_is_empty: bool,
    /// The provider holds something.
    provider_has_secrets: bool,
    /// How many distinct keys, without those of the platform.
    provider_secret_count: u64,
}
