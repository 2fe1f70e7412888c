//! What a code is worth: a credential, and whose account it is for.

use axum::http::StatusCode;
use keyway_shared::domain::connection::{Credential, ProviderAccount, ProviderName, TokenPair};
use keyway_shared::domain::names::is_provider_ref;
use keyway_shared::providers::{Provider, ProviderError, Return, Session};
use keyway_shared::secret::Secret;

use super::callback::CallbackFields;
use super::{Refusal, callback_url};
use crate::state::ApiState;

/// What a code was exchanged for.
pub(super) struct Exchanged {
    pub(super) token: TokenPair,
    pub(super) account: ProviderAccount,
    pub(super) installation_id: Option<String>,
}

/// Exchanges the code that the browser brought, and asks whose account it is. Each call ends in time:
/// see `KEYWAY_PROVIDER_TIMEOUT`.
pub(super) async fn exchange(
    state: &ApiState,
    provider: &dyn Provider,
    name: ProviderName,
    fields: &CallbackFields,
    verifier: Option<&Secret>,
) -> Result<Exchanged, Refusal> {
    let display = provider.descriptor().display_name;
    let code = present(fields.code.as_deref()).ok_or_else(|| {
        Refusal::new(
            StatusCode::BAD_REQUEST,
            "Not connected",
            &format!("{display} sent you here without a code. Nothing was connected."),
            "Please start again.",
        )
    })?;
    let callback = callback_url(&state.options, name);
    let failed = |error: ProviderError| refusal(name, display, &error);
    let back = Return {
        code,
        callback: &callback,
        verifier,
        issuer: fields.iss.as_deref(),
    };
    let grant = provider.exchange_code(&back).await.map_err(failed)?;
    // Anybody can write into an address; what came with the token counts. Where the two differ, the
    // code is not the one that the rest of the address was made for.
    let told = present(fields.configuration_id.as_deref());
    let installation = grant.installation_id.as_deref();
    let other_team = present(fields.team_id.as_deref())
        .is_some_and(|told| grant.team_id.as_deref() != Some(told));
    let other_installation =
        told.is_some_and(|told| installation.is_some_and(|granted| granted != told));
    if other_team || other_installation {
        tracing::warn!(provider = %name, other_team, other_installation,
            "a code is for another account than its address says");
        return Err(Refusal::new(
            StatusCode::BAD_REQUEST,
            "Not the same account",
            &format!(
                "The address names another account than the one that {display} gave access to. \
                 Nothing was connected."
            ),
            "Please start again, and choose the account that you mean.",
        ));
    }
    let session = Session::unguarded(Credential {
        token: grant.token.access.clone(),
        team_id: grant.team_id.clone(),
        installation_id: grant.installation_id.clone(),
        token_kind: None,
    });
    let account = provider.account(&session).await.map_err(failed)?;
    Ok(Exchanged {
        token: grant.token,
        account,
        installation_id: grant
            .installation_id
            .or_else(|| told.filter(|id| is_provider_ref(id)).map(str::to_owned)),
    })
}

/// A parameter without a text is as good as none.
pub(super) fn present(text: Option<&str>) -> Option<&str> {
    text.filter(|text| !text.is_empty())
}

fn refusal(name: ProviderName, display: &str, error: &ProviderError) -> Refusal {
    tracing::warn!(provider = %name, outcome = error.outcome(), "an authorization failed");
    let (status, title, happened, to_do) = match error {
        ProviderError::Invalid { .. } => (
            StatusCode::BAD_REQUEST,
            "This link no longer works",
            "did not accept the authorization: it works once, and not for long.",
            "Please start again. If this happens again, whoever runs this service should look at the \
             integration's client id and secret.",
        ),
        ProviderError::RateLimited { .. } => (
            StatusCode::SERVICE_UNAVAILABLE,
            "Not connected",
            "limits requests at the moment.",
            "Please wait for a few minutes, and start again.",
        ),
        ProviderError::Unauthorized | ProviderError::Forbidden | ProviderError::NotFound => (
            StatusCode::BAD_REQUEST,
            "Not connected",
            "gave a credential that does not work.",
            "Please start again.",
        ),
        _ => (
            StatusCode::BAD_GATEWAY,
            "Not connected",
            "did not answer as it should.",
            "Please start again in a moment.",
        ),
    };
    let happened = format!("{display} {happened} Nothing was connected.");
    Refusal::new(status, title, &happened, to_do)
}
