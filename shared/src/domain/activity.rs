//! Who did what, when and from where. Never values.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::words;

words! {
    /// What was done. The words are those that existing clients have labels for.
    pub enum Action {
        /// A vault was created.
        VaultCreated = "vault_created",
        /// A vault was deleted.
        VaultDeleted = "vault_deleted",
        /// An environment's secrets were replaced.
        SecretsPushed = "secrets_pushed",
        /// An environment's secrets were read.
        SecretsPulled = "secrets_pulled",
        /// A secret was created.
        SecretCreated = "secret_created",
        /// A secret was changed.
        SecretUpdated = "secret_updated",
        /// A secret was moved to the trash.
        SecretTrashed = "secret_trashed",
        /// A secret was taken out of the trash.
        SecretRestored = "secret_restored",
        /// A secret was removed for good.
        SecretPermanentlyDeleted = "secret_permanently_deleted",
        /// A secret's value was read.
        SecretValueAccessed = "secret_value_accessed",
        /// An old version became the value.
        SecretVersionRestored = "secret_version_restored",
        /// An old version's value was read.
        SecretVersionValueAccessed = "secret_version_value_accessed",
        /// A member was added, changed or removed.
        PermissionChanged = "permission_changed",
        /// An environment was created.
        EnvironmentCreated = "environment_created",
        /// An environment was renamed.
        EnvironmentRenamed = "environment_renamed",
        /// An environment was deleted.
        EnvironmentDeleted = "environment_deleted",
        /// A provider was connected.
        IntegrationConnected = "integration_connected",
        /// A provider was disconnected.
        IntegrationDisconnected = "integration_disconnected",
        /// A link was saved, changed or removed.
        LinkChanged = "link_changed",
        /// A sync ended, well or not.
        SecretsSynced = "secrets_synced",
        /// A job was cancelled.
        JobCancelled = "job_cancelled",
        /// A finished job was asked for again.
        JobRetried = "job_retried",
        /// Jobs are held back.
        JobsPaused = "jobs_paused",
        /// They go on.
        JobsResumed = "jobs_resumed",
        /// A webhook was made, changed, disabled or removed.
        WebhookChanged = "webhook_changed",
        /// An API key was made.
        ApiKeyCreated = "api_key_created",
        /// An API key was revoked.
        ApiKeyRevoked = "api_key_revoked",
        /// Someone signed in.
        UserLogin = "user_login",
        /// A session was ended before its time.
        SessionRevoked = "session_revoked",
    }
}

words! {
    /// What kind of client the request came from.
    pub enum Platform {
        /// The command line client.
        Cli = "cli",
        /// A browser.
        Web = "web",
        /// Anything else.
        Api = "api",
        /// The MCP server.
        Mcp = "mcp",
    }
}

/// One entry. Entries are only ever added.
#[derive(Debug, Clone, PartialEq)]
pub struct Activity {
    /// Identity; time-ordered.
    pub id: Uuid,
    /// When.
    pub at: DateTime<Utc>,
    /// What.
    pub action: Action,
    /// Who; `None` for the service itself.
    pub user_id: Option<Uuid>,
    /// The user's login name then.
    pub username: String,
    /// In which vault.
    pub vault_id: Option<Uuid>,
    /// That vault's repository then; stays when the vault is gone.
    pub repo_full_name: Option<String>,
    /// From which kind of client.
    pub platform: Platform,
    /// From which address.
    pub ip: Option<String>,
    /// With which API key.
    pub api_key_id: Option<Uuid>,
    /// With which session.
    pub session_id: Option<Uuid>,
    /// In which request.
    pub request_id: Option<String>,
    /// What else there is to say: names and counts.
    pub metadata: serde_json::Value,
}
