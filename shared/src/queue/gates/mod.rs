//! The gates that every worker asks before it calls a provider: one for each account and family of
//! calls, and a circuit for each host and account.
//!
//! In one process they are a map; with Redis they are there, for all processes, and a question is one
//! round trip. With Redis away each process goes by its own, with a part of the budgets, and nobody is
//! held up. What a provider closed is in SQL too (`gates`), for a Redis that was emptied.

mod local;
mod redis;

use std::fmt::Debug;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use crate::domain::connection::ProviderName;
use crate::domain::gate::{Ask, Barrier, Budget, CallFamily, ClosedGate, Turn};
use local::LocalGates;
use redis::RedisGates;

use super::RedisQueue;

/// The part of a budget that a process allows itself while it does not know of the others.
const CAREFUL: u32 = 4;
/// How long a Redis that did not answer is not asked.
const LEFT_ALONE: i64 = 1_000;

/// Who calls, as the provider tells callers apart.
#[derive(Debug, Clone)]
pub struct Caller {
    /// The provider.
    pub provider: ProviderName,
    host: Arc<str>,
    account: Arc<str>,
}

impl Caller {
    /// A user or team at a provider's host: tokens of the same one share its limits.
    pub fn new(provider: ProviderName, origin: &str, account_id: &str) -> Self {
        Self {
            provider,
            host: host(provider, origin),
            account: format!("{provider}|{origin}|{account_id}").into(),
        }
    }

    /// Its name in storage.
    pub fn account(&self) -> &str {
        &self.account
    }
}

fn host(provider: ProviderName, origin: &str) -> Arc<str> {
    format!("{provider}|{origin}").into()
}

/// What is told of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum News {
    /// It was answered.
    Answered,
    /// The provider said not before `until`, and perhaps how many calls it takes.
    Refused {
        /// When it takes calls again.
        until: Option<i64>,
        /// Calls in a window.
        total: Option<u32>,
    },
    /// It was answered, with what is left.
    Left {
        /// Calls in a window.
        total: u32,
        /// Those that are left.
        left: u32,
        /// The window's end.
        end: Option<i64>,
    },
    /// There was no answer, or a failure of the provider's.
    Failed,
}

/// What followed from news.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Effect {
    /// It closed a gate that was open.
    pub closed: bool,
    /// It opened a circuit.
    pub opened: bool,
    /// Nobody may call until then, because of failures.
    pub held: Option<i64>,
}

/// The gates, wherever they are. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Gates {
    local: Arc<LocalGates>,
    redis: Option<RedisGates>,
    /// Redis is not asked before then.
    away_until: Arc<AtomicI64>,
}

impl Gates {
    pub(super) fn local() -> Self {
        Self {
            local: Arc::default(),
            redis: None,
            away_until: Arc::default(),
        }
    }

    pub(super) fn redis(redis: &RedisQueue) -> Self {
        let gates = Self {
            redis: Some(RedisGates::new(redis.clone())),
            ..Self::local()
        };
        // What these know in place of Redis they learn here.
        gates.local.restore(&[], 0);
        gates
    }

    /// Whether a call may be made now. `None`: the gates have been emptied, or were never used;
    /// [`Gates::restore`] them and ask again.
    pub async fn ask(&self, caller: &Caller, family: CallFamily, ask: &Ask) -> Option<Turn> {
        let Some(redis) = &self.redis else {
            return self.local.ask(caller, family, ask);
        };
        if let Some(redis) = self.there(redis, ask.now) {
            match redis.ask(caller, family, ask).await {
                Ok(turn) => return turn,
                Err(_) => self.left_alone(ask.now),
            }
        }
        let careful = ask.budget.map(|budget| Budget {
            calls: (budget.calls / CAREFUL).max(1),
            ..budget
        });
        let ask = Ask {
            budget: careful,
            ..*ask
        };
        self.local.ask(caller, family, &ask)
    }

    /// Passes on how a call went. Not needed for one that was not watched and went well.
    pub async fn tell(
        &self,
        caller: &Caller,
        family: CallFamily,
        budget: Option<Budget>,
        now: i64,
        news: News,
    ) -> Effect {
        let Some(redis) = &self.redis else {
            return self.local.tell(caller, family, budget, now, news);
        };
        let here = self.local.tell(caller, family, budget, now, news);
        if let Some(redis) = self.there(redis, now) {
            match redis.tell(caller, family, budget, now, news).await {
                Ok(effect) => return effect,
                Err(_) => self.left_alone(now),
            }
        }
        here
    }

    /// Closes what is remembered to have been closed by a provider, with one call on trial at the
    /// end, and begins to know everything else.
    pub async fn restore(&self, closed: &[ClosedGate], now: i64) {
        self.local.restore(closed, now);
        if let Some(redis) = &self.redis
            && redis.restore(closed, now).await.is_err()
        {
            self.left_alone(now);
        }
    }

    /// Until when nobody calls the host, if so.
    pub async fn outage(&self, provider: ProviderName, origin: &str, now: i64) -> Option<i64> {
        let host = host(provider, origin);
        if let Some(redis) = self.redis.as_ref().and_then(|redis| self.there(redis, now))
            && let Ok(held) = redis.held(&host, now).await
        {
            return held;
        }
        self.local.held(&host, now)
    }

    fn there<'a>(&self, redis: &'a RedisGates, now: i64) -> Option<&'a RedisGates> {
        (now >= self.away_until.load(Ordering::Relaxed)).then_some(redis)
    }

    fn left_alone(&self, now: i64) {
        self.away_until.store(now + LEFT_ALONE, Ordering::Relaxed);
    }
}

/// The later of the two.
fn held(host: Option<i64>, account: Option<i64>) -> Option<Turn> {
    host.max(account).map(|until| Turn::Wait {
        until,
        barrier: Barrier::Outage,
    })
}
