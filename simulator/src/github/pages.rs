//! Signing in: the page that a browser is sent to, and the exchange of its code.

use std::collections::BTreeMap;

use axum::body::Bytes;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{Html, IntoResponse, Redirect, Response};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::{CLIENT_ID, CLIENT_SECRET, Code, State};

/// `GET /login/oauth/authorize`: without a `login`, a page on which one chooses who one is; with one,
/// back to the app.
pub(super) fn authorize(state: &mut State, query: &str) -> Response {
    let query = fields(query.as_bytes());
    let get = |name: &str| query.get(name).map(String::as_str);
    if get("client_id") != Some(CLIENT_ID) {
        return StatusCode::NOT_FOUND.into_response();
    }
    let (Some(redirect_uri), Some(given)) = (get("redirect_uri"), get("state")) else {
        return StatusCode::BAD_REQUEST.into_response();
    };
    let back = |fields: &[(&str, &str)]| {
        let query = form_urlencoded::Serializer::new(String::new())
            .extend_pairs(fields)
            .append_pair("state", given)
            .finish();
        Redirect::to(&format!("{redirect_uri}?{query}")).into_response()
    };
    match get("login") {
        Some("") => back(&[("error", "access_denied")]),
        Some(login) => {
            let Some(user) = state.user(login) else {
                return StatusCode::NOT_FOUND.into_response();
            };
            let code = format!("code{}", state.next_id());
            state.codes.insert(
                code.clone(),
                Code {
                    user,
                    redirect_uri: redirect_uri.to_owned(),
                    challenge: get("code_challenge").map(str::to_owned),
                },
            );
            back(&[("code", &code)])
        }
        None => choose(state, &query),
    }
}

fn choose(state: &State, query: &BTreeMap<String, String>) -> Response {
    let link = |login: &str, words: &str| {
        let query = form_urlencoded::Serializer::new(String::new())
            .extend_pairs(query)
            .append_pair("login", login)
            .finish();
        let query = query.replace('&', "&amp;");
        format!("<p><a href=\"/login/oauth/authorize?{query}\">{words}</a></p>")
    };
    let users: String = state
        .users
        .values()
        .map(|login| link(login, &format!("Authorize as {login}")))
        .collect();
    Html(format!(
        "<!doctype html><title>Simulated GitHub</title><h1>Simulated GitHub</h1>{users}{}",
        link("", "Cancel")
    ))
    .into_response()
}

/// `POST /login/oauth/access_token`. Refusals are 200 too.
pub(super) fn exchange(state: &mut State, headers: &HeaderMap, body: &Bytes) -> Response {
    let accepts = headers
        .get(header::ACCEPT)
        .is_some_and(|accept| accept == "application/json");
    let form = fields(body);
    let get = |name: &str| form.get(name).map(String::as_str);
    let refused = |error: &str| json!({ "error": error, "error_description": "No." });
    let answer =
        if get("client_id") != Some(CLIENT_ID) || get("client_secret") != Some(CLIENT_SECRET) {
            refused("incorrect_client_credentials")
        } else if get("grant_type") == Some("refresh_token") {
            match get("refresh_token").and_then(|token| state.refreshes.remove(token)) {
                Some(user) => grant(state, user),
                None => refused("bad_refresh_token"),
            }
        } else {
            match get("code").and_then(|code| state.codes.remove(code)) {
                Some(code) if get("redirect_uri") != Some(&code.redirect_uri) => {
                    refused("redirect_uri_mismatch")
                }
                Some(code) if !fits(code.challenge.as_deref(), get("code_verifier")) => {
                    refused("bad_verification_code")
                }
                Some(code) => grant(state, code.user),
                None => refused("bad_verification_code"),
            }
        };
    if accepts {
        axum::Json(answer).into_response()
    } else {
        // What it gives to who does not ask for JSON.
        "access_token=&scope=".into_response()
    }
}

fn fits(challenge: Option<&str>, verifier: Option<&str>) -> bool {
    match (challenge, verifier) {
        (None, _) => true,
        (Some(challenge), Some(verifier)) => {
            URL_SAFE_NO_PAD.encode(Sha256::digest(verifier)) == challenge
        }
        (Some(_), None) => false,
    }
}

fn grant(state: &mut State, user: i64) -> Value {
    let token = format!("ghu_{}", state.next_id());
    state.tokens.insert(token.clone(), user);
    let mut answer = json!({ "access_token": token, "scope": "", "token_type": "bearer" });
    if let Some(seconds) = state.tokens_last {
        let refresh = format!("ghr_{}", state.next_id());
        state.refreshes.insert(refresh.clone(), user);
        answer["expires_in"] = json!(seconds);
        answer["refresh_token"] = json!(refresh);
        answer["refresh_token_expires_in"] = json!(15_897_600);
    }
    answer
}

fn fields(text: &[u8]) -> BTreeMap<String, String> {
    form_urlencoded::parse(text).into_owned().collect()
}
