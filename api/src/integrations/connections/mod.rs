//! Connections: the caller's accounts at providers.

pub(super) mod all_projects;
pub(super) mod delete;
mod give_back;
pub(super) mod list;
pub(super) mod projects;

use chrono::{DateTime, Utc};
use keyway_shared::domain::connection::{
    AuthMethod, Connection, ConnectionStatus, ProviderAccount, ProviderName, ReconnectReason,
    TokenState,
};
use keyway_shared::providers::Project;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::envelope::Timestamp;

/// A connection.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Connection)]
pub(crate) struct ConnectionBody {
    /// Identity; kept when the same account is connected again.
    pub(super) id: Uuid,
    /// The provider.
    #[schema(example = "vercel")]
    provider: &'static str,
    /// The team's id, or the user's for a personal account.
    provider_account_id: String,
    /// The user at the provider.
    provider_user_id: String,
    /// The team at the provider; null for a personal account.
    provider_team_id: Option<String>,
    /// The team's or the user's name.
    account_name: String,
    /// Whether the provider still accepts the credential.
    #[schema(pattern = "^(active|needs-reconnect)$")]
    status: &'static str,
    /// Why it has to be made again: the provider refused the token, or told that the installation was
    /// removed; it refused to renew the token; or a renewal was interrupted, and nobody knows which token
    /// counts. Null while it works.
    #[schema(pattern = "^(refused|removed|renewal-refused|renewal-lost)$")]
    status_reason: Option<&'static str>,
    /// When it was made, or made again.
    created_at: Timestamp,
    /// Last change.
    updated_at: Timestamp,
}

impl From<Connection> for ConnectionBody {
    fn from(connection: Connection) -> Self {
        Self {
            id: connection.id,
            provider: connection.provider.as_str(),
            provider_account_id: connection.provider_account_id,
            provider_user_id: connection.provider_user_id,
            provider_team_id: connection.provider_team_id,
            account_name: connection.account_name,
            status: connection.status.as_str(),
            status_reason: connection.status_reason.map(ReconnectReason::as_str),
            created_at: connection.created_at.into(),
            updated_at: connection.updated_at.into(),
        }
    }
}

impl ConnectionBody {
    fn mark_dead(&mut self) {
        self.status = ConnectionStatus::NeedsReconnect.as_str();
        self.status_reason
            .get_or_insert(ReconnectReason::Refused.as_str());
    }
}

/// A project at a provider.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Project)]
pub(crate) struct ProjectBody {
    /// Its id.
    #[schema(example = "prj_xxx")]
    id: String,
    /// Its name.
    name: String,
    /// `owner/repo` of the repository it is linked with.
    #[serde(skip_serializing_if = "Option::is_none")]
    linked_repo: Option<String>,
    /// The framework that the provider detected.
    #[serde(skip_serializing_if = "Option::is_none")]
    framework: Option<String>,
    /// What `providerEnvironment` may be.
    environments: Vec<String>,
}

impl From<Project> for ProjectBody {
    fn from(project: Project) -> Self {
        Self {
            id: project.id,
            name: project.name,
            linked_repo: project.linked_repo,
            framework: project.framework,
            environments: project.environments,
        }
    }
}

/// A connection that is about to be saved.
pub(super) fn new_connection(
    id: Uuid,
    user_id: Uuid,
    provider: ProviderName,
    account: &ProviderAccount,
    auth_method: AuthMethod,
    installation_id: Option<String>,
    now: DateTime<Utc>,
) -> Connection {
    Connection {
        id,
        user_id,
        provider,
        provider_account_id: account.account_id().to_owned(),
        provider_user_id: account.user_id.clone(),
        provider_team_id: account.team_id.clone(),
        installation_id,
        account_name: account.display_name().to_owned(),
        auth_method,
        token_kind: account.token_kind.map(str::to_owned),
        status: ConnectionStatus::Active,
        status_reason: None,
        token: TokenState::default(),
        created_at: now,
        updated_at: now,
    }
}
