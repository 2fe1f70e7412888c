//! "Login with Railway": OpenID Connect with PKCE, and tokens that end after an hour.
//!
//! What gives the next token may be answered with itself or with a new one, and one that was replaced
//! ends the whole authorization when it is used again. So what came last is what counts, and an answer
//! that was lost is not asked for again.

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use super::RailwaySettings;
use super::client::Client;
use super::errors::invalid;
use crate::crypto::pkce::challenge;
use crate::domain::connection::TokenPair;
use crate::providers::message::Answer;
use crate::providers::{Departure, Grant, ProviderError, Return, oauth};
use crate::secret::Secret;

/// Who they are, a token that can be renewed, and the projects that the user picks. `prompt=consent`
/// belongs to the second: without it nothing comes to renew with.
const SCOPES: &str = "openid email profile offline_access project:member";

/// The page that asks the user.
pub(super) fn authorize_url(
    settings: &RailwaySettings,
    departure: &Departure<'_>,
) -> Option<String> {
    let (client_id, _) = settings.oauth()?;
    let fields = [
        ("response_type", "code"),
        ("client_id", client_id),
        ("redirect_uri", departure.callback),
        ("scope", SCOPES),
        ("prompt", "consent"),
        ("state", departure.state),
        ("code_challenge", &challenge(departure.verifier)),
        ("code_challenge_method", "S256"),
    ];
    let fields = fields
        .map(|(name, value)| format!("{name}={}", utf8_percent_encode(value, NON_ALPHANUMERIC)));
    Some(format!("{}/auth?{}", issuer(settings), fields.join("&")))
}

/// Who gives out the codes.
fn issuer(settings: &RailwaySettings) -> String {
    format!("{}/oauth", settings.web_url.trim_end_matches('/'))
}

/// Exchanges a code, which works once.
pub(super) async fn exchange(
    client: &Client,
    settings: &RailwaySettings,
    back: &Return<'_>,
) -> Result<Grant, ProviderError> {
    let ours = settings
        .oauth()
        .ok_or_else(|| invalid("not_configured", "OAuth with Railway is not set up here."))?;
    let mut form = oauth::own(ours);
    let other = |iss: &str| iss.trim_end_matches('/') != issuer(settings);
    // It always says who it is (RFC 9207); who leaves that out is somebody else.
    if back.issuer.is_none_or(other) {
        return Err(invalid(
            "invalid_issuer",
            "The authorization was not given by Railway. Start again.",
        ));
    }
    let verifier = back.verifier.ok_or_else(spent)?;
    form.extend([
        ("grant_type", Secret::new("authorization_code")),
        ("code", Secret::new(back.code)),
        ("redirect_uri", Secret::new(back.callback)),
        ("code_verifier", verifier.clone()),
    ]);
    let token = oauth::ask(&client.http, "oauth.exchange", form, exchanged).await?;
    Ok(Grant {
        token,
        team_id: None,
        installation_id: None,
    })
}

pub(super) fn exchanged(answer: &Answer) -> Result<TokenPair, ProviderError> {
    if answer.is_success() {
        return oauth::pair(answer, None).ok_or(ProviderError::Protocol);
    }
    Err(match (answer.status, oauth::code_of(answer).as_deref()) {
        (429, _) => ProviderError::RateLimited {
            until: answer.retry_at(None, None),
        },
        (500.., _) => ProviderError::Unavailable,
        (401, _) | (_, Some("invalid_client" | "unauthorized_client")) => invalid(
            "invalid_client",
            "Railway does not know this app; its client id and secret need the operator's care.",
        ),
        _ => spent(),
    })
}

fn spent() -> ProviderError {
    invalid(
        "invalid_grant",
        "Railway did not accept the authorization; it works once and not for long. Start again.",
    )
}
