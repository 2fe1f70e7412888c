//! The calls.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{ConnectInfo, State as Extract};
use axum::http::{HeaderMap, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use super::{Permission, Repo, Shared, State, pages};
use crate::fault::Action;
use crate::listener::Breaker;

/// Repositories on a page, and the most that can be asked for.
const PER_PAGE: (usize, usize) = (30, 100);

pub(super) fn router(shared: Arc<Shared>) -> Router {
    Router::new().fallback(call).with_state(shared)
}

async fn call(
    Extract(shared): Extract<Arc<Shared>>,
    ConnectInfo(breaker): ConnectInfo<Breaker>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let mut state = shared.state();
    state.calls.push(uri.to_string());
    match state.faults.take(method.as_str(), uri.path()) {
        Some(scripted @ Action::Respond { .. }) => {
            return scripted
                .instead()
                .unwrap_or_else(|| StatusCode::INTERNAL_SERVER_ERROR.into_response());
        }
        Some(_) => {
            breaker.break_connection();
            return StatusCode::INTERNAL_SERVER_ERROR.into_response();
        }
        None => {}
    }
    match (method.as_str(), uri.path()) {
        ("GET", "/login/oauth/authorize") => {
            return pages::authorize(&mut state, uri.query().unwrap_or_default());
        }
        ("POST", "/login/oauth/access_token") => {
            return pages::exchange(&mut state, &headers, &body);
        }
        _ => {}
    }
    // The API asks every client to name itself.
    if !headers.contains_key(header::USER_AGENT) {
        return problem(403, "Request forbidden by administrative rules.");
    }
    let token = headers
        .get(header::AUTHORIZATION)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.strip_prefix("Bearer "));
    let Some(user) = token.and_then(|token| state.tokens.get(token).copied()) else {
        return problem(401, "Bad credentials");
    };
    if method != Method::GET {
        return problem(404, "Not Found");
    }
    let path: Vec<_> = uri.path().trim_matches('/').split('/').collect();
    match path[..] {
        ["user"] => {
            let login = state.users.get(&user).cloned().unwrap_or_default();
            json_answer(&json!({ "id": user, "login": login, "type": "User" }))
        }
        ["user", "repos"] => repositories(&state, user, uri.query().unwrap_or_default()),
        ["repos", owner, name] => {
            let full_name = format!("{owner}/{name}");
            let repo = state
                .repos
                .iter()
                .find(|repo| repo.full_name().eq_ignore_ascii_case(&full_name));
            one(repo, user)
        }
        ["repositories", id] => {
            let id = id.parse::<i64>().ok();
            one(state.repos.iter().find(|repo| Some(repo.id) == id), user)
        }
        _ => problem(404, "Not Found"),
    }
}

/// A repository, unless the user does not see it, which is the same as none.
fn one(repo: Option<&Repo>, user: i64) -> Response {
    match repo.and_then(|repo| shown(repo, user)) {
        Some(repo) => json_answer(&repo),
        None => problem(404, "Not Found"),
    }
}

fn repositories(state: &State, user: i64, query: &str) -> Response {
    let query: BTreeMap<_, _> = query
        .split('&')
        .filter_map(|pair| pair.split_once('='))
        .collect();
    let number = |name| query.get(name).and_then(|text| text.parse::<usize>().ok());
    let size = number("per_page").unwrap_or(PER_PAGE.0).min(PER_PAGE.1);
    let page = number("page").unwrap_or(1).max(1);
    let repos: Vec<Value> = state
        .repos
        .iter()
        .filter(|repo| repo.permissions.contains_key(&user))
        .filter_map(|repo| shown(repo, user))
        .skip((page - 1) * size)
        .take(size)
        .collect();
    json_answer(&json!(repos))
}

fn shown(repo: &Repo, user: i64) -> Option<Value> {
    let given = repo.permissions.get(&user).copied();
    // What is public can be read by everybody.
    let given = given.or((!repo.private).then_some(Permission::Pull))?;
    Some(json!({
        "id": repo.id,
        "name": repo.name,
        "full_name": repo.full_name(),
        "private": repo.private,
        "owner": { "login": repo.owner },
        "permissions": {
            "admin": given >= Permission::Admin,
            "maintain": given >= Permission::Maintain,
            "push": given >= Permission::Push,
            "triage": given >= Permission::Triage,
            "pull": given >= Permission::Pull,
        },
    }))
}

fn json_answer(body: &Value) -> Response {
    axum::Json(body).into_response()
}

fn problem(status: u16, message: &str) -> Response {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    (status, axum::Json(json!({ "message": message }))).into_response()
}
