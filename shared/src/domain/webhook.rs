//! Webhooks: addresses of a vault's people that are told what became of syncs and connections.

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use serde_json::{Value, json};
use uuid::Uuid;

use super::connection::Connection;
use super::job::{ErrorCode, Job, JobState};
use super::report::{KeyOutcome, SyncReport};
use super::words;
use crate::secret::Secret;
use crate::sync::plan::Action;

/// How long the secret before signs as well, so that receivers can be given the new one in peace.
pub const OVERLAP: TimeDelta = TimeDelta::hours(24);
/// A webhook of which no attempt has succeeded for so long is disabled.
pub const GIVE_UP: TimeDelta = TimeDelta::days(5);
/// How long a delivery may take with all its attempts; longer than their pauses together.
pub const DELIVERY_DEADLINE: TimeDelta = TimeDelta::hours(36);
/// Webhooks that one vault may have.
pub const MAX_PER_VAULT: usize = 10;

words! {
    /// What webhooks are told of.
    pub enum EventType {
        /// A sync did everything.
        SyncSucceeded = "sync.succeeded",
        /// A sync did a part.
        SyncPartial = "sync.partial",
        /// A sync did nothing of what it should.
        SyncFailed = "sync.failed",
        /// A link that only reports found a difference.
        DriftDetected = "drift.detected",
        /// A provider no longer accepts a connection that the vault uses.
        ConnectionNeedsReconnect = "connection.needs-reconnect",
        /// Somebody asked for a test.
        WebhookTest = "webhook.test",
    }
}

impl EventType {
    /// Those that a webhook can ask for. A test comes to whoever is tested.
    pub fn subscribable() -> impl Iterator<Item = Self> {
        let all = Self::ALL.iter().copied();
        all.filter(|event| *event != Self::WebhookTest)
    }
}

words! {
    /// Why a webhook is told nothing.
    pub enum DisabledReason {
        /// Somebody said so.
        Requested = "requested",
        /// It answered 410.
        Gone = "gone",
        /// No attempt succeeded for days.
        Failing = "failing",
    }
}

/// A webhook, without its secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Webhook {
    /// Identity.
    pub id: Uuid,
    /// The vault.
    pub vault_id: Uuid,
    /// Who made it.
    pub created_by: Uuid,
    /// Where it is. May hold a token of the receiver's: for admins of the vault only.
    pub url: String,
    /// What it wants.
    pub events: Vec<EventType>,
    /// Until when the secret before signs as well.
    pub previous_until: Option<DateTime<Utc>>,
    /// Since when no attempt has succeeded.
    pub failing_since: Option<DateTime<Utc>>,
    /// Since when it is told nothing, and why.
    pub disabled: Option<(DateTime<Utc>, DisabledReason)>,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When it was changed last.
    pub updated_at: DateTime<Utc>,
}

/// What a delivery's run needs.
#[derive(Debug, Clone)]
pub struct Outgoing {
    /// Where to.
    pub url: String,
    /// What, as it is signed.
    pub body: String,
    /// What it is signed with: one secret, or two while they overlap.
    pub secrets: Vec<Secret>,
    /// Whether its webhook is to be told nothing.
    pub is_disabled: bool,
}

/// How one attempt went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Attempt {
    /// What it was answered with, if it was.
    pub status: Option<u16>,
}

impl Attempt {
    /// Whether it was taken.
    pub fn is_delivered(self) -> bool {
        self.status
            .is_some_and(|status| (200..300).contains(&status))
    }

    /// Whether there is nobody any more who would take it.
    pub fn is_gone(self) -> bool {
        self.status == Some(410)
    }
}

/// A delivery as the webhook's admins see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// Identity: that of its job.
    pub id: Uuid,
    /// What it tells.
    pub event: EventType,
    /// Where its job stands.
    pub state: JobState,
    /// Attempts so far.
    pub attempts: i64,
    /// What the last of them was answered with.
    pub last_status: Option<u16>,
    /// When that was.
    pub last_attempt_at: Option<DateTime<Utc>>,
    /// When it is tried again, while it waits.
    pub next_attempt_at: Option<DateTime<Utc>>,
    /// Why it ended without success.
    pub error_code: Option<ErrorCode>,
    /// The same as a sentence of ours.
    pub error: Option<String>,
    /// When it happened.
    pub created_at: DateTime<Utc>,
    /// End.
    pub finished_at: Option<DateTime<Utc>>,
}

/// Something that happened. Names, ids and counts; never values.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    /// What.
    pub kind: EventType,
    /// The rest, an object.
    pub data: Value,
}

impl Event {
    /// That a sync ended; nothing for one that somebody stopped.
    pub fn sync_ended(
        job: &Job,
        state: JobState,
        outcomes: &[KeyOutcome],
        report: &SyncReport,
    ) -> Option<Self> {
        let kind = match state {
            JobState::Succeeded => EventType::SyncSucceeded,
            JobState::Partial => EventType::SyncPartial,
            JobState::Failed => EventType::SyncFailed,
            JobState::Cancelled | JobState::Queued | JobState::Running | JobState::Waiting => {
                return None;
            }
        };
        let keys = |action: Action| -> Vec<&str> {
            let done = outcomes.iter().filter(|outcome| !outcome.failed());
            done.filter(|outcome| outcome.action == action)
                .map(|outcome| outcome.key.as_str())
                .collect()
        };
        let failures: Vec<Value> = report
            .failures
            .iter()
            .map(|failure| json!({ "key": failure.key, "code": failure.code }))
            .collect();
        let mut data = job_data(job);
        let more = json!({
            "status": report.status,
            "created": keys(Action::Create),
            "updated": keys(Action::Update),
            "deleted": keys(Action::Delete),
            "stats": report.stats,
            "failures": failures,
            // Not the sentence: it may name a provider's own code, which is the provider's text.
            "errorCode": report.error_code,
        });
        extend(&mut data, more);
        Some(Self { kind, data })
    }

    /// That a link's destination is no longer as the vault is. `keys` are those that differ.
    pub fn drift_detected(job: &Job, keys: &[String]) -> Self {
        let mut data = job_data(job);
        extend(&mut data, json!({ "keys": keys, "count": keys.len() }));
        Self {
            kind: EventType::DriftDetected,
            data,
        }
    }

    /// That a provider no longer accepts a connection.
    pub fn needs_reconnect(connection: &Connection) -> Self {
        Self {
            kind: EventType::ConnectionNeedsReconnect,
            data: json!({ "connectionId": connection.id, "provider": connection.provider }),
        }
    }

    /// That somebody wants to see whether it works.
    pub fn test() -> Self {
        Self {
            kind: EventType::WebhookTest,
            data: json!({ "message": "This is a test." }),
        }
    }

    /// What is sent: as Standard Webhooks has it, with the vault that it happened in.
    pub fn body(&self, vault_id: Uuid, vault_name: &str, at: DateTime<Utc>) -> String {
        let mut data = json!({ "vaultId": vault_id, "vault": vault_name });
        extend(&mut data, self.data.clone());
        json!({
            "type": self.kind,
            "timestamp": at.to_rfc3339_opts(SecondsFormat::Millis, true),
            "data": data,
        })
        .to_string()
    }
}

/// Which job, and what it was about.
fn job_data(job: &Job) -> Value {
    let request = &job.request;
    json!({
        "jobId": job.id,
        "linkId": request.link_id,
        "environment": request.keyway_environment,
        "connectionId": job.connection_id,
        "projectId": request.project_id,
        "serviceId": request.service_id,
        "providerEnvironment": request.provider_environment,
        "gitBranch": request.git_branch,
        "direction": request.direction,
    })
}

fn extend(data: &mut Value, more: Value) {
    if let (Value::Object(data), Value::Object(more)) = (data, more) {
        data.extend(more);
    }
}
