//! Limits on the requests of one caller in a minute.
//!
//! In one process they are a map; with Redis they are there, for all processes, and a question is one
//! round trip. With Redis away each process goes by its own: nobody is locked out.

mod local;
mod redis;

use super::RedisQueue;
use local::LocalLimits;
use redis::RedisLimits;

/// Milliseconds that a limit speaks of.
const WINDOW: i64 = 60_000;

/// What a caller may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Allowance {
    /// Whether this request may pass.
    pub passes: bool,
    /// Requests in a minute.
    pub limit: u32,
    /// How many more may come at once now.
    pub remaining: u32,
    /// Seconds until all of them may.
    pub reset: u64,
    /// Seconds until one more may pass; 0 when it may now.
    pub retry_after: u64,
}

/// Counts requests. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Limits {
    redis: Option<RedisLimits>,
    local: LocalLimits,
}

impl Limits {
    pub(super) fn local() -> Self {
        Self {
            redis: None,
            local: LocalLimits::default(),
        }
    }

    pub(super) fn redis(redis: &RedisQueue) -> Self {
        Self {
            redis: Some(RedisLimits::new(redis.clone())),
            local: LocalLimits::default(),
        }
    }

    /// Counts one request of a caller who may make `limit` in a minute, all at once or spread. One that
    /// does not pass costs nothing. `now` is in milliseconds.
    pub async fn count(&self, caller: &str, limit: u32, now: i64) -> Allowance {
        let cost = WINDOW / i64::from(limit.max(1));
        let shared = match &self.redis {
            Some(redis) => redis.count(caller, now, cost).await,
            None => None,
        };
        let (passes, paid) = if let Some(counted) = shared {
            counted
        } else {
            if self.redis.is_some() {
                metrics::counter!("keyway_request_limits_alone_total").increment(1);
            }
            self.local.count(caller, now, cost)
        };
        let owed = paid - now;
        let seconds = |milliseconds: i64| milliseconds.max(0).unsigned_abs().div_ceil(1_000);
        Allowance {
            passes,
            limit,
            remaining: u32::try_from((WINDOW - owed).max(0) / cost).unwrap_or(0),
            reset: seconds(owed),
            retry_after: if passes {
                0
            } else {
                seconds(owed + cost - WINDOW).max(1)
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_minute_has_so_many_requests_and_no_more() {
        let limits = Limits::local();
        for n in 0..60_u32 {
            let allowance = limits.count("a", 60, 1_000).await;
            assert!(allowance.passes);
            assert_eq!(allowance.remaining, 59 - n);
        }
        let refused = limits.count("a", 60, 1_000).await;
        assert!(!refused.passes);
        assert_eq!(
            (refused.remaining, refused.reset, refused.retry_after),
            (0, 60, 1)
        );
        // Another caller has its own.
        assert!(limits.count("b", 60, 1_000).await.passes);
        // One comes back each second.
        assert!(limits.count("a", 60, 2_000).await.passes);
        assert!(!limits.count("a", 60, 2_000).await.passes);
        // A clock that was set back holds nobody for longer than a minute.
        let back = limits.count("a", 60, -600_000).await;
        assert_eq!(back.retry_after, 1);
    }
}
