//! One door for every call: log, faults, sign-in, budgets, latency, effect.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{ConnectInfo, State as Extract};
use axum::http::{HeaderMap, Method, Uri, header};
use axum::response::Response;
use serde_json::{Value, json};

use super::access::Credential;
use super::graphql::{self, Operation};
use super::model::Token;
use super::{Shared, budget, control, oauth};
use crate::clock::pass;
use crate::fault::Action;
use crate::listener::Breaker;
use crate::log::RequestRecord;

/// A collection of a thousand large values still passes.
const MAX_BODY: usize = 128 * 1024 * 1024;

const GRAPHQL: &str = "/graphql/v2";

pub(super) fn router(shared: Arc<Shared>) -> Router {
    control::routes()
        .fallback(provider)
        .layer(axum::extract::DefaultBodyLimit::max(MAX_BODY))
        .with_state(shared)
}

/// A call, taken apart.
struct Call {
    method: Method,
    path: String,
    query: BTreeMap<String, String>,
    credential: Credential,
    authorization: Option<String>,
    content_type: Option<String>,
    body: Bytes,
    /// What the body asks for, if it is GraphQL.
    operation: Option<Result<Operation, graphql::Invalid>>,
}

/// Status, headers and body.
type Answer = (u16, Vec<(&'static str, String)>, Value);

impl Call {
    fn form(&self) -> BTreeMap<String, String> {
        form_urlencoded::parse(&self.body).into_owned().collect()
    }

    /// What the log keeps of the body.
    fn recorded_body(&self) -> Option<Value> {
        if self.content_type.as_deref() == Some("application/x-www-form-urlencoded") {
            return Some(json!(self.form()));
        }
        serde_json::from_slice(&self.body).ok()
    }

    fn operations(&self) -> Vec<String> {
        match &self.operation {
            Some(Ok(operation)) => operation.fields.clone(),
            _ => Vec::new(),
        }
    }

    fn family(&self) -> &'static str {
        if self.path.starts_with("/oauth/") {
            "oauth"
        } else if self.path == GRAPHQL {
            "graphql"
        } else {
            "unknown"
        }
    }
}

async fn provider(
    Extract(shared): Extract<Arc<Shared>>,
    ConnectInfo(breaker): ConnectInfo<Breaker>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let call = parse(&shared, method, &uri, &headers, body);
    if (call.method.as_str(), call.path.as_str()) == ("GET", "/oauth/auth") {
        return consent(&shared, &call);
    }
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    let (index, fault) = {
        let mut state = shared.state();
        let recorded = call.recorded_body();
        let variables = recorded.as_ref().map(|body| &body["variables"]);
        let project = variables.and_then(|variables| {
            let named = [&variables["projectId"], &variables["input"]["projectId"]];
            named.into_iter().find_map(Value::as_str).map(str::to_owned)
        });
        let index = state.log.start(RequestRecord {
            method: call.method.to_string(),
            path: call.path.clone(),
            query: uri.query().unwrap_or_default().to_owned(),
            body: recorded,
            content_type: call.content_type.clone(),
            user_agent: text(header::USER_AGENT).map(str::to_owned),
            request_id: text(header::HeaderName::from_static("x-request-id")).map(str::to_owned),
            family: call.family(),
            operations: call.operations(),
            project,
            started: 0,
            ended: None,
            status: None,
        });
        // All of GraphQL has one address: faults find a call by what it asks for too.
        let place = format!("{} {}", call.path, call.operations().join(" "));
        let fault = state.faults.take(call.method.as_str(), &place);
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
    let latency = shared.state().options.latency();
    match &fault {
        Some(Action::Hang) => std::future::pending().await,
        Some(Action::ResetBefore) => return None,
        Some(scripted @ Action::Respond { .. }) => {
            pass(latency).await;
            return scripted.instead();
        }
        _ => {}
    }
    let delay = fault.as_ref().map(Action::delay).unwrap_or_default();
    // Who calls, and whether they may call as often, is known before the time has passed.
    let admitted = admit(shared, call);
    pass(latency + delay).await;
    let (mut status, headers, body) = match admitted {
        Ok((token, headers)) => {
            let (status, body) = effect(shared, call, token);
            (status, headers, body)
        }
        Err(refused) => refused,
    };
    let mut text = body.to_string();
    if let Some(fault) = fault {
        (status, text) = fault.spoil(status, text)?;
    }
    let mut response = Response::builder()
        .status(status)
        .header(header::CONTENT_TYPE, "application/json; charset=utf-8");
    for (name, value) in headers {
        response = response.header(name, value);
    }
    response.body(Body::from(text)).ok()
}

type Admitted = (Option<Token>, Vec<(&'static str, String)>);

/// Sign-in and budgets.
fn admit(shared: &Shared, call: &Call) -> Result<Admitted, Answer> {
    let mut state = shared.state();
    let token = call.credential.token(&state);
    let Some(owner) = token.as_ref().map(|token| token.owner(&state)) else {
        return Ok((None, Vec::new()));
    };
    if call.path != GRAPHQL {
        return Ok((token, Vec::new()));
    }
    let counted = budget::count(&mut state, &owner);
    if counted.exceeded {
        let error = json!({ "message": "Too Many Requests",
            "extensions": { "code": "RATE_LIMITED" } });
        let body = graphql::refusal(&mut state, vec![error]);
        let status = state.options.rate_limit_status;
        return Err((status, counted.headers, body));
    }
    Ok((token, counted.headers))
}

/// What the call does.
fn effect(shared: &Shared, call: &Call, token: Option<Token>) -> (u16, Value) {
    let mut state = shared.state();
    let issuer = shared.issuer.as_str();
    match (call.method.as_str(), call.path.as_str()) {
        ("POST", GRAPHQL) => match &call.operation {
            Some(Ok(operation)) => (200, operation.run(&mut state, token)),
            Some(Err(invalid)) => {
                let status = state.options.invalid_status;
                (status, graphql::refusal(&mut state, invalid.clone()))
            }
            None => (
                400,
                json!({ "errors": [{ "message": "JSON is expected" }] }),
            ),
        },
        ("GET", "/oauth/.well-known/openid-configuration") => oauth::discovery(issuer),
        ("POST", "/oauth/token") => {
            let authorization = call.authorization.as_deref();
            oauth::token(&mut state, issuer, &call.form(), authorization)
        }
        ("GET", "/oauth/me") => match token {
            Some(Token::OAuth(grant)) => oauth::me(&grant),
            _ => oauth::no_such_token(),
        },
        ("POST", "/oauth/request" | "/oauth/register" | "/oauth/device/auth") => {
            let text = format!("The simulator does not simulate {}", call.path);
            (
                501,
                json!({ "error": "not_simulated", "error_description": text }),
            )
        }
        (_, GRAPHQL | "/oauth/token" | "/oauth/me") => {
            (405, json!({ "message": "Method Not Allowed" }))
        }
        _ => (404, json!({ "message": "Not Found" })),
    }
}

/// The page on which a person allows the app. Here nobody is asked.
fn consent(shared: &Shared, call: &Call) -> Response {
    let mut state = shared.state();
    match oauth::authorize(&mut state, &shared.issuer, &call.query) {
        Ok(location) => Response::builder()
            .status(302)
            .header(header::LOCATION, location)
            .body(Body::empty())
            .unwrap_or_default(),
        Err((status, body)) => Response::builder()
            .status(status)
            .header(header::CONTENT_TYPE, "application/json")
            .body(Body::from(body.to_string()))
            .unwrap_or_default(),
    }
}

fn parse(shared: &Shared, method: Method, uri: &Uri, headers: &HeaderMap, body: Bytes) -> Call {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let authorization = text("authorization").map(str::to_owned);
    let bearer = authorization.as_deref();
    let credential = Credential {
        bearer: bearer.map(|value| value.strip_prefix("Bearer ").unwrap_or_default().to_owned()),
        project: text("project-access-token").map(str::to_owned),
    };
    let content_type = text("content-type")
        .and_then(|value| value.split(';').next())
        .map(|media| media.trim().to_ascii_lowercase());
    let is_graphql = uri.path() == GRAPHQL && content_type.as_deref() == Some("application/json");
    let skips = shared.state().options.commit_skips_deploys;
    Call {
        method,
        path: uri.path().to_owned(),
        query: form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes())
            .into_owned()
            .collect(),
        credential,
        authorization,
        content_type,
        operation: is_graphql.then(|| Operation::parse(&body, skips)),
        body,
    }
}
