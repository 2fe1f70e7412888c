//! The installation of our integration: where the browser is sent, and what the code it brings back
//! is worth. Redirect address and scopes are set at Vercel, not in the link.

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use super::VercelSettings;
use super::client::Client;
use super::errors::refusal;
use super::wire::AccessToken;
use crate::domain::connection::TokenPair;
use crate::providers::message::Answer;
use crate::providers::oauth::code_of;
use crate::providers::{Grant, ProviderError};
use crate::secret::Secret;

/// The page that asks the user to install the integration.
pub(super) fn authorize_url(settings: &VercelSettings, state: &str) -> Option<String> {
    let (_, _, slug) = settings.oauth()?;
    Some(format!(
        "{}/integrations/{}/new?state={}",
        settings.web_url.trim_end_matches('/'),
        utf8_percent_encode(slug, NON_ALPHANUMERIC),
        utf8_percent_encode(state, NON_ALPHANUMERIC),
    ))
}

/// Exchanges a code, which works once and for half an hour. The token has no expiry: it lives as
/// long as the installation.
pub(super) async fn exchange(
    client: &Client,
    settings: &VercelSettings,
    code: &str,
    callback: &str,
) -> Result<Grant, ProviderError> {
    let Some((id, secret, _)) = settings.oauth() else {
        return Err(invalid(
            "not_configured",
            "OAuth with Vercel is not set up here.",
        ));
    };
    let form = vec![
        ("client_id", Secret::new(id)),
        ("client_secret", secret.clone()),
        ("code", Secret::new(code)),
        ("redirect_uri", Secret::new(callback)),
    ];
    let token = client.access_token(form, judge).await?;
    Ok(Grant {
        token: token
            .token
            .filter(|token| !token.is_empty())
            .map(TokenPair::lasting)
            .ok_or(ProviderError::Protocol)?,
        team_id: token.team_id,
        installation_id: token.installation_id,
    })
}

/// A refusal comes in Vercel's form or in that of OAuth, where `error` is the code itself.
pub(super) fn judge(answer: &Answer) -> Result<AccessToken, ProviderError> {
    if answer.is_success() {
        return answer.json();
    }
    match (answer.status, code_of(answer).as_deref()) {
        (400..=499, Some("invalid_grant")) => Err(spent()),
        (429 | 500.., _) => Err(refusal(answer).error),
        (400..=499, Some("invalid_client" | "unauthorized_client")) | (401 | 404, _) => {
            Err(operator())
        }
        _ => match refusal(answer).error {
            // `not_found` is how an unknown client is refused.
            ProviderError::NotFound | ProviderError::Unauthorized => Err(operator()),
            _ => Err(spent()),
        },
    }
}

fn spent() -> ProviderError {
    invalid(
        "invalid_grant",
        "Vercel did not accept the authorization; it works once and not for long. Start again.",
    )
}

fn operator() -> ProviderError {
    invalid(
        "invalid_client",
        "Vercel does not know this integration; its client id and secret need the operator's care.",
    )
}

fn invalid(code: &str, message: &str) -> ProviderError {
    ProviderError::Invalid {
        code: code.to_owned(),
        message: message.to_owned(),
        key: None,
    }
}
