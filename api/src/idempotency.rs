//! `Idempotency-Key` on every POST: a request that is sent again has its effect once.
//!
//! What a request comes to is kept with its key: the job that it made (bound in the transaction that
//! makes it), or its answer. That it changed something is noted in the transaction of the change, so that it
//! is not done again should its answer be lost. Failures are not kept, since what failed has changed
//! nothing. A handler runs to its end also when its caller goes away: that caller is the one who will
//! ask again.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{FromRequestParts, Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use keyway_shared::domain::access::Access;
use keyway_shared::domain::account::Scope;
use keyway_shared::domain::vault::Role;
use keyway_shared::store::{Authority, KeptAnswer, Keyed, KeyedRequest, StoreError, Tx};
use serde_json::Value;
use tracing::Instrument;
use uuid::Uuid;

use crate::auth::roles;
use crate::context::Context;
use crate::envelope::Data;
use crate::error::{ApiError, ConflictCode};
use crate::extract::{Caller, body, open_environment_by_id};
use crate::state::ApiState;

const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
/// Longest key.
const MAX_KEY: usize = 255;
/// How long a key is remembered.
const KEEP: Duration = Duration::from_hours(24);
/// How long a request may be on its way without having made a job.
const LOCK: Duration = Duration::from_mins(2);
/// Seconds after which it is worth sending again what is on its way.
const UNDER_WAY: u64 = 1;
/// Longest answer that is kept. Of a longer one is kept that it was given.
const MAX_ANSWER: usize = 1 << 20;

/// Marks an answer that bears a secret: shown once, never kept.
#[derive(Debug, Clone, Copy)]
pub(crate) struct BearsSecret;

/// What handlers know of the key of the request that they answer.
#[derive(Debug, Clone)]
pub(crate) struct Current {
    /// Its record.
    id: Uuid,
    /// The job that the same request made before.
    made: Option<Uuid>,
    bound: Arc<AtomicBool>,
    /// What was asked for on the way to the answer.
    authority: Arc<Mutex<Authority>>,
}

/// The job that the same request made before: then there is nothing to do but to wait for it.
pub(crate) fn made_before() -> Option<Uuid> {
    Context::current().keyed?.made
}

/// Binds the job that the request makes to its key, if it bears one.
pub(crate) async fn bind(tx: &mut Tx, job: Uuid) -> Result<(), ApiError> {
    let Some(current) = Context::current().keyed else {
        return Ok(());
    };
    if !tx.bind_keyed(current.id, job).await? {
        return Err(ApiError::UnderWay {
            retry_after: UNDER_WAY,
        });
    }
    current.bound.store(true, Ordering::Relaxed);
    Ok(())
}

/// Notes that the request is carried out by this unit of work, if it bears a key.
pub(crate) async fn mark(tx: &mut Tx) -> Result<(), ApiError> {
    let Some(current) = Context::current().keyed else {
        return Ok(());
    };
    // Bound to a job: that tells more.
    if current.made.is_some() || current.bound.load(Ordering::Relaxed) {
        return Ok(());
    }
    if tx.mark_keyed(current.id).await? {
        return Ok(());
    }
    Err(ApiError::UnderWay {
        retry_after: UNDER_WAY,
    })
}

/// Notes scopes that the answer depends on.
pub(crate) fn rests_on_scopes(scopes: &[Scope]) {
    note(|authority| authority.scopes.extend_from_slice(scopes));
}

/// Notes a role that the answer depends on.
pub(crate) fn rests_on_role(vault: Uuid, role: Role) {
    note(|authority| authority.vaults.push((vault, role)));
}

/// Notes what was done with an environment, of which the answer tells.
pub(crate) fn rests_on_environment(vault: Uuid, environment: Uuid, what: Access) {
    note(|authority| authority.environments.push((vault, environment, what)));
}

fn note(change: impl FnOnce(&mut Authority)) {
    if let Some(current) = Context::current().keyed {
        let authority = current.authority.lock();
        change(&mut authority.unwrap_or_else(PoisonError::into_inner));
    }
}

/// Around every handler: looks up a request that bears a key, and keeps what it comes to.
pub(crate) async fn once(State(state): State<ApiState>, request: Request, next: Next) -> Response {
    let is_ours = request.method() == Method::POST && request.uri().path().starts_with("/v1/");
    if !is_ours {
        return next.run(request).await;
    }
    let answer = match given(request.headers()) {
        Ok(None) => return next.run(request).await,
        Ok(Some(key)) => keyed(&state, key, request, next).await,
        Err(error) => Err(error),
    };
    answer.unwrap_or_else(IntoResponse::into_response)
}

fn given(headers: &HeaderMap) -> Result<Option<String>, ApiError> {
    let mut values = headers.get_all(IDEMPOTENCY_KEY).iter();
    let Some(value) = values.next() else {
        return Ok(None);
    };
    let key = value
        .to_str()
        .ok()
        .filter(|key| (1..=MAX_KEY).contains(&key.len()));
    match (key, values.next()) {
        (Some(key), None) => Ok(Some(key.to_owned())),
        _ => Err(ApiError::bad_request(
            "Idempotency-Key must be given once, with 1 to 255 ASCII characters",
        )),
    }
}

async fn keyed(
    state: &ApiState,
    key: String,
    request: Request,
    next: Next,
) -> Result<Response, ApiError> {
    let (mut parts, content) = request.into_parts();
    let caller = Caller::from_request_parts(&mut parts, state).await?;
    let content = body::bytes(Request::from_parts(parts.clone(), content), state).await?;
    let id = state.ambient.new_id();
    let mut tx = state.store.begin().await?;
    let found = tx
        .begin_keyed(&KeyedRequest {
            id,
            user_id: caller.user.id,
            method: parts.method.as_str(),
            path: parts.uri.path(),
            key: &key,
            content: [parts.uri.query().unwrap_or_default().as_bytes(), &content],
            lock: LOCK,
            keep: KEEP,
        })
        .await?;
    tx.commit().await?;
    let made = match found {
        Keyed::New => None,
        Keyed::Job(job) => Some(job),
        Keyed::Answered(answer) => return again(state, &caller, answer).await,
        Keyed::UnderWay => {
            return Err(ApiError::UnderWay {
                retry_after: UNDER_WAY,
            });
        }
        Keyed::Mismatch => {
            return Err(ApiError::Conflict(
                ConflictCode::IdempotencyMismatch,
                "The Idempotency-Key came with another request before. Use a new one".into(),
            ));
        }
        Keyed::Unkept => {
            return Err(ApiError::conflict(
                "The request was carried out before. Its answer is not kept: it bore a secret that is \
                 shown once only, was for that moment, or was lost",
            ));
        }
    };
    // Looked up once.
    parts.extensions.insert(caller);
    let request = Request::from_parts(parts, Body::from(content));
    let current = Current {
        id,
        made,
        bound: Arc::default(),
        authority: Arc::default(),
    };
    let context = Context {
        keyed: Some(current.clone()),
        ..Context::current()
    };
    let running = run(state.clone(), current, request, next);
    let running = context.scope(running).in_current_span();
    match state.lifecycle.tracker.spawn(running).await {
        Ok(response) => Ok(response),
        Err(error) => match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            Err(error) => Err(ApiError::internal(&error)),
        },
    }
}

async fn run(state: ApiState, current: Current, request: Request, next: Next) -> Response {
    let response = next.run(request).await;
    if current.made.is_some() {
        return response;
    }
    let is_success = response.status().is_success();
    if is_success && current.bound.load(Ordering::Relaxed) {
        return response;
    }
    let bears_secret = response.extensions().get::<BearsSecret>().is_some();
    let (parts, body) = response.into_parts();
    // Our own answers are in memory already.
    let body = match to_bytes(body, usize::MAX).await {
        Ok(body) => body,
        Err(error) => return ApiError::internal(&error).into_response(),
    };
    let is_long = body.len() > MAX_ANSWER;
    let data = data(&body);
    // Pages, and what devices are told on their way to a session: of no use a second time.
    let is_bare = data.is_null() && !body.is_empty();
    let answer = KeptAnswer {
        status: parts.status.as_u16(),
        data,
        location: parts
            .headers
            .get(header::LOCATION)
            .and_then(|at| at.to_str().ok().map(ToOwned::to_owned)),
        authority: current
            .authority
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone(),
    };
    let kept = match (is_success, bears_secret || is_long || is_bare) {
        (false, _) => Kept::Nothing,
        (true, true) => Kept::Fact,
        (true, false) => Kept::Answer(answer),
    };
    if let Err(error) = keep(&state, current.id, kept).await {
        tracing::warn!(%error, "what became of a request with an Idempotency-Key was not kept");
    }
    Response::from_parts(parts, Body::from(body))
}

fn data(body: &Bytes) -> Value {
    let envelope = serde_json::from_slice::<Value>(body).ok();
    let data = envelope.and_then(|mut envelope| Some(envelope.get_mut("data")?.take()));
    data.unwrap_or_default()
}

/// What is kept of a request that made no job.
enum Kept {
    /// It failed, and changed nothing.
    Nothing,
    /// That it was answered; the answer bore a secret, is long, or has another form than ours.
    Fact,
    Answer(KeptAnswer),
}

async fn keep(state: &ApiState, id: Uuid, kept: Kept) -> Result<(), StoreError> {
    let mut tx = state.store.begin_statement().await?;
    match kept {
        Kept::Nothing => tx.forget_keyed(id).await?,
        Kept::Fact => tx.answer_keyed(id, None).await?,
        Kept::Answer(answer) => tx.answer_keyed(id, Some(&answer)).await?,
    }
    tx.commit().await
}

/// The answer from before, for a caller who still has the rights that it was given under.
async fn again(
    state: &ApiState,
    caller: &Caller,
    answer: KeptAnswer,
) -> Result<Response, ApiError> {
    caller.require_all(&answer.authority.scopes)?;
    for (vault, _) in &answer.authority.vaults {
        roles::of_vault(state, caller, *vault).await?;
    }
    let mut tx = state.store.begin_read().await?;
    for (vault, role) in answer.authority.vaults {
        let access = tx.find_vault_by_id(caller.user.id, vault).await?;
        let access = access.ok_or_else(|| ApiError::not_found("vault"))?;
        if access.role < role {
            return Err(ApiError::role(role, access.role));
        }
    }
    for (vault, environment, what) in answer.authority.environments {
        let access = tx.find_vault_by_id(caller.user.id, vault).await?;
        let access = access.ok_or_else(|| ApiError::not_found("vault"))?;
        open_environment_by_id(&mut tx, caller, &access, environment, what).await?;
    }
    tx.commit().await?;
    let status = StatusCode::from_u16(answer.status).map_err(|error| ApiError::internal(&error))?;
    if answer.data.is_null() {
        return Ok(status.into_response());
    }
    let mut response = (status, Data(answer.data)).into_response();
    let location = answer
        .location
        .and_then(|at| HeaderValue::from_str(&at).ok());
    if let Some(location) = location {
        response.headers_mut().insert(header::LOCATION, location);
    }
    Ok(response)
}
