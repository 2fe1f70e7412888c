//! The limits in Redis: one script, that looks and counts in one round trip.

use std::sync::LazyLock;
use std::time::Duration;

use ::redis::Script;

use super::super::RedisQueue;
use super::WINDOW;

/// How long a request may be held up by Redis.
const WITHIN: Duration = Duration::from_millis(100);

static SCRIPT: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("limits.lua")));

#[derive(Debug, Clone)]
pub(super) struct RedisLimits(RedisQueue);

impl RedisLimits {
    pub(super) const fn new(redis: RedisQueue) -> Self {
        Self(redis)
    }

    /// `None` when Redis did not answer.
    pub(super) async fn count(&self, caller: &str, now: i64, cost: i64) -> Option<(bool, i64)> {
        let mut connection = self.0.connection();
        let mut script = SCRIPT.key(format!("{}limit:{caller}", self.0.prefix()));
        let call = script.arg(now).arg(cost).arg(WINDOW);
        let run = tokio::time::timeout(WITHIN, call.invoke_async(&mut connection)).await;
        let answered: Option<(i64, i64)> = run.ok().and_then(Result::ok);
        self.0.note(answered.is_some());
        answered.map(|(passes, paid)| (passes == 1, paid))
    }
}
