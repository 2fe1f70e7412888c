//! One door for every call of the provider's API: log, faults, sign-in, budgets, latency, effect.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{ConnectInfo, State as Extract};
use axum::http::{HeaderMap, Method, Uri, header};
use axum::response::Response;
use serde_json::{Value, json};

use super::env::{Reply, Writer, error};
use super::model::Token;
use super::state::State;
use super::{Shared, account, control, env, pages};
use crate::clock::{now_ms, pass};
use crate::fault::Action;
use crate::listener::Breaker;
use crate::log::RequestRecord;

/// A variable batch of a thousand large values still passes.
const MAX_BODY: usize = 128 * 1024 * 1024;

pub(super) fn router(shared: Arc<Shared>) -> Router {
    control::routes()
        .merge(pages::routes())
        .fallback(provider)
        .layer(axum::extract::DefaultBodyLimit::max(MAX_BODY))
        .with_state(shared)
}

/// A call, taken apart.
struct Call {
    method: Method,
    /// The path without its version.
    segments: Vec<String>,
    query: BTreeMap<String, String>,
    bearer: Option<String>,
    content_type: Option<String>,
    user_agent: Option<String>,
    request_id: Option<String>,
    body: Bytes,
}

impl Call {
    fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or(Value::Null)
    }

    /// What the log keeps of the body.
    fn recorded_body(&self) -> Option<Value> {
        if self.content_type.as_deref() == Some("application/x-www-form-urlencoded") {
            return Some(json!(form(&self.body)));
        }
        serde_json::from_slice(&self.body).ok()
    }

    fn segments(&self) -> Vec<&str> {
        self.segments.iter().map(String::as_str).collect()
    }

    /// The project it is about, if it is about one's variables.
    fn project(&self) -> Option<&str> {
        match self.segments()[..] {
            ["projects", project, ..] => Some(project),
            _ => None,
        }
    }

    /// What Vercel counts it as.
    fn family(&self) -> &'static str {
        let one_more = self.segments.len() > 3;
        match (self.method.as_str(), &self.segments()[..]) {
            ("GET", ["projects", _, "env", ..]) => "env-retrieval",
            ("POST", ["projects", _, "env", ..]) => "env-creation",
            ("PATCH", ["projects", _, "env", ..]) => "env-update",
            ("DELETE", ["projects", _, "env", ..]) if one_more => "env-delete",
            ("DELETE", ["projects", _, "env"]) => "env-batch-delete",
            _ => "account",
        }
    }

    fn writes(&self) -> bool {
        self.method != Method::GET && self.project().is_some()
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
    let call = parse(method, &uri, &headers, body);
    let (index, fault) = {
        let mut state = shared.state();
        let index = state.log.start(RequestRecord {
            method: call.method.to_string(),
            path: uri.path().to_owned(),
            query: uri.query().unwrap_or_default().to_owned(),
            body: call.recorded_body(),
            content_type: call.content_type.clone(),
            user_agent: call.user_agent.clone(),
            request_id: call.request_id.clone(),
            family: call.family(),
            operations: Vec::new(),
            project: call.project().map(str::to_owned),
            started: 0,
            ended: None,
            status: None,
        });
        let fault = state.faults.take(call.method.as_str(), uri.path());
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
    let latency = shared.state().options.latency;
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
    let delay = fault.as_ref().map(Action::delay).unwrap_or_default();
    let admitted = admit(shared, call);
    let (mut status, headers, body) = match admitted {
        Err((reply, headers)) => {
            pass(latency).await;
            (reply.0, headers, reply.1)
        }
        Ok(token) => {
            // Held over the time that the call takes, and let go when its client goes away.
            let writing = Writing::begin(shared, call);
            match writing {
                Err(reply) => (reply.0, Vec::new(), reply.1),
                Ok(_writing) => {
                    pass(latency + delay).await;
                    let (status, body) = effect(shared, call, &token, fail);
                    (status, Vec::new(), body)
                }
            }
        }
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

type Refused = (Reply, Vec<(&'static str, String)>);

/// Sign-in and budgets.
fn admit(shared: &Shared, call: &Call) -> Result<Token, Refused> {
    let plain = |reply: Reply| (reply, Vec::new());
    let mut state = shared.state();
    if call.segments() == ["oauth", "access_token"] {
        return Ok(Token {
            user: String::new(),
            team: None,
            installation: None,
            revoked: false,
        });
    }
    let token = call
        .bearer
        .as_ref()
        .and_then(|bearer| state.tokens.get(bearer));
    let Some(token) = token.filter(|token| !token.revoked).cloned() else {
        let body = json!({ "error": { "code": "forbidden", "message": "Not authorized",
            "invalidToken": true } });
        return Err(plain((403, body)));
    };
    let team = call.query.get("teamId");
    if token.team.is_some()
        && call.segments().first() == Some(&"projects")
        && token.team.as_ref() != team
    {
        return Err(plain(error(403, "forbidden", "Not authorized")));
    }
    let owner = team.unwrap_or(&token.user).clone();
    let family = call.family();
    let Some(budget) = state.options.budgets.get(family).copied() else {
        return Ok(token);
    };
    let now = now_ms();
    let window = state.options.window.as_millis() as u64;
    let counted = state.windows.entry((owner, family)).or_insert((now, 0));
    if now >= counted.0 + window {
        *counted = (now, 0);
    }
    counted.1 += 1;
    if counted.1 <= budget {
        return Ok(token);
    }
    let reset_ms = counted.0 + window;
    let body = json!({ "error": {
        "code": "rate_limited", "message": format!("Too many requests ({family})"),
        "limit": { "total": budget, "remaining": 0, "reset": reset_ms.div_ceil(1000),
            "resetMs": reset_ms } } });
    let headers = vec![
        ("retry-after", (reset_ms - now).div_ceil(1000).to_string()),
        ("x-ratelimit-limit", budget.to_string()),
        ("x-ratelimit-remaining", "0".to_owned()),
        ("x-ratelimit-reset", reset_ms.div_ceil(1000).to_string()),
    ];
    Err(((429, body), headers))
}

/// One write at a time for each project.
struct Writing<'a> {
    shared: &'a Shared,
    project: Option<String>,
}

impl<'a> Writing<'a> {
    fn begin(shared: &'a Shared, call: &Call) -> Result<Self, Reply> {
        let mut state = shared.state();
        let project = call
            .project()
            .filter(|_| call.writes())
            .and_then(|project| state.project_mut(project));
        let id = match project {
            Some(project) if project.writing => {
                return Err(error(
                    400,
                    "bad_request",
                    "An env update is already in progress for this project",
                ));
            }
            Some(project) => {
                project.writing = true;
                Some(project.id.clone())
            }
            None => None,
        };
        drop(state);
        Ok(Self {
            shared,
            project: id,
        })
    }
}

impl Drop for Writing<'_> {
    fn drop(&mut self) {
        if let Some(id) = &self.project
            && let Some(project) = self.shared.state().project_mut(id)
        {
            project.writing = false;
        }
    }
}

/// What the call does.
fn effect(
    shared: &Shared,
    call: &Call,
    token: &Token,
    fail: Option<(Vec<String>, String)>,
) -> Reply {
    let mut state = shared.state();
    let state = &mut *state;
    let owner = call.query.get("teamId").unwrap_or(&token.user).clone();
    let segments = call.segments();
    let method = call.method.as_str();
    match (method, &segments[..]) {
        ("GET", ["user"]) => return account::user(state, token),
        ("GET", ["teams"]) => return account::teams(state),
        ("GET", ["teams", id]) => return account::team(state, id),
        ("GET", ["projects"]) => return account::projects(state, &owner, &call.query),
        ("POST", ["oauth", "access_token"]) => {
            return account::exchange(state, &form(&call.body));
        }
        ("DELETE", ["integrations", "configuration", id]) => {
            return account::uninstall(state, token, id);
        }
        _ => {}
    }
    let ["projects", name, rest @ ..] = &segments[..] else {
        return error(404, "not_found", "The endpoint does not exist");
    };
    let options = state.options.clone();
    let mut serial = Ids(state);
    let found = serial.0.projects.iter().position(|project| {
        (project.id == *name || project.name == *name) && project.owner == owner
    });
    let Some(index) = found else {
        return error(404, "not_found", "Project not found");
    };
    let mut project = serial.0.projects.swap_remove(index);
    let reply = match (method, rest) {
        ("GET", []) => (200, project.document()),
        ("GET", ["custom-environments"]) => account::custom_environments(&project.custom),
        ("GET", ["env"]) => env::list(&project, &call.query, &options),
        ("GET", ["env", id]) => env::read(&project, id),
        ("POST", ["env"]) => {
            let upsert = call
                .query
                .get("upsert")
                .is_some_and(|upsert| upsert == "true");
            let mut writer = Writer {
                token,
                options: &options,
                at: &|| shared.clock.tick(),
                new_id: &mut || serial.next(),
                fail,
            };
            env::create(&mut project, &call.json(), upsert, &mut writer)
        }
        ("PATCH", ["env", id]) => env::edit(&mut project, id, &call.json(), shared.clock.tick()),
        ("DELETE", ["env", id]) => env::delete_one(&mut project, id),
        ("DELETE", ["env"]) => env::delete_many(&mut project, &call.json()),
        _ => error(404, "not_found", "The endpoint does not exist"),
    };
    // Back to its place in lists.
    let projects = &mut serial.0.projects;
    projects.push(project);
    let last = projects.len() - 1;
    projects.swap(index, last);
    reply
}

/// Ids of new rows, while the project that they are for is out of the state.
struct Ids<'a>(&'a mut State);

impl Ids<'_> {
    fn next(&mut self) -> String {
        self.0.id("var")
    }
}

fn parse(method: Method, uri: &Uri, headers: &HeaderMap, body: Bytes) -> Call {
    let mut segments: Vec<String> = uri
        .path()
        .trim_matches('/')
        .split('/')
        .map(decode)
        .collect();
    // Old versions of a path stay alive beside new ones.
    let version = segments.first().is_some_and(|first| {
        first
            .strip_prefix('v')
            .is_some_and(|number| number.parse::<u8>().is_ok())
    });
    if version {
        segments.remove(0);
    }
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    let bearer = text(header::AUTHORIZATION)
        .and_then(|value| value.strip_prefix("Bearer "))
        .map(str::to_owned);
    let content_type = text(header::CONTENT_TYPE)
        .and_then(|value| value.split(';').next())
        .map(|media| media.trim().to_ascii_lowercase());
    let user_agent = text(header::USER_AGENT).map(str::to_owned);
    let request_id = text(header::HeaderName::from_static("x-request-id")).map(str::to_owned);
    Call {
        method,
        segments,
        query: form(uri.query().unwrap_or_default().as_bytes()),
        bearer,
        content_type,
        user_agent,
        request_id,
        body,
    }
}

/// `a=1&b=2`, decoded.
fn form(bytes: &[u8]) -> BTreeMap<String, String> {
    String::from_utf8_lossy(bytes)
        .split('&')
        .filter_map(|pair| pair.split_once('='))
        .map(|(name, value)| (decode(name), decode(&value.replace('+', " "))))
        .collect()
}

fn decode(text: &str) -> String {
    percent_encoding::percent_decode_str(text)
        .decode_utf8_lossy()
        .into_owned()
}
