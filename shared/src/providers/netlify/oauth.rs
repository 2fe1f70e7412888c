//! The authorization of our application: where the browser is sent, and what the code it brings back is
//! worth. There are no scopes: a token has all rights of its user.

use chrono::{DateTime, TimeDelta, Utc};
use url::Url;

use super::NetlifySettings;
use super::client::Client;
use super::errors::{invalid, refusal};
use super::wire::{AccessToken, OAuthError};
use crate::domain::connection::TokenPair;
use crate::providers::message::Answer;
use crate::providers::{Departure, Grant, ProviderError, Return};
use crate::secret::Secret;

/// The page that asks the user to allow our application.
pub(super) fn authorize_url(
    settings: &NetlifySettings,
    departure: &Departure<'_>,
) -> Option<String> {
    let (client_id, _) = settings.oauth()?;
    let mut url = Url::parse(&settings.web_url).ok()?;
    url.set_path("/authorize");
    url.query_pairs_mut()
        .append_pair("client_id", client_id)
        .append_pair("response_type", "code")
        .append_pair("redirect_uri", departure.callback)
        .append_pair("state", departure.state);
    Some(url.into())
}

/// Exchanges a code.
pub(super) async fn exchange(
    client: &Client,
    settings: &NetlifySettings,
    back: &Return<'_>,
    now: DateTime<Utc>,
) -> Result<Grant, ProviderError> {
    let token = ask(
        client,
        settings,
        vec![
            ("grant_type", Secret::new("authorization_code")),
            ("code", Secret::new(back.code)),
            ("redirect_uri", Secret::new(back.callback)),
        ],
    );
    Ok(Grant {
        token: pair(token.await?, now)?,
        team_id: None,
        installation_id: None,
    })
}

/// Asks for the next token. Netlify says that its tokens do not end; should one, this is how.
pub(super) async fn renew(
    client: &Client,
    settings: &NetlifySettings,
    refresh: &Secret,
    now: DateTime<Utc>,
) -> Result<TokenPair, ProviderError> {
    let form = vec![
        ("grant_type", Secret::new("refresh_token")),
        ("refresh_token", refresh.clone()),
    ];
    match ask(client, settings, form).await {
        Ok(token) => pair(token, now),
        Err(ProviderError::Invalid { code, .. }) if code == "invalid_grant" => {
            Err(ProviderError::Unauthorized)
        }
        // The call may have been taken: nothing tells whether the refresh token was used.
        Err(ProviderError::Timeout | ProviderError::Protocol) => Err(ProviderError::OutcomeUnknown),
        Err(error) => Err(error),
    }
}

async fn ask(
    client: &Client,
    settings: &NetlifySettings,
    mut form: Vec<(&'static str, Secret)>,
) -> Result<AccessToken, ProviderError> {
    let Some((client_id, client_secret)) = settings.oauth() else {
        return Err(invalid(
            "not_configured",
            "OAuth with Netlify is not set up here.",
        ));
    };
    form.push(("client_id", Secret::new(client_id)));
    form.push(("client_secret", client_secret.clone()));
    client.access_token(form, judge).await
}

fn pair(token: AccessToken, now: DateTime<Utc>) -> Result<TokenPair, ProviderError> {
    let access = token.token.filter(|token| !token.is_empty());
    let lasts = token.expires_in.filter(|seconds| *seconds > 0.0);
    let lasts = lasts.and_then(|seconds| TimeDelta::try_seconds(seconds as i64));
    Ok(TokenPair {
        access: access.ok_or(ProviderError::Protocol)?,
        refresh: token.refresh_token.filter(|token| !token.is_empty()),
        expires_at: lasts.and_then(|lasts| now.checked_add_signed(lasts)),
    })
}

pub(super) fn judge(answer: &Answer) -> Result<AccessToken, ProviderError> {
    if answer.is_success() {
        return answer.json();
    }
    let oauth: OAuthError = serde_json::from_slice(&answer.body).unwrap_or_default();
    match (answer.status, oauth.error.as_deref()) {
        (429 | 500.., _) => Err(refusal(answer)),
        (_, Some("invalid_client" | "unauthorized_client")) | (401 | 404, _) => Err(invalid(
            "invalid_client",
            "Netlify does not know this application; its client id and secret need the operator's care.",
        )),
        _ => Err(invalid(
            "invalid_grant",
            "Netlify did not accept the authorization; it works once and not for long. Start again.",
        )),
    }
}
