//! `GET /v1/users/me/usage`

use axum::extract::State;
use keyway_shared::domain::account::Scope;
use serde::Serialize;
use utoipa::ToSchema;

use super::PLAN;
use crate::auth::roles;
use crate::envelope::{Data, Envelope};
use crate::error::ApiError;
use crate::extract::Caller;
use crate::schema::Guarded;
use crate::state::ApiState;

const UNLIMITED: &str = "unlimited";

/// What a plan limits elsewhere. Here nothing does.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[expect(clippy::struct_field_names, reason = "existing clients know them so")]
pub(crate) struct UsageLimits {
    max_public_repos: &'static str,
    max_private_repos: &'static str,
    max_providers: &'static str,
    max_environments_per_vault: &'static str,
    max_secrets_per_private_vault: &'static str,
}

/// What there is of it.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct UsageCounts {
    /// Always 0: vaults are not told apart by who may see their repository.
    public: i64,
    /// The caller's vaults.
    private: i64,
    /// The caller's connections.
    providers: i64,
}

/// Limits and use.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Usage)]
pub(crate) struct CallersUsage {
    plan: &'static str,
    limits: UsageLimits,
    usage: UsageCounts,
}

/// Get the caller's usage
///
/// For existing pages. Nothing is limited by a plan.
#[utoipa::path(get, path = "/v1/users/me/usage", tag = "users",
    responses((status = 200, body = Envelope<CallersUsage>), Guarded))]
pub(crate) async fn get_usage(
    State(state): State<ApiState>,
    caller: Caller,
) -> Result<Data<CallersUsage>, ApiError> {
    caller.require(Scope::ReadSecrets)?;
    roles::of_all(&state, &caller).await?;
    let mut tx = state.store.begin_read().await?;
    let (_, vaults) = tx.list_vaults(caller.user.id, 1, 0).await?;
    let connections = tx.list_connections(caller.user.id).await?;
    tx.commit().await?;
    Ok(Data(CallersUsage {
        plan: PLAN,
        limits: UsageLimits {
            max_public_repos: UNLIMITED,
            max_private_repos: UNLIMITED,
            max_providers: UNLIMITED,
            max_environments_per_vault: UNLIMITED,
            max_secrets_per_private_vault: UNLIMITED,
        },
        usage: UsageCounts {
            public: 0,
            private: vaults,
            providers: connections.len() as i64,
        },
    }))
}
