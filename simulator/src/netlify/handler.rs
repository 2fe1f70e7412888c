//! One door for every call of the provider's API: log, faults, sign-in, limits, latency, effect.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{ConnectInfo, State as Extract};
use axum::http::{HeaderMap, Method, Uri, header};
use axum::response::Response;

use super::account::Named;
use super::call::Call;
use super::env::Writer;
use super::model::{Plan, Role, Token};
use super::options::SiteVariables;
use super::reply::{self, Outcome, Refusal, Reply, not_found, refusal};
use super::state::{Holder, State};
use super::{Shared, account, control, env, limits, oauth, sites};
use crate::clock::pass;
use crate::fault::Action;
use crate::listener::Breaker;
use crate::log::RequestRecord;

/// A variable batch of a thousand large values still passes.
const MAX_BODY: usize = 128 * 1024 * 1024;

pub(super) fn router(shared: Arc<Shared>) -> Router {
    control::routes()
        .fallback(provider)
        .layer(axum::extract::DefaultBodyLimit::max(MAX_BODY))
        .with_state(shared)
}

async fn provider(
    Extract(shared): Extract<Arc<Shared>>,
    ConnectInfo(breaker): ConnectInfo<Breaker>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let call = Call::parse(method, &uri, &headers, body);
    if call.path == "/authorize" && call.method == Method::GET {
        // A person's browser, and no call of the API.
        let mut state = shared.state();
        let outcome = oauth::authorize(&mut state, &call.query);
        let reply = outcome.unwrap_or_else(|refused| refused.reply(&state.options));
        return send(&reply, reply.text().0).unwrap_or_default();
    }
    let (index, fault) = {
        let mut state = shared.state();
        let index = state.log.start(RequestRecord {
            method: call.method.to_string(),
            path: call.path.clone(),
            query: call.raw_query.clone(),
            body: call.recorded_body(),
            content_type: call.content_type.clone(),
            user_agent: call.user_agent.clone(),
            request_id: call.request_id.clone(),
            family: call.family(),
            operations: Vec::new(),
            project: call.project(),
            started: 0,
            ended: None,
            status: None,
        });
        let fault = state.faults.take(call.method.as_str(), &call.path);
        (index, fault)
    };
    let response = answer(&shared, &call, fault).await;
    let status = response.as_ref().map(|response| response.status().as_u16());
    shared.state().log.end(index, status);
    response.unwrap_or_else(|| {
        breaker.break_connection();
        Response::default()
    })
}

/// The answer, or none when the connection is to break.
async fn answer(shared: &Shared, call: &Call, fault: Option<Action>) -> Option<Response> {
    let (latency, cut) = {
        let options = &shared.state().options;
        let milliseconds = |number| Duration::from_millis(number);
        (
            milliseconds(options.latency_ms),
            milliseconds(options.cut_after_ms),
        )
    };
    match &fault {
        Some(Action::Hang) => std::future::pending().await,
        Some(Action::ResetBefore) => return None,
        Some(scripted @ Action::Respond { .. }) => {
            pass(latency).await;
            return scripted.instead();
        }
        _ => {}
    }
    let fail = match &fault {
        Some(Action::FailKeys { keys, code }) => Some((keys.clone(), code.clone())),
        _ => None,
    };
    let time = latency + fault.as_ref().map(Action::delay).unwrap_or_default();
    pass(time.min(cut)).await;
    let mut reply = handle(shared, call, fail);
    if time > cut {
        return None;
    }
    let mut text = reply.text().0;
    if let Some(fault) = fault {
        (reply.status, text) = fault.spoil(reply.status, text)?;
    }
    send(&reply, text)
}

fn send(reply: &Reply, text: String) -> Option<Response> {
    let mut response = Response::builder().status(reply.status);
    if let (_, Some(media)) = reply.text() {
        response = response.header(header::CONTENT_TYPE, media);
    }
    for (name, value) in &reply.headers {
        response = response.header(*name, value);
    }
    response.body(Body::from(text)).ok()
}

/// Everything that a call does, at one moment.
fn handle(shared: &Shared, call: &Call, fail: Option<(Vec<String>, String)>) -> Reply {
    let mut state = shared.state();
    let state = &mut *state;
    let mut limit_headers = Vec::new();
    let outcome = admit(state, call, &mut limit_headers)
        .and_then(|token| effect(state, call, token.as_ref(), fail));
    let mut reply = outcome.unwrap_or_else(|refused| refused.reply(&state.options));
    reply.headers.append(&mut limit_headers);
    if let Some(reply::Body::Json(body)) = &mut reply.body
        && !state.options.null_fields
    {
        reply::without_nulls(body);
    }
    if state.options.request_ids {
        let id = format!("01SIMULATED{:015}", state.serial());
        reply.headers.push(("x-nf-request-id", id));
    }
    reply
}

/// Sign-in and limits. The calls of OAuth need no token.
fn admit(
    state: &mut State,
    call: &Call,
    headers: &mut Vec<(&'static str, String)>,
) -> Result<Option<Token>, Refusal> {
    if state.options.need_user_agent && call.user_agent.is_none() {
        return Err(refusal(403, "A User-Agent is needed"));
    }
    if call.family() == "oauth" {
        return Ok(None);
    }
    let now = state.now();
    let known = call
        .bearer
        .as_ref()
        .and_then(|bearer| state.tokens.get(bearer));
    let token = known
        .filter(|token| token.expires_at.is_none_or(|end| now < end))
        .cloned()
        .ok_or_else(|| refusal(401, "Access Denied"))?;
    limits::count(state, &token.user, headers)?;
    Ok(Some(token))
}

fn effect(
    state: &mut State,
    call: &Call,
    token: Option<&Token>,
    fail: Option<(Vec<String>, String)>,
) -> Outcome {
    let nowhere = || not_found("Endpoint");
    let method = call.method.as_str();
    let Some(segments) = call.segments() else {
        return match (method, call.path.as_str()) {
            ("POST", "/oauth/token") => {
                let media = call.content_type.as_deref();
                Ok(oauth::exchange(state, media, &call.body))
            }
            _ => Err(nowhere()),
        };
    };
    match (method, &segments[..]) {
        ("POST", ["oauth", "tickets"]) => return oauth::create_ticket(state, &call.query),
        ("GET", ["oauth", "tickets", id]) => return oauth::ticket(state, id),
        ("POST", ["oauth", "tickets", id, "exchange"]) => {
            return oauth::exchange_ticket(state, id);
        }
        _ => {}
    }
    let token = token.ok_or_else(nowhere)?;
    let site_variables = state.options.site_variables;
    match (method, &segments[..]) {
        ("GET", ["user"]) => account::user(state, token),
        ("GET", ["accounts"]) => Ok(account::list(state, token)),
        ("GET", ["accounts", id]) => account::one(state, token, id),
        ("GET", ["sites"]) => sites::list(state, token, None, &call.at, &call.query),
        ("GET", ["sites", site]) => sites::one(state, token, site),
        ("POST", ["sites", site, "builds"]) => sites::build(state, token, site),
        ("GET", ["sites", site, "env"]) if site_variables == SiteVariables::Once => {
            of_site(state, call, token, site)
        }
        ("GET", ["api", "v1", "sites", site, "env"])
            if site_variables == SiteVariables::AsDescribed =>
        {
            of_site(state, call, token, site)
        }
        (_, ["accounts", account, "env", rest @ ..]) => {
            variables(state, call, token, account, rest, fail)
        }
        ("GET", [slug, "sites"]) => sites::list(state, token, Some(slug), &call.at, &call.query),
        _ => Err(nowhere()),
    }
}

/// A site's variables, without naming its team.
fn of_site(state: &State, call: &Call, token: &Token, site: &str) -> Outcome {
    let index = sites::index(state, token, site)?;
    let variables = state.variables(Holder::Site(index));
    env::list(variables, &call.query, &state.users, &state.options)
}

/// The calls about variables of a site or, when none is named, of the team.
fn variables(
    state: &mut State,
    call: &Call,
    token: &Token,
    account: &str,
    rest: &[&str],
    fail: Option<(Vec<String>, String)>,
) -> Outcome {
    let account = account::find(state, token, account, Named::ById)?;
    let team = &state.accounts[account];
    let plan = team.plan;
    let holder = if let Some(id) = call.site_id() {
        let mut sites = state.sites.iter();
        let site = sites.position(|site| site.id == *id && site.account == team.id);
        Holder::Site(site.ok_or_else(|| not_found("Site"))?)
    } else {
        if team.members.get(&token.user) != Some(&Role::Owner) {
            let text = "Only owners of the team may do this";
            return Err(refusal(state.options.team_variables_status, text));
        }
        if plan == Plan::Free && call.method != Method::GET {
            let text = "Upgrade your Netlify account to share environment variables";
            return Err(refusal(403, text));
        }
        Holder::Account(account)
    };
    // Out of the state while they change: new ids come from there.
    let mut held = std::mem::take(state.variables_mut(holder));
    let options = state.options.clone();
    let users = std::mem::take(&mut state.users);
    let at = state.tick();
    let mut writer = Writer {
        by: &token.user,
        users: &users,
        plan,
        options: &options,
        at,
        new_id: &mut || state.uuid(),
        fail,
    };
    let outcome = match (call.method.as_str(), rest) {
        ("GET", []) => env::list(&held, &call.query, &users, &options),
        ("GET", [key]) => env::one(&held, key, &users, &options),
        ("POST", []) => env::create(&mut held, &call.json(), &mut writer),
        ("PUT", [key]) => env::replace(&mut held, key, &call.json(), &mut writer),
        ("PATCH", [key]) => env::set_value(&mut held, key, &call.json(), &mut writer),
        ("DELETE", [key]) => env::delete(&mut held, key),
        ("DELETE", [key, "value", id]) => env::delete_value(&mut held, key, id, &writer),
        _ => Err(not_found("Endpoint")),
    };
    state.users = users;
    *state.variables_mut(holder) = held;
    outcome
}
