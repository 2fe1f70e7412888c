//! The leave of a run to call with one credential: its lease, and the gates that all workers share.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use keyway_shared::ambient::Ambient;
use keyway_shared::domain::connection::Connection;
use keyway_shared::domain::gate::{Ask, Barrier, ClosedGate, Gate, Turn};
use keyway_shared::domain::job::{Job, JobClass, JobKind};
use keyway_shared::providers::capabilities::Budgets;
use keyway_shared::providers::{CallEnd, CallFamily, CallGuard, Provider, ProviderError, Quota};
use keyway_shared::queue::Gates;
use keyway_shared::queue::gates::{Caller, News};
use keyway_shared::store::{Store, StoreError};
use keyway_shared::sync::options::Direction;

use super::Engine;
use super::guard::Guard;

/// So many times longer a pull waits for its reads without letting go: what it has read it would have
/// to read again, and with many values it would never come to an end. Two windows of a minute.
const PULL_PATIENCE: u32 = 40;
/// Between looks at whether the run is still wanted.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// What a provider closed longer ago says nothing of today.
const REMEMBERED: TimeDelta = TimeDelta::hours(1);
/// Calls of the same account that are not ours, as a share of the budget: fewer are not worth telling.
const STRANGERS: u32 = 10;

const FAMILIES: usize = CallFamily::ALL.len();

#[derive(Debug)]
pub(crate) struct Gatekeeper {
    guard: Arc<Guard>,
    gates: Gates,
    store: Store,
    ambient: Ambient,
    caller: Caller,
    budgets: Budgets,
    background: bool,
    pulls: bool,
    patience: Duration,
    /// It was told to wait before, and has a place.
    waited: AtomicBool,
    /// Something hangs on the next success.
    watched: [AtomicBool; FAMILIES],
    /// What was left of the budget when a call was last let pass.
    left: [AtomicU32; FAMILIES],
}

impl Gatekeeper {
    pub(crate) fn new(
        engine: &Engine,
        guard: Arc<Guard>,
        job: &Job,
        provider: &dyn Provider,
        connection: &Connection,
    ) -> Self {
        let account = &connection.provider_account_id;
        let caller = Caller::new(connection.provider, provider.api_origin(), account);
        let is_sync = job.kind == JobKind::Sync;
        Self {
            guard,
            gates: engine.queue().gates().clone(),
            store: engine.store().clone(),
            ambient: engine.context.ambient.clone(),
            caller,
            budgets: provider.descriptor().budgets,
            background: job.class == JobClass::Background,
            pulls: is_sync && job.request.direction == Direction::Pull,
            patience: engine.options().patience,
            waited: AtomicBool::new(job.rate_limited_ms > 0),
            watched: Default::default(),
            left: std::array::from_fn(|_| AtomicU32::new(u32::MAX)),
        }
    }

    fn now(&self) -> i64 {
        self.ambient.now().timestamp_millis()
    }

    /// Whether the call may be made now. Gates that know nothing are given what SQL remembers.
    async fn ask(&self, family: CallFamily) -> Turn {
        let ask = Ask {
            now: self.now(),
            budget: self.budgets.of(family),
            background: self.background,
            waited: self.waited.load(Ordering::Relaxed),
            urgent: self.guard.is_splitting(),
        };
        if let Some(turn) = self.gates.ask(&self.caller, family, &ask).await {
            return turn;
        }
        let closed = self.remembered().await.unwrap_or_else(|error| {
            tracing::warn!(%error, "what providers closed is not known");
            Vec::new()
        });
        self.gates.restore(&closed, ask.now).await;
        let turn = self.gates.ask(&self.caller, family, &ask).await;
        // They were emptied again in between; the provider has the last word anyway.
        turn.unwrap_or(Turn::Go {
            watched: false,
            left: None,
        })
    }

    async fn remembered(&self) -> Result<Vec<ClosedGate>, StoreError> {
        let mut tx = self.store.begin_read_statement().await?;
        let closed = tx.closed_gates(self.ambient.now() - REMEMBERED).await?;
        tx.commit().await?;
        Ok(closed)
    }

    async fn remember(&self, family: CallFamily, until: i64, total: Option<u32>) {
        let gate = ClosedGate {
            account: self.caller.account().to_owned(),
            family,
            until,
            total,
        };
        let noted = async {
            let mut tx = self.store.begin_fleeting().await?;
            tx.note_closed_gate(&gate).await?;
            tx.commit().await
        };
        if let Err(error) = noted.await {
            tracing::warn!(%error, "a rate limit could not be noted");
        }
    }

    /// The wait that is worth the permit.
    fn patience(&self, family: CallFamily) -> Duration {
        if self.pulls && family == CallFamily::Read {
            self.patience * PULL_PATIENCE
        } else {
            self.patience
        }
    }

    /// Waits with the lease kept; less than asked when the run is to stop.
    async fn wait(&self, wait: Duration) {
        let mut left = wait;
        while !left.is_zero() && self.guard.stop(false).is_none() {
            let part = left.min(LOOK_EVERY);
            pause(part).await;
            left -= part;
        }
    }

    async fn refused(&self, family: CallFamily, until: Option<DateTime<Utc>>, quota: Quota) {
        let (budget, now) = (self.budgets.of(family), self.now());
        let until = until.map(|until| until.timestamp_millis());
        let total = quota.total;
        let news = News::Refused { until, total };
        let effect = self
            .gates
            .tell(&self.caller, family, budget, now, news)
            .await;
        if effect.closed {
            metrics::counter!("keyway_gate_closures_total",
                "provider" => self.caller.provider.as_str(), "family" => family.as_str())
            .increment(1);
            let until = Gate::closed_until(now, until);
            let told = DateTime::from_timestamp_millis(until).unwrap_or_default();
            tracing::info!(%family, until = %told, total, "the provider limits calls");
            self.remember(family, until, total).await;
        }
    }

    async fn failed(&self, family: CallFamily) {
        let effect = self
            .gates
            .tell(&self.caller, family, None, self.now(), News::Failed)
            .await;
        let until = effect.held.and_then(DateTime::from_timestamp_millis);
        if let Some(until) = until {
            self.guard.hold(until);
            if effect.opened {
                metrics::counter!("keyway_circuit_opened_total",
                    "provider" => self.caller.provider.as_str())
                .increment(1);
                tracing::warn!(%until, "the provider fails; it is left alone for a while");
            }
        }
    }

    /// What is to be told of an answer, if anything.
    fn news(&self, family: CallFamily, quota: Quota) -> Option<News> {
        if let (Some(total), Some(left)) = (quota.total, quota.left) {
            let ours = self.left[family as usize].load(Ordering::Relaxed);
            if left.saturating_add(total / STRANGERS) < ours {
                let end = quota.end.map(|end| end.timestamp_millis());
                return Some(News::Left { total, left, end });
            }
        }
        self.watched[family as usize]
            .swap(false, Ordering::Relaxed)
            .then_some(News::Answered)
    }
}

#[async_trait]
impl CallGuard for Gatekeeper {
    async fn before(&self, family: CallFamily) -> Result<(), ProviderError> {
        let mut patience = self.patience(family);
        let counted_as = self.budgets.counted_as(family);
        loop {
            if self.guard.stop(family.writes()).is_some() {
                return Err(ProviderError::Stopped);
            }
            let (until, barrier) = match self.ask(counted_as).await {
                Turn::Go { watched, left } => {
                    let at = counted_as as usize;
                    self.watched[at].fetch_or(watched, Ordering::Relaxed);
                    self.left[at].store(left.unwrap_or(u32::MAX), Ordering::Relaxed);
                    break;
                }
                Turn::Wait { until, barrier } => (until, barrier),
            };
            let wait = Duration::from_millis((until - self.now()).max(1).unsigned_abs());
            self.waited.store(true, Ordering::Relaxed);
            if wait > patience {
                let until = DateTime::from_timestamp_millis(until).unwrap_or_default();
                return Err(match barrier {
                    Barrier::Limit => ProviderError::RateLimited { until: Some(until) },
                    Barrier::Outage => ProviderError::Held { until },
                });
            }
            patience -= wait;
            metrics::counter!("keyway_gate_waits_total",
                "provider" => self.caller.provider.as_str(), "reason" => barrier.as_str())
            .increment(1);
            self.wait(wait).await;
        }
        // Asking took time, of which the lease may not have had enough.
        if self.guard.stop(family.writes()).is_some() {
            return Err(ProviderError::Stopped);
        }
        Ok(())
    }

    async fn after(&self, family: CallFamily, end: CallEnd<'_>) {
        let family = self.budgets.counted_as(family);
        match end.error {
            Some(ProviderError::RateLimited { until }) => {
                self.refused(family, *until, end.quota).await;
            }
            Some(error) if error.is_failure_of_provider() => self.failed(family).await,
            _ => {
                if let Some(news) = self.news(family, end.quota) {
                    let budget = self.budgets.of(family);
                    let now = self.now();
                    self.gates
                        .tell(&self.caller, family, budget, now, news)
                        .await;
                }
            }
        }
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "a wait so short that the job keeps its worker"
)]
async fn pause(time: Duration) {
    tokio::time::sleep(time).await;
}
