//! OAuth: the page that a browser is sent to, the exchange of its code, and tickets.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::model::time;
use super::options::{Pkce, TokenEncoding};
use super::presets::{CLIENT_ID, CLIENT_SECRET};
use super::reply::{Outcome, Refusal, Reply, not_found, refusal};
use super::state::State;

/// What an authorization gave, until it is exchanged.
#[derive(Debug)]
pub(super) struct Code {
    user: String,
    redirect_uri: String,
    challenge: Option<String>,
}

/// A way to sign in without a redirect and without a secret.
#[derive(Debug)]
pub(super) struct Ticket {
    client_id: String,
    /// Who allowed it.
    user: Option<String>,
    created_at: u64,
}

type Fields = BTreeMap<String, String>;

/// The page on which a person allows an application. It asks who they are (`as`); nobody has to sign in
/// here.
pub(super) fn authorize(state: &mut State, query: &Fields) -> Outcome {
    let get = |name: &str| query.get(name).map(String::as_str);
    if get("response_type") == Some("ticket") {
        return allow_ticket(state, query);
    }
    if get("client_id") != Some(CLIENT_ID) {
        return Err(refusal(401, "OAuth application not found"));
    }
    // What is wrong with the address is told to the person: nobody may be sent there.
    let redirect_uri = get("redirect_uri")
        .filter(|uri| {
            let registered = state.callback.as_ref();
            registered.is_none_or(|registered| registered == uri)
        })
        .ok_or_else(|| refusal(422, "The redirect_uri is not registered"))?
        .to_owned();
    let back = |separator: char, fields: &[(&str, &str)]| {
        let mut query = form_urlencoded::Serializer::new(String::new());
        query.extend_pairs(fields);
        if let Some(given) = get("state") {
            query.append_pair("state", given);
        }
        Ok(Reply::redirect(format!(
            "{redirect_uri}{separator}{}",
            query.finish()
        )))
    };
    let ask = if redirect_uri.contains('?') { '&' } else { '?' };
    let challenge = get("code_challenge").map(str::to_owned);
    if challenge.is_some() && state.options.pkce == Pkce::Refused {
        return back(ask, &[("error", "invalid_request")]);
    }
    let user = match get("as") {
        None => return Ok(choose(state, query)),
        Some("") => return back(ask, &[("error", "access_denied")]),
        Some(user) => known(state, user)?,
    };
    match get("response_type") {
        Some("code") => {
            let code = format!("code{:08}", state.serial());
            let challenge = challenge.filter(|_| state.options.pkce == Pkce::Checked);
            state.codes.insert(
                code.clone(),
                Code {
                    user,
                    redirect_uri: redirect_uri.clone(),
                    challenge,
                },
            );
            back(ask, &[("code", &code)])
        }
        // The only flow that the description declares.
        Some("token") => {
            let token = state.add_token(&user, state.options.oauth_lifetime_secs);
            back('#', &[("access_token", &token), ("token_type", "Bearer")])
        }
        _ => back(ask, &[("error", "unsupported_response_type")]),
    }
}

fn known(state: &State, user: &str) -> Result<String, Refusal> {
    let known = state.users.contains_key(user).then(|| user.to_owned());
    known.ok_or_else(|| not_found("User"))
}

fn allow_ticket(state: &mut State, query: &Fields) -> Outcome {
    let id = query.get("ticket").map_or("", String::as_str);
    if !state.tickets.contains_key(id) {
        return Err(not_found("Ticket"));
    }
    let said = match query.get("as").map(String::as_str) {
        None => return Ok(choose(state, query)),
        Some("") => "Nothing was allowed.",
        Some(user) => {
            let user = known(state, user)?;
            if let Some(ticket) = state.tickets.get_mut(id) {
                ticket.user = Some(user);
            }
            "Allowed. You can close this window."
        }
    };
    Ok(page(&format!("<p>{said}</p>")))
}

/// One link for each person who may allow it, and one to say no.
fn choose(state: &State, query: &Fields) -> Reply {
    let link = |user: &str, words: &str| {
        let query = form_urlencoded::Serializer::new(String::new())
            .extend_pairs(query)
            .append_pair("as", user)
            .finish();
        // What is left of it needs no other escape.
        let query = query.replace('&', "&amp;");
        format!("<p><a href=\"/authorize?{query}\">{words}</a></p>")
    };
    let mut links: Vec<String> = state
        .users
        .iter()
        .map(|(id, user)| link(id, &format!("Authorize as {}", user.full_name)))
        .collect();
    links.push(link("", "Cancel"));
    page(&links.concat())
}

fn page(content: &str) -> Reply {
    Reply::page(format!(
        "<!doctype html><title>Simulated Netlify</title><h1>Simulated Netlify</h1>{content}"
    ))
}

/// `POST /oauth/token`
pub(super) fn exchange(state: &mut State, media: Option<&str>, body: &[u8]) -> Reply {
    let fields = match (media, state.options.token_encoding) {
        (Some("application/json"), TokenEncoding::Both | TokenEncoding::Json) => {
            serde_json::from_slice(body).ok()
        }
        (Some("application/x-www-form-urlencoded"), TokenEncoding::Both | TokenEncoding::Form) => {
            Some(form_urlencoded::parse(body).into_owned().collect())
        }
        _ => None,
    };
    let Some(fields): Option<Fields> = fields else {
        return refused(400, "invalid_request");
    };
    let get = |name: &str| fields.get(name).map(String::as_str);
    if get("client_id") != Some(CLIENT_ID) || get("client_secret") != Some(CLIENT_SECRET) {
        return refused(401, "invalid_client");
    }
    let user = match get("grant_type") {
        Some("authorization_code") => get("code")
            .and_then(|code| state.codes.remove(code))
            .filter(|code| get("redirect_uri") == Some(&code.redirect_uri))
            .filter(|code| proven(code.challenge.as_deref(), get("code_verifier")))
            .map(|code| code.user),
        Some("refresh_token") => {
            get("refresh_token").and_then(|token| state.refreshes.remove(token))
        }
        _ => return refused(400, "unsupported_grant_type"),
    };
    user.map_or_else(|| refused(400, "invalid_grant"), |user| grant(state, &user))
}

fn refused(status: u16, error: &str) -> Reply {
    let body = json!({ "error": error, "error_description": "The request was refused" });
    Reply::json(status, body)
}

fn proven(challenge: Option<&str>, verifier: Option<&str>) -> bool {
    challenge.is_none_or(|challenge| {
        verifier
            .is_some_and(|verifier| URL_SAFE_NO_PAD.encode(Sha256::digest(verifier)) == challenge)
    })
}

/// No scopes: a token has all the rights of its user.
fn grant(state: &mut State, user: &str) -> Reply {
    let lifetime = state.options.oauth_lifetime_secs;
    let token = state.add_token(user, lifetime);
    let mut body = json!({ "access_token": token, "token_type": "Bearer" });
    if let Some(seconds) = lifetime {
        let refresh = format!("refresh{:08}", state.serial());
        state.refreshes.insert(refresh.clone(), user.to_owned());
        body["expires_in"] = json!(seconds);
        body["refresh_token"] = json!(refresh);
    }
    Reply::json(200, body)
}

pub(super) fn create_ticket(state: &mut State, query: &Fields) -> Outcome {
    let client_id = query.get("client_id").filter(|id| *id == CLIENT_ID);
    let client_id = client_id.ok_or_else(|| refusal(401, "OAuth application not found"))?;
    let id = format!("ticket{:018x}", state.serial());
    let ticket = Ticket {
        client_id: client_id.clone(),
        user: None,
        created_at: state.now(),
    };
    let shown = ticket.document(&id);
    state.tickets.insert(id, ticket);
    Ok(Reply::json(201, shown))
}

pub(super) fn ticket(state: &State, id: &str) -> Outcome {
    let ticket = state.tickets.get(id).ok_or_else(|| not_found("Ticket"))?;
    Ok(Reply::json(200, ticket.document(id)))
}

/// Gives the token of a ticket that was allowed, once.
pub(super) fn exchange_ticket(state: &mut State, id: &str) -> Outcome {
    let ticket = state.tickets.get(id).ok_or_else(|| not_found("Ticket"))?;
    let Some(user) = ticket.user.clone() else {
        return Err(refusal(422, "The ticket is not authorized"));
    };
    state.tickets.remove(id);
    let token = state.add_token(&user, state.options.oauth_lifetime_secs);
    let email = state.users.get(&user).map(|user| user.email.clone());
    Ok(Reply::json(
        201,
        json!({ "id": format!("grant{:019x}", state.serial()), "access_token": token,
            "user_id": user, "user_email": email, "created_at": time(state.now()) }),
    ))
}

impl Ticket {
    fn document(&self, id: &str) -> Value {
        json!({ "id": id, "client_id": self.client_id, "authorized": self.user.is_some(),
            "created_at": time(self.created_at) })
    }
}
