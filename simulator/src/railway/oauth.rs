//! "Login with Railway": the consent page, the exchange of its code, refresh, and who signed in.

use std::collections::{BTreeMap, BTreeSet};

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::access::picked;
use super::model::{Grant, Token};
use super::presets::{CLIENT_ID, CLIENT_SECRET, NATIVE_CLIENT_ID, USER};
use super::state::State;

/// An access token's life.
const ACCESS_MS: u64 = 3_600_000;
/// A refresh token's life.
const REFRESH_MS: u64 = 365 * 24 * 3_600_000;
/// A code's life.
const CODE_MS: u64 = 600_000;
/// Refresh tokens that an authorization may have.
const MAX_REFRESH_TOKENS: usize = 100;

const SCOPES: &[&str] = &[
    "openid",
    "email",
    "profile",
    "offline_access",
    "workspace:viewer",
    "workspace:member",
    "workspace:admin",
    "project:viewer",
    "project:member",
];

#[derive(Debug, Default)]
pub(super) struct OAuth {
    /// Where browsers may be sent back to.
    pub(super) redirect_uris: BTreeSet<String>,
    codes: BTreeMap<String, Code>,
    /// In the order in which they were made.
    refresh_tokens: Vec<(String, Refresh)>,
}

#[derive(Debug)]
struct Code {
    client: String,
    redirect_uri: String,
    challenge: Option<String>,
    offline: bool,
    grant: Grant,
    ends_at: u64,
}

#[derive(Debug)]
struct Refresh {
    client: String,
    grant: Grant,
    ends_at: u64,
    /// Times that it was answered with itself.
    repeated: u32,
    rotated: bool,
}

/// Status and body.
pub(super) type Reply = (u16, Value);

fn refused(status: u16, error: &str, description: &str) -> Reply {
    let body = json!({ "error": error, "error_description": description });
    (status, body)
}

fn invalid_grant() -> Reply {
    refused(400, "invalid_grant", "grant request is invalid")
}

pub(super) fn discovery(issuer: &str) -> Reply {
    let at = |path: &str| format!("{issuer}{path}");
    (
        200,
        json!({
            "issuer": issuer,
            "authorization_endpoint": at("/auth"),
            "token_endpoint": at("/token"),
            "userinfo_endpoint": at("/me"),
            "pushed_authorization_request_endpoint": at("/request"),
            "registration_endpoint": at("/register"),
            "device_authorization_endpoint": at("/device/auth"),
            "scopes_supported": SCOPES,
            "response_types_supported": ["code"],
            "grant_types_supported": ["authorization_code", "refresh_token"],
            "code_challenge_methods_supported": ["S256"],
            "token_endpoint_auth_methods_supported":
                ["client_secret_basic", "client_secret_post", "none"],
            "authorization_response_iss_parameter_supported": true,
        }),
    )
}

/// Where the consent page sends the browser to; nobody is asked here.
pub(super) fn authorize(
    state: &mut State,
    issuer: &str,
    query: &BTreeMap<String, String>,
) -> Result<String, Reply> {
    let get = |name: &str| query.get(name).map(String::as_str);
    let client = get("client_id").unwrap_or_default();
    if client != CLIENT_ID && client != NATIVE_CLIENT_ID {
        return Err(refused(400, "invalid_client", "client is invalid"));
    }
    let redirect_uri = get("redirect_uri").unwrap_or_default();
    if !state.oauth.redirect_uris.contains(redirect_uri) {
        let text = "redirect_uri did not match any of the client's registered redirect_uris";
        return Err(refused(400, "invalid_redirect_uri", text));
    }
    let back = |fields: &[(&str, &str)]| {
        let mut query = form_urlencoded::Serializer::new(String::new());
        query.extend_pairs(fields);
        if let Some(given) = get("state") {
            query.append_pair("state", given);
        }
        let query = query.append_pair("iss", issuer).finish();
        let joint = if redirect_uri.contains('?') { '&' } else { '?' };
        Ok(format!("{redirect_uri}{joint}{query}"))
    };
    if get("response_type") != Some("code") {
        return back(&[("error", "unsupported_response_type")]);
    }
    let challenge = get("code_challenge").map(str::to_owned);
    let plain = challenge.is_some() && get("code_challenge_method") != Some("S256");
    if plain || (challenge.is_none() && client == NATIVE_CLIENT_ID) {
        return back(&[("error", "invalid_request")]);
    }
    let mut scopes: BTreeSet<String> = get("scope")
        .unwrap_or_default()
        .split_ascii_whitespace()
        .map(str::to_owned)
        .collect();
    let known = |scope: &String| SCOPES.contains(&scope.as_str());
    if !scopes.contains("openid") || !scopes.iter().all(known) {
        return back(&[("error", "invalid_scope")]);
    }
    if state.options.consent_denied {
        return back(&[("error", "access_denied")]);
    }
    let offline = scopes.contains("offline_access") && get("prompt") == Some("consent");
    if !offline {
        scopes.remove("offline_access");
    }
    let options = &state.options;
    let workspaces = state
        .workspaces
        .iter()
        .filter(|workspace| workspace.role.is_some())
        .map(|workspace| workspace.id.clone());
    let projects = state.projects.iter().map(|project| project.id.clone());
    let grant = Grant {
        // What a user allowed an app is one authorization, however often they sign in.
        authorization: client.to_owned(),
        workspaces: picked(
            workspaces,
            options.consent_workspaces.as_ref(),
            &scopes,
            "workspace:",
        ),
        projects: picked(
            projects,
            options.consent_projects.as_ref(),
            &scopes,
            "project:",
        ),
        scopes,
        ends_at: 0,
    };
    let ends_at = state.now() + CODE_MS;
    let code = state.opaque("simulated-code-");
    state.oauth.codes.insert(
        code.clone(),
        Code {
            client: client.to_owned(),
            redirect_uri: redirect_uri.to_owned(),
            challenge,
            offline,
            grant,
            ends_at,
        },
    );
    back(&[("code", &code)])
}

/// `POST /oauth/token`.
pub(super) fn token(
    state: &mut State,
    issuer: &str,
    form: &BTreeMap<String, String>,
    authorization: Option<&str>,
) -> Reply {
    let Some(client) = client(form, authorization) else {
        return refused(401, "invalid_client", "client authentication failed");
    };
    match form.get("grant_type").map(String::as_str) {
        Some("authorization_code") => exchange(state, issuer, &client, form),
        Some("refresh_token") => refresh(state, issuer, &client, form),
        _ => refused(
            400,
            "unsupported_grant_type",
            "unsupported grant_type requested",
        ),
    }
}

/// The client, if it signs in as its kind does: with the secret, or without one.
fn client(form: &BTreeMap<String, String>, authorization: Option<&str>) -> Option<String> {
    let basic = match authorization {
        Some(header) => {
            let bytes = STANDARD.decode(header.strip_prefix("Basic ")?).ok()?;
            let text = String::from_utf8(bytes).ok()?;
            let (id, secret) = text.split_once(':')?;
            Some((decode(id), decode(secret)))
        }
        None => None,
    };
    let posted = form.get("client_secret").cloned();
    let (id, secret) = match (basic, posted) {
        (Some(_), Some(_)) => return None,
        (Some((id, secret)), None) => (id, Some(secret)),
        (None, posted) => (form.get("client_id")?.clone(), posted),
    };
    let fits = match id.as_str() {
        CLIENT_ID => secret.as_deref() == Some(CLIENT_SECRET),
        NATIVE_CLIENT_ID => secret.is_none(),
        _ => false,
    };
    fits.then_some(id)
}

fn decode(text: &str) -> String {
    percent_encoding::percent_decode_str(text)
        .decode_utf8_lossy()
        .into_owned()
}

/// Exchanges a code, once.
fn exchange(
    state: &mut State,
    issuer: &str,
    client: &str,
    form: &BTreeMap<String, String>,
) -> Reply {
    let get = |name: &str| form.get(name).map(String::as_str);
    let now = state.now();
    let code = get("code").and_then(|code| state.oauth.codes.remove(code));
    let Some(code) = code.filter(|code| code.ends_at > now) else {
        return invalid_grant();
    };
    let verified = match (&code.challenge, get("code_verifier")) {
        (None, _) => true,
        (Some(challenge), Some(verifier)) => {
            URL_SAFE_NO_PAD.encode(Sha256::digest(verifier)) == *challenge
        }
        (Some(_), None) => false,
    };
    if code.client != client || get("redirect_uri") != Some(&code.redirect_uri) || !verified {
        return invalid_grant();
    }
    let refresh = code
        .offline
        .then(|| new_refresh(state, client, &code.grant));
    answer(state, issuer, client, code.grant, refresh)
}

fn refresh(
    state: &mut State,
    issuer: &str,
    client: &str,
    form: &BTreeMap<String, String>,
) -> Reply {
    let now = state.now();
    let repeats = state.options.refreshes_before_rotation;
    let given = form.get("refresh_token").map_or("", String::as_str);
    let tokens = &mut state.oauth.refresh_tokens;
    let Some((_, found)) = tokens.iter_mut().find(|(token, _)| token == given) else {
        return invalid_grant();
    };
    if found.client != client || found.ends_at <= now {
        return invalid_grant();
    }
    if found.rotated {
        // Either of the two who have it may be a thief.
        let authorization = found.grant.authorization.clone();
        revoke(state, &authorization);
        return invalid_grant();
    }
    let grant = found.grant.clone();
    let next = if found.repeated < repeats {
        found.repeated += 1;
        given.to_owned()
    } else {
        found.rotated = true;
        new_refresh(state, client, &grant)
    };
    answer(state, issuer, client, grant, Some(next))
}

fn new_refresh(state: &mut State, client: &str, grant: &Grant) -> String {
    let token = state.opaque("simulated-refresh-");
    let ends_at = state.now() + REFRESH_MS;
    let refresh = Refresh {
        client: client.to_owned(),
        grant: grant.clone(),
        ends_at,
        repeated: 0,
        rotated: false,
    };
    let tokens = &mut state.oauth.refresh_tokens;
    tokens.push((token.clone(), refresh));
    let live =
        |refresh: &Refresh| refresh.grant.authorization == grant.authorization && !refresh.rotated;
    if tokens.iter().filter(|(_, refresh)| live(refresh)).count() > MAX_REFRESH_TOKENS
        && let Some(oldest) = tokens.iter().position(|(_, refresh)| live(refresh))
    {
        tokens.remove(oldest);
    }
    token
}

/// Ends everything that came from an authorization.
pub(super) fn revoke(state: &mut State, authorization: &str) {
    state
        .oauth
        .refresh_tokens
        .retain(|(_, refresh)| refresh.grant.authorization != authorization);
    state
        .oauth
        .codes
        .retain(|_, code| code.grant.authorization != authorization);
    state.tokens.retain(|_, token| match token {
        Token::OAuth(grant) => grant.authorization != authorization,
        _ => true,
    });
}

fn answer(
    state: &mut State,
    issuer: &str,
    client: &str,
    mut grant: Grant,
    refresh: Option<String>,
) -> Reply {
    let now = state.now();
    let access_token = state.opaque("simulated-access-");
    grant.ends_at = now + ACCESS_MS;
    let scope = Vec::from_iter(grant.scopes.clone()).join(" ");
    state
        .tokens
        .insert(access_token.clone(), Token::OAuth(grant));
    // Who signed in for whom, and nothing about them. It is not signed.
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let claims = json!({ "iss": issuer, "sub": USER, "aud": client, "iat": now / 1_000,
        "exp": (now + ACCESS_MS) / 1_000 });
    let id_token = format!("{}.{}.", part(&json!({ "alg": "none" })), part(&claims));
    let mut body = json!({ "access_token": access_token, "token_type": "Bearer",
        "expires_in": ACCESS_MS / 1_000, "scope": scope, "id_token": id_token });
    if let Some(refresh) = refresh {
        body["refresh_token"] = json!(refresh);
    }
    (200, body)
}

/// `GET /oauth/me`.
pub(super) fn me(grant: &Grant) -> Reply {
    let mut body = json!({ "sub": USER });
    if grant.has("email") {
        body["email"] = json!("ada@example.com");
    }
    if grant.has("profile") {
        body["name"] = json!("Ada");
        body["picture"] = json!("https://avatars.example.com/ada");
    }
    (200, body)
}

pub(super) fn no_such_token() -> Reply {
    refused(401, "invalid_token", "invalid token provided")
}
