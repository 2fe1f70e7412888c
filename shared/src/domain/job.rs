//! Jobs: what is to be done, how far it is, how it ended.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::activity::Platform;
use super::connection::ProviderName;
use super::words;
use crate::sync::options::SyncRequest;

words! {
    /// What a job does.
    pub enum JobKind {
        /// Makes one side equal to the other.
        Sync = "sync",
        /// Tells what a sync would do.
        Preview = "preview",
        /// Tells how the two sides differ.
        Diff = "diff",
        /// Counts what is on either side.
        Status = "status",
        /// Tells a webhook of an event. Of no environment and of no connection, whose ids are nil, so
        /// that nothing that is done to those reaches it; its request is empty.
        Webhook = "webhook",
    }
}

words! {
    /// Who waits for a job. `background` sorts before `interactive` in SQL as it does here, which
    /// the claim relies on: it prefers the larger class.
    pub enum JobClass {
        /// Nobody waits.
        Background = "background",
        /// A caller waits.
        Interactive = "interactive",
    }
}

words! {
    /// Where a job stands.
    pub enum JobState {
        /// Accepted, not yet taken.
        Queued = "queued",
        /// A worker holds its lease.
        Running = "running",
        /// Put aside until a time that the provider asked for, or that a retry's delay set.
        Waiting = "waiting",
        /// Ended; everything done.
        Succeeded = "succeeded",
        /// Ended; some keys failed.
        Partial = "partial",
        /// Ended; nothing done.
        Failed = "failed",
        /// Ended because somebody said so.
        Cancelled = "cancelled",
    }
}

impl JobState {
    /// Whether nothing will change any more.
    pub const fn is_final(self) -> bool {
        matches!(
            self,
            Self::Succeeded | Self::Partial | Self::Failed | Self::Cancelled
        )
    }
}

words! {
    /// Why a job ended without (full) success, or why a key did. Stable: clients match on it.
    pub enum ErrorCode {
        /// The project, or what it names, does not exist or is not visible to the credential.
        NotFound = "not-found",
        /// The provider has no environment of that name.
        UnknownEnvironment = "unknown-environment",
        /// The provider no longer accepts the credential.
        ReconnectRequired = "reconnect-required",
        /// The credential works but may not do this.
        Forbidden = "forbidden",
        /// The saved plan no longer fits what is there, was used, or has expired.
        PlanStale = "plan-stale",
        /// The source has no secrets and the request did not confirm that.
        EmptySource = "empty-source",
        /// More deletions than an automatic run may make.
        TooManyDeletes = "too-many-deletes",
        /// The destination would hold more variables than the provider takes.
        TooManySecrets = "too-many-secrets",
        /// Rows of the vault cannot be decrypted.
        VaultCorrupt = "vault-corrupt",
        /// The provider showed only a part of the variables.
        IncompleteView = "incomplete-view",
        /// The provider limits us.
        RateLimited = "rate-limited",
        /// The provider did not answer, or with a failure of its own.
        Unavailable = "unavailable",
        /// The provider's answer was not what its description says.
        ProviderError = "provider-error",
        /// The provider refused the value or the name.
        Rejected = "rejected",
        /// Another row or another writer was in the way.
        Conflict = "conflict",
        /// It is not known whether a write took effect.
        OutcomeUnknown = "outcome-unknown",
        /// The value refers to other variables at the provider, and whether that is meant was not said.
        Reference = "reference",
        /// Everything was written, and not all of it put into effect.
        RolloutFailed = "rollout-failed",
        /// Not tried, because what comes before it failed.
        NotAttempted = "not-attempted",
        /// The value cannot be read.
        Unreadable = "unreadable",
        /// The vault, its environment, the connection or the right to use them is gone.
        AuthorityGone = "authority-gone",
        /// Somebody cancelled it.
        Cancelled = "cancelled",
        /// The address that was given must not be called.
        TargetRefused = "target-refused",
        /// The receiver did not take it.
        Undelivered = "undelivered",
        /// It was not done within its time.
        Deadline = "deadline",
        /// It stopped its worker again and again.
        Poison = "poison",
        /// A fault of ours.
        Internal = "internal",
    }
}

/// What makes two projects the same project, whatever connection they are reached through. `|` and
/// `%` of the id are escaped, so that no two projects share a key.
pub fn project_key(provider: ProviderName, origin: &str, project_id: &str) -> String {
    let id = project_id.replace('%', "%25").replace('|', "%7C");
    format!("{provider}|{origin}|{id}")
}

/// A job as stored.
#[derive(Debug, Clone, PartialEq)]
pub struct Job {
    /// Identity; made by the caller, so that it can wait before the row exists.
    pub id: Uuid,
    /// What it does.
    pub kind: JobKind,
    /// Who waits.
    pub class: JobClass,
    /// Where it stands.
    pub state: JobState,
    /// Runs that count against the limit of attempts.
    pub attempt: i64,
    /// Claims, counted or not.
    pub run: i64,
    /// Takeovers from a dead process without progress in between.
    pub takeovers: i64,
    /// Who asked.
    pub user_id: Uuid,
    /// The vault.
    pub vault_id: Uuid,
    /// The vault's environment.
    pub environment_id: Uuid,
    /// The connection.
    pub connection_id: Uuid,
    /// `provider|host|project id`, for jobs that write, once the project's id is known.
    pub project_key: Option<String>,
    /// What was asked for. Ids and names, never values.
    pub request: SyncRequest,
    /// The finished job that it runs again.
    pub retry_of: Option<Uuid>,
    /// The API key that it was asked for with, if it was one; of a run of a link, the link's.
    pub api_key_id: Option<Uuid>,
    /// Not before this time.
    pub due_at: DateTime<Utc>,
    /// Why it waits.
    pub waiting_reason: Option<String>,
    /// The worker process that holds it.
    pub worker: Option<String>,
    /// The lease; a new id with each claim, so that an old holder cannot settle.
    pub lease_id: Option<Uuid>,
    /// End of the lease.
    pub lease_until: Option<DateTime<Utc>>,
    /// A running job that is to stop before its next call.
    pub cancel_requested: bool,
    /// Keys done.
    pub progress_done: i64,
    /// Keys to do.
    pub progress_total: i64,
    /// Calls made to the provider, over all runs.
    pub provider_calls: i64,
    /// Time spent waiting for rate limits, over all runs.
    pub rate_limited_ms: i64,
    /// Why it ended so.
    pub error_code: Option<ErrorCode>,
    /// The same as a sentence of ours.
    pub error: Option<String>,
    /// When it was accepted.
    pub created_at: DateTime<Utc>,
    /// First claim.
    pub started_at: Option<DateTime<Utc>>,
    /// End.
    pub finished_at: Option<DateTime<Utc>>,
    /// When it fails if it has not ended.
    pub deadline_at: DateTime<Utc>,
}

/// A job to insert.
#[derive(Debug, Clone)]
pub struct NewJob {
    /// Identity.
    pub id: Uuid,
    /// What it does.
    pub kind: JobKind,
    /// Who waits.
    pub class: JobClass,
    /// Who asked.
    pub user_id: Uuid,
    /// The vault.
    pub vault_id: Uuid,
    /// The vault's environment.
    pub environment_id: Uuid,
    /// The connection.
    pub connection_id: Uuid,
    /// Known already when the project was given by its canonical id.
    pub project_key: Option<String>,
    /// What was asked for.
    pub request: SyncRequest,
    /// The finished job that it runs again.
    pub retry_of: Option<Uuid>,
    /// The API key that it is asked for with, if it is one.
    pub api_key_id: Option<Uuid>,
    /// From where; nothing when nobody did.
    pub asked: Option<Asked>,
    /// When it is accepted.
    pub created_at: DateTime<Utc>,
    /// When it fails if it has not ended.
    pub deadline_at: DateTime<Utc>,
}

/// From where somebody asked for a job: what its entry in the activity log tells once it has ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    /// From which kind of client.
    pub platform: Platform,
    /// From which address.
    pub ip: Option<String>,
    /// With which session.
    pub session_id: Option<Uuid>,
    /// In which request.
    pub request_id: String,
}

/// One run of a job, kept as history.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct JobAttempt {
    /// Which run.
    pub run: i64,
    /// The worker process.
    pub worker: String,
    /// When it was claimed.
    pub started_at: DateTime<Utc>,
    /// When it was settled, handed back or taken over.
    pub finished_at: DateTime<Utc>,
    /// The state it was left in, or `lost` when its worker died.
    pub outcome: String,
    /// Why, when it was not a success.
    pub error_code: Option<ErrorCode>,
}
