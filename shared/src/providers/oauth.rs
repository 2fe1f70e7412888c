//! Where tokens are given out and renewed, as RFC 6749 has it: for providers that keep to it.

use chrono::TimeDelta;
use serde::Deserialize;

use super::http::HttpClient;
use super::lenient::{number, secret, text};
use super::message::{Answer, Body, Call, Verb};
use super::{CallFamily, ProviderError};
use crate::domain::connection::TokenPair;
use crate::secret::Secret;

/// The fields of a request.
pub(super) type Form = Vec<(&'static str, Secret)>;

/// What is given out.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Tokens {
    #[serde(deserialize_with = "secret")]
    access_token: Option<Secret>,
    #[serde(deserialize_with = "secret")]
    refresh_token: Option<Secret>,
    #[serde(deserialize_with = "number")]
    expires_in: Option<f64>,
}

/// A refusal. Its description is not read.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Refused {
    #[serde(deserialize_with = "text")]
    error: Option<String>,
}

/// How we say who we are: the client's id and secret, in the form.
pub(super) fn own((id, secret): (&str, &Secret)) -> Form {
    vec![
        ("client_id", Secret::new(id)),
        ("client_secret", secret.clone()),
    ]
}

/// Asks for tokens. The call bears no credential but what is in the form.
pub(super) async fn ask<T>(
    http: &HttpClient,
    op: &'static str,
    form: Form,
    judge: impl FnOnce(&Answer) -> Result<T, ProviderError> + Send,
) -> Result<T, ProviderError> {
    let call = Call {
        op,
        family: CallFamily::OAuth,
        verb: Verb::Post,
        body: Body::Form(form),
        ..Call::get("/oauth/token", Vec::new())
    };
    http.call(None, call, judge).await
}

/// Asks for the next token. `client` is who we are; without it the operator took the settings away, and may
/// bring them back.
pub(super) async fn renew(
    http: &HttpClient,
    client: Option<(&str, &Secret)>,
    refresh: &Secret,
) -> Result<TokenPair, ProviderError> {
    let mut form = own(client.ok_or(ProviderError::Unavailable)?);
    form.extend([
        ("grant_type", Secret::new("refresh_token")),
        ("refresh_token", refresh.clone()),
    ]);
    let asked = ask(http, "oauth.renew", form, |answer| {
        // Told apart from what the transport says, below.
        Ok(renewed(answer, refresh))
    });
    match asked.await {
        Ok(result) => result,
        // Nothing was sent; or to something else than what gives out tokens, as a redirect tells.
        Err(ProviderError::Unavailable | ProviderError::Protocol) => {
            Err(ProviderError::Unavailable)
        }
        Err(_) => Err(ProviderError::OutcomeUnknown),
    }
}

/// Only one refusal says that the authorization is over. Others may be about this program's settings, or
/// about nothing that lasts, and leave the refresh token as it was.
pub(super) fn renewed(answer: &Answer, refresh: &Secret) -> Result<TokenPair, ProviderError> {
    if answer.is_success() {
        return pair(answer, Some(refresh)).ok_or(ProviderError::OutcomeUnknown);
    }
    Err(match (answer.status, code_of(answer).as_deref()) {
        (400..500, Some("invalid_grant")) => ProviderError::Unauthorized,
        (429, _) => ProviderError::RateLimited {
            until: answer.retry_at(None, None),
        },
        _ => ProviderError::Unavailable,
    })
}

/// The tokens of an answer. One that brings nothing to renew with leaves `kept`.
pub(super) fn pair(answer: &Answer, kept: Option<&Secret>) -> Option<TokenPair> {
    let tokens: Tokens = serde_json::from_slice(&answer.body).ok()?;
    let some = |token: Option<Secret>| token.filter(|token| !token.is_empty());
    let expires_at = tokens.expires_in.and_then(|seconds| {
        let life =
            TimeDelta::try_seconds(seconds as i64).filter(|life| *life > TimeDelta::zero())?;
        answer.received.checked_add_signed(life)
    });
    Some(TokenPair {
        access: some(tokens.access_token)?,
        refresh: some(tokens.refresh_token).or_else(|| kept.cloned()),
        expires_at,
    })
}

/// The code of a refusal.
pub(super) fn code_of(answer: &Answer) -> Option<String> {
    let refused: Refused = serde_json::from_slice(&answer.body).unwrap_or_default();
    refused.error
}
