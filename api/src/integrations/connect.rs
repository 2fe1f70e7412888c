//! `POST /v1/integrations/{provider}/connect`

use axum::extract::State;
use keyway_shared::domain::account::Scope;
use keyway_shared::domain::activity::Action;
use keyway_shared::domain::connection::{AuthMethod, Credential, ProviderAccount};
use keyway_shared::domain::names::{PROVIDER_REF_RULE, is_provider_ref};
use keyway_shared::providers::{Provider, ProviderError, Session};
use keyway_shared::secret::Secret;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::connections::{ConnectionBody, new_connection};
use super::outside;
use crate::auth::test_keys;
use crate::envelope::{Data, Envelope};
use crate::error::ApiError;
use crate::extract::{Caller, Json, Path};
use crate::idempotency::mark;
use crate::schema::{Body, Conflicting, Guarded, Missing, Outside};
use crate::state::ApiState;

/// Bundles of tokens are long.
const MAX_TOKEN: usize = 16_384;

/// A pasted token.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ConnectBody {
    /// The provider's token.
    #[schema(value_type = String, write_only, min_length = 1, max_length = 16384)]
    token: Secret,
    /// The team that it is to be used for; without it, the user's own account.
    team_id: Option<String>,
}

/// Whose token it is.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct AccountBody {
    /// The user at the provider.
    id: String,
    /// The user's login or name.
    username: String,
    /// The user's address, when the provider tells it.
    #[serde(skip_serializing_if = "Option::is_none")]
    email: Option<String>,
    /// The team's name, for a team's connection.
    #[serde(skip_serializing_if = "Option::is_none")]
    team_name: Option<String>,
}

/// A connection that was made.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Connected {
    /// Always true.
    success: bool,
    /// The provider.
    provider: &'static str,
    /// Whose token it is.
    user: AccountBody,
    /// The connection. Connecting the same account again keeps its id.
    connection: ConnectionBody,
}

/// Connect with a token
///
/// Verifies the token with the provider and saves it, encrypted. Connecting the same account again
/// renews the connection. Needs `write:secrets`.
#[utoipa::path(
    post,
    path = "/v1/integrations/{provider}/connect",
    operation_id = "connect_provider",
    tag = "integrations",
    params(("provider" = String, Path, description = "The provider.", example = "vercel")),
    request_body = ConnectBody,
    responses(
        (status = 200, description = "The connection.", body = Envelope<Connected>),
        Guarded, Missing, Conflicting, Body, Outside
    )
)]
pub(crate) async fn connect_provider(
    State(state): State<ApiState>,
    caller: Caller,
    Path(provider): Path<String>,
    Json(body): Json<ConnectBody>,
) -> Result<Data<Connected>, ApiError> {
    caller.require(Scope::WriteSecrets)?;
    let name = outside::provider_name(&provider)?;
    let provider = outside::provider(&state, name)?;
    if provider.descriptor().sign_in.tokens.is_empty() {
        return Err(ApiError::conflict(
            "This provider is connected by OAuth, not by a token",
        ));
    }
    let token = pasted(&*provider, &body.token)?;
    if body
        .team_id
        .as_deref()
        .is_some_and(|id| !is_provider_ref(id))
    {
        return Err(ApiError::field("teamId", PROVIDER_REF_RULE));
    }
    let session = Session::unguarded(Credential {
        token: token.clone(),
        team_id: body.team_id.clone(),
        installation_id: None,
        token_kind: None,
    });
    let account = provider
        .account(&session)
        .await
        .map_err(|error| match error {
            ProviderError::Unauthorized => ApiError::InvalidToken(
                "Invalid API token. Please check your token and try again.".into(),
            ),
            ProviderError::NotFound if body.team_id.is_some() => {
                ApiError::field("teamId", "is not a team that this token can be used for")
            }
            error => outside::failure(&error, state.ambient.now()),
        })?;

    let mut tx = state.store.begin().await?;
    let now = tx.now().await?;
    let connection = new_connection(
        state.ambient.new_id(),
        caller.user.id,
        name,
        &account,
        AuthMethod::Token,
        None,
        now,
    );
    let connection = tx.upsert_connection(&connection, &token).await?;
    // It may have been there before.
    test_keys::may_change_connection(&mut tx, &caller, connection.id).await?;
    let entry = caller.activity(
        state.ambient.new_id(),
        now,
        Action::IntegrationConnected,
        None,
        serde_json::json!({ "provider": name, "method": AuthMethod::Token }),
    );
    tx.insert_activity(&entry).await?;
    mark(&mut tx).await?;
    tx.commit().await?;
    let ProviderAccount {
        user_id,
        username,
        email,
        team_name,
        ..
    } = account;
    Ok(Data(Connected {
        success: true,
        provider: name.as_str(),
        user: AccountBody {
            id: user_id,
            username,
            email,
            team_name,
        },
        connection: connection.into(),
    }))
}

/// The token in what was pasted.
fn pasted(provider: &dyn Provider, pasted: &Secret) -> Result<Secret, ApiError> {
    let text = pasted.expose();
    if text.trim().is_empty() {
        return Err(ApiError::field("token", "is required"));
    }
    let token = (text.len() <= MAX_TOKEN).then(|| provider.token(text));
    token.flatten().ok_or_else(|| {
        ApiError::InvalidToken("Invalid API token. Please check your token and try again.".into())
    })
}
