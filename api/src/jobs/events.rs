//! `GET /v1/integrations/jobs/{id}/events`

use std::convert::Infallible;
use std::time::Duration;

use axum::extract::State;
use axum::http::{HeaderName, HeaderValue, header};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures::Stream;
use keyway_shared::domain::account::Scope;
use keyway_shared::domain::job::JobState;
use keyway_shared::queue::Waiter;
use keyway_shared::store::{JobView, StoreError};
use tokio::time::timeout;
use utoipa::ToSchema;
use uuid::Uuid;

use super::JobBody;
use crate::at_once::{Held, Open};
use crate::auth::roles;
use crate::error::ApiError;
use crate::extract::{Caller, Path};
use crate::schema::{Guarded, Missing};
use crate::state::ApiState;

/// How often a stream looks at its job. A signal makes it look at once.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Comments between events, so that nobody on the way takes the stream for dead.
const HEARTBEAT: Duration = Duration::from_secs(15);
/// When a client whose stream broke off comes back.
const COME_BACK: Duration = Duration::from_secs(2);
/// Proxies that collect what they pass on are asked not to.
const NO_BUFFER: HeaderName = HeaderName::from_static("x-accel-buffering");

/// Follow a job
///
/// Server-Sent Events: `job` bears the job's document at the start and after each change of its state
/// or progress, `end` bears the last one, and with that the stream ends. It also ends, without `end`,
/// when you may no longer see the job or the service stops: a client then connects again. Needs
/// `read:secrets`.
#[utoipa::path(
    get,
    path = "/v1/integrations/jobs/{id}/events",
    operation_id = "follow_job",
    tag = "jobs",
    params(("id" = Uuid, Path, description = "The job.")),
    responses(
        (status = 200, description = "The stream of events.", body = JobEvent,
            content_type = "text/event-stream"),
        Guarded, Missing
    )
)]
pub(crate) async fn follow_job(
    State(state): State<ApiState>,
    caller: Caller,
    Path(id): Path<Uuid>,
) -> Result<Response, ApiError> {
    caller.require(Scope::ReadSecrets)?;
    let held = Held::take(&state, &caller, Open::Stream).await?;
    let waiter = state.queue.waiter(id);
    let mut feed = Feed {
        state,
        caller,
        id,
        waiter,
        held,
        seen: None,
        ended: false,
    };
    // What cannot be followed is an answer of its own, not an empty stream.
    let first = feed.look().await?;
    let first = first.ok_or_else(|| ApiError::not_found("job"))?;
    let events = futures::stream::unfold((Some(first), feed), |(ready, mut feed)| async {
        let event = match ready {
            Some(event) => event.retry(COME_BACK),
            None => feed.next().await?,
        };
        Some((Ok::<_, Infallible>(event), (None, feed)))
    });
    Ok(answer(events))
}

/// One event of the stream.
#[derive(ToSchema)]
#[expect(dead_code, reason = "for the document: events are written as text")]
pub(crate) struct JobEvent {
    /// `job`, or `end` for the last.
    event: EventName,
    /// The job's document.
    data: String,
    /// Milliseconds after which a client whose stream broke off comes back; in the first.
    #[schema(required = false)]
    retry: Option<u64>,
}

/// What an event is called.
#[derive(ToSchema)]
#[schema(rename_all = "lowercase")]
#[expect(dead_code, reason = "for the document")]
pub(crate) enum EventName {
    Job,
    End,
}

fn answer(events: impl Stream<Item = Result<Event, Infallible>> + Send + 'static) -> Response {
    let keep_alive = KeepAlive::new().interval(HEARTBEAT);
    let mut response = Sse::new(events).keep_alive(keep_alive).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(NO_BUFFER, HeaderValue::from_static("no"));
    response
}

/// What a client was shown last.
type Seen = (JobState, i64, i64, i64, bool, i64, bool, bool);

/// One client's view of one job.
struct Feed {
    state: ApiState,
    caller: Caller,
    id: Uuid,
    waiter: Waiter,
    held: Held,
    seen: Option<Seen>,
    ended: bool,
}

impl Feed {
    /// The next event; `None` at the end of the stream.
    async fn next(&mut self) -> Option<Event> {
        while !self.ended {
            tokio::select! {
                () = self.state.lifecycle.soft.cancelled() => return None,
                _ = timeout(LOOK_EVERY, self.waiter.changed()) => {}
            }
            self.held.keep(&self.state).await;
            match self.look().await {
                Ok(Some(event)) => return Some(event),
                Ok(None) if self.seen.is_none() => return None,
                Ok(None) => {}
                // Storage is away for a moment; the stream is not.
                Err(error) => tracing::debug!(%error, "a job that is followed was not looked at"),
            }
        }
        None
    }

    /// The job as it stands, unless the client knows that; also whether it may still see it at all:
    /// if not, nothing counts as seen.
    async fn look(&mut self) -> Result<Option<Event>, StoreError> {
        let user = self.caller.user.id;
        if let Err(error) = roles::of_job(&self.state, &self.caller, self.id).await {
            // What GitHub told before counts for as long as it does.
            tracing::debug!(%error, "a role was not asked for");
        }
        let mut tx = self.state.store.begin_read().await?;
        let now = self.state.ambient.now();
        let view = if self.caller.credential.is_alive(&mut tx, now).await? {
            tx.find_job(user, self.id).await?
        } else {
            None
        };
        let Some(view) = view else {
            self.seen = None;
            return Ok(None);
        };
        let now = Some(seen(&view));
        if now == self.seen {
            return Ok(None);
        }
        let report = tx.find_report(self.id).await?.unwrap_or_default();
        tx.commit().await?;
        if view.job.state.is_final() {
            self.state.store.settle_on_disk().await?;
        }
        self.seen = now;
        self.ended = view.job.state.is_final();
        let name = if self.ended { "end" } else { "job" };
        Event::default()
            .event(name)
            .json_data(JobBody::new(view, report))
            .map(Some)
            .or_else(|error| {
                tracing::error!(%error, "a job's document is no JSON");
                self.ended = true;
                Ok(None)
            })
    }
}

fn seen(view: &JobView) -> Seen {
    let job = &view.job;
    (
        job.state,
        job.attempt,
        job.progress_done,
        job.progress_total,
        job.cancel_requested,
        view.requests,
        view.is_paused,
        view.is_behind,
    )
}
