//! The authorization of our application: where the browser is sent, and what the code it brings back is
//! worth. There are no scopes: a token has all rights of its user.

use url::Url;

use super::NetlifySettings;
use super::client::Client;
use super::errors::{invalid, refusal};
use crate::domain::connection::TokenPair;
use crate::providers::message::Answer;
use crate::providers::{Departure, Grant, ProviderError, Return, oauth};
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
) -> Result<Grant, ProviderError> {
    let ours = settings
        .oauth()
        .ok_or_else(|| invalid("not_configured", "OAuth with Netlify is not set up here."))?;
    let mut form = oauth::own(ours);
    form.extend([
        ("grant_type", Secret::new("authorization_code")),
        ("code", Secret::new(back.code)),
        ("redirect_uri", Secret::new(back.callback)),
    ]);
    Ok(Grant {
        token: oauth::ask(&client.http, "oauth.exchange", form, exchanged).await?,
        team_id: None,
        installation_id: None,
    })
}

pub(super) fn exchanged(answer: &Answer) -> Result<TokenPair, ProviderError> {
    if answer.is_success() {
        return oauth::pair(answer, None).ok_or(ProviderError::Protocol);
    }
    match (answer.status, oauth::code_of(answer).as_deref()) {
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
