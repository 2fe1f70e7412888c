//! The slots of all processes, in Redis: for each name a sorted set of ids by the time at which they end.

use std::sync::LazyLock;
use std::time::Duration;

use ::redis::{Script, cmd, pipe};
use uuid::Uuid;

use super::super::RedisQueue;
use super::LIFE;

/// How long a request may be held up by Redis.
const WITHIN: Duration = Duration::from_millis(100);

static SCRIPT: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("slots.lua")));

#[derive(Debug, Clone)]
pub(super) struct RedisSlots(RedisQueue);

impl RedisSlots {
    pub(super) const fn new(redis: RedisQueue) -> Self {
        Self(redis)
    }

    /// Whether one was left; `None` when Redis did not answer.
    pub(super) async fn take(&self, name: &str, limit: u32, id: Uuid, now: i64) -> Option<bool> {
        let mut connection = self.0.connection();
        let mut script = SCRIPT.key(self.key(name));
        let call = script.arg(id.as_bytes()).arg(now).arg(limit).arg(LIFE);
        let run = tokio::time::timeout(WITHIN, call.invoke_async(&mut connection)).await;
        let answered: Option<bool> = run.ok().and_then(Result::ok);
        self.0.note(answered.is_some());
        answered
    }

    /// Lets it last longer, also when it was forgotten on the way.
    pub(super) async fn renew(&self, name: &str, id: Uuid, now: i64) {
        let mut connection = self.0.connection();
        let (key, id) = (self.key(name), id.as_bytes());
        let mut pipe = pipe();
        pipe.zadd(&key, id, now + LIFE).ignore();
        pipe.pexpire(&key, LIFE).ignore();
        let run = tokio::time::timeout(WITHIN, pipe.query_async::<()>(&mut connection)).await;
        self.0.note(matches!(run, Ok(Ok(()))));
    }

    pub(super) async fn give_back(&self, name: &str, id: Uuid) {
        let mut connection = self.0.connection();
        let mut remove = cmd("ZREM");
        remove.arg(self.key(name)).arg(id.as_bytes());
        let run = tokio::time::timeout(WITHIN, remove.query_async::<()>(&mut connection)).await;
        self.0.note(matches!(run, Ok(Ok(()))));
    }

    fn key(&self, name: &str) -> String {
        format!("{}slots:{name}", self.0.prefix())
    }
}
