//! One door for every call of the provider's API: log, faults, sign-in, limits, latency, effect.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{ConnectInfo, State as Extract};
use axum::http::{HeaderMap, Method, Uri, header};
use axum::response::Response;

use super::call::Call;
use super::model::Token;
use super::reply::{self, Outcome, Reply, not_found, refusal};
use super::secrets::Failing;
use super::state::State;
use super::{Shared, access, apps, control, leases, limits, machines, secrets};
use crate::clock::pass;
use crate::fault::Action;
use crate::listener::Breaker;
use crate::log::RequestRecord;

/// A thousand large values at once still pass.
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
            project: call.app().map(str::to_owned),
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
        (
            Duration::from_millis(options.latency_ms),
            Duration::from_millis(options.cut_after_ms),
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
    let failing = match &fault {
        Some(Action::FailKeys { keys, code }) => Some((keys.clone(), code.clone())),
        _ => None,
    };
    let write = Write::begin(shared, call);
    let time = latency + fault.as_ref().map(Action::delay).unwrap_or_default();
    pass(time.min(cut)).await;
    let mut reply = handle(shared, call, failing, write.as_ref());
    drop(write);
    if time > cut {
        return None;
    }
    let (mut text, media) = reply.text();
    if let Some(fault) = fault {
        (reply.status, text) = fault.spoil(reply.status, text)?;
    }
    let mut response = Response::builder()
        .status(reply.status)
        .header(header::CONTENT_TYPE, media);
    for (name, value) in &reply.headers {
        response = response.header(*name, value);
    }
    response.body(Body::from(text)).ok()
}

/// A write to the secrets of an app that is under way, also when nobody waits for it any more.
struct Write<'a> {
    shared: &'a Shared,
    app: &'a str,
    /// Another was before.
    second: bool,
}

impl<'a> Write<'a> {
    fn begin(shared: &'a Shared, call: &'a Call) -> Option<Self> {
        let app = call.secrets_write()?;
        let mut state = shared.state();
        let index = state.app(app)?;
        let writes = &mut state.apps[index].writes;
        *writes += 1;
        let second = *writes > 1;
        Some(Self {
            shared,
            app,
            second,
        })
    }
}

impl Drop for Write<'_> {
    fn drop(&mut self) {
        let mut state = self.shared.state();
        if let Some(index) = state.app(self.app) {
            state.apps[index].writes -= 1;
        }
    }
}

/// Everything that a call does, at one moment.
fn handle(shared: &Shared, call: &Call, failing: Failing, write: Option<&Write<'_>>) -> Reply {
    let mut state = shared.state();
    let state = &mut *state;
    let outcome = access::sign_in(state, call).and_then(|tokens| {
        limits::count(state, call)?;
        if state.options.concurrent_writes_conflict && write.is_some_and(|write| write.second) {
            return Err(refusal(409, "another write is under way"));
        }
        effect(state, call, &tokens, failing)
    });
    let mut reply = outcome.unwrap_or_else(|refused| refused.reply(&state.options));
    if let reply::Body::Json(body) = &mut reply.body
        && !state.options.null_fields
    {
        reply::without_nulls(body);
    }
    if state.options.request_ids {
        let id = format!("01SIMULATED{:015}-fra", state.serial());
        reply.headers.push(("fly-request-id", id));
    }
    reply
}

fn effect(state: &mut State, call: &Call, tokens: &[Token], failing: Failing) -> Outcome {
    let nowhere = || not_found("endpoint");
    let segments = call.segments();
    let (name, rest) = match (call.method.as_str(), &segments[..]) {
        ("GET", ["tokens", "current"]) => return Ok(apps::current_tokens(state, tokens)),
        ("GET", ["apps"]) => return apps::list(state, tokens, call),
        (_, ["apps", name, rest @ ..]) => (name, rest),
        _ => return Err(nowhere()),
    };
    let app = access::app(state, tokens, call, name)?;
    match (call.method.as_str(), rest) {
        ("GET", []) => Ok(apps::one(state, app)),
        ("GET", ["secrets"]) => secrets::list(state, app, call),
        ("POST", ["secrets"]) => secrets::update(state, app, call, failing),
        ("GET", ["secrets", name]) => secrets::one(state, app, name, call),
        ("POST", ["secrets", name]) => secrets::set_one(state, app, name, call, failing),
        ("DELETE", ["secrets", name]) => secrets::delete(state, app, name, failing),
        ("GET", ["machines"]) => Ok(machines::list(state, app, call)),
        ("GET", ["machines", id]) => machines::one(state, app, id),
        ("POST", ["machines", id]) => machines::update(state, app, id, call, tokens),
        ("GET", ["machines", id, "wait"]) => machines::wait(state, app, id, call),
        ("POST", ["machines", id, action @ ("start" | "stop" | "restart")]) => {
            machines::act(state, app, id, call, action)
        }
        ("GET", ["machines", id, "lease"]) => leases::one(state, app, id),
        ("POST", ["machines", id, "lease"]) => leases::take(state, app, id, call, tokens),
        ("DELETE", ["machines", id, "lease"]) => leases::release(state, app, id, call),
        _ => Err(nowhere()),
    }
}
