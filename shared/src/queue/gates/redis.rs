//! The gates in Redis: one script, that looks and counts in one round trip.

use std::sync::{Arc, LazyLock};
use std::time::Duration;

use ::redis::{RedisError, Script, ScriptInvocation};

use super::super::RedisQueue;
use super::{Caller, Effect, News};
use crate::domain::gate::{Ask, Barrier, Budget, CallFamily, ClosedGate, Turn};

/// How long a call to a provider may be held up by Redis.
const WITHIN: Duration = Duration::from_millis(250);

static SCRIPT: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("gates.lua")));

/// Redis did not answer.
#[derive(Debug)]
pub(super) struct Away;

#[derive(Debug, Clone)]
pub(super) struct RedisGates(RedisQueue);

impl RedisGates {
    pub(super) const fn new(redis: RedisQueue) -> Self {
        Self(redis)
    }

    pub(super) async fn ask(
        &self,
        caller: &Caller,
        family: CallFamily,
        ask: &Ask,
    ) -> Result<Option<Turn>, Away> {
        let mut script = self.script(&caller.host, &caller.account, family.as_str());
        let (calls, window) = numbers(ask.budget);
        script.arg("ask").arg(ask.now).arg(calls).arg(window);
        script.arg(i64::from(ask.background));
        script.arg(i64::from(ask.waited)).arg(i64::from(ask.urgent));
        let (answer, until, watched, left): (String, i64, i64, i64) = self.run(&script).await?;
        let wait = |barrier| Some(Turn::Wait { until, barrier });
        Ok(match answer.as_str() {
            "go" => Some(Turn::Go {
                watched: watched > 0,
                left: u32::try_from(left).ok(),
            }),
            "limit" => wait(Barrier::Limit),
            "outage" => wait(Barrier::Outage),
            _ => None,
        })
    }

    pub(super) async fn tell(
        &self,
        caller: &Caller,
        family: CallFamily,
        budget: Option<Budget>,
        now: i64,
        news: News,
    ) -> Result<Effect, Away> {
        let mut script = self.script(&caller.host, &caller.account, family.as_str());
        let (calls, window) = numbers(budget);
        match news {
            News::Answered => script.arg("answered").arg(now),
            News::Failed => script.arg("failed").arg(now).arg(&*caller.account),
            News::Refused { until, total } => script
                .arg("refused")
                .arg(now)
                .arg(calls)
                .arg(window)
                .arg(until.unwrap_or(-1))
                .arg(total.map_or(-1, i64::from)),
            News::Left { total, left, end } => script
                .arg("left")
                .arg(now)
                .arg(total)
                .arg(left)
                .arg(end.unwrap_or(-1)),
        };
        let (closed, opened, held): (i64, i64, i64) = self.run(&script).await?;
        Ok(Effect {
            closed: closed > 0,
            opened: opened > 0,
            held: (held > 0).then_some(held),
        })
    }

    pub(super) async fn restore(&self, closed: &[ClosedGate], now: i64) -> Result<(), Away> {
        for one in closed {
            let mut script = self.script("", &one.account, one.family.as_str());
            script.arg("restore").arg(now).arg(one.until);
            script.arg(one.total.map_or(0, i64::from));
            let _: i64 = self.run(&script).await?;
        }
        let mut script = self.script("", "", "");
        script.arg("known");
        let _: i64 = self.run(&script).await?;
        Ok(())
    }

    pub(super) async fn held(&self, host: &Arc<str>, now: i64) -> Result<Option<i64>, Away> {
        let mut script = self.script(host, "", "");
        script.arg("held").arg(now);
        let until: i64 = self.run(&script).await?;
        Ok((until > 0).then_some(until))
    }

    fn script(&self, host: &str, account: &str, family: &str) -> ScriptInvocation<'static> {
        let prefix = self.0.prefix();
        let mut script = SCRIPT.prepare_invoke();
        script
            .key(format!("{prefix}gates"))
            .key(format!("{prefix}gate:{account}|{family}"))
            .key(format!("{prefix}circuit:{host}"))
            .key(format!("{prefix}circuit:{account}"));
        script
    }

    async fn run<T: ::redis::FromRedisValue>(
        &self,
        script: &ScriptInvocation<'_>,
    ) -> Result<T, Away> {
        let mut connection = self.0.connection();
        let run = tokio::time::timeout(WITHIN, script.invoke_async(&mut connection)).await;
        let answered: Option<Result<T, RedisError>> = run.ok();
        self.0.note(!matches!(&answered, None | Some(Err(_))));
        match answered {
            Some(Ok(answer)) => Ok(answer),
            Some(Err(error)) => {
                tracing::debug!(error = %error.category(), "the gates in Redis cannot be used");
                Err(Away)
            }
            None => Err(Away),
        }
    }
}

/// A budget as the script takes it.
fn numbers(budget: Option<Budget>) -> (u32, i64) {
    budget.map_or((0, 60_000), |budget| {
        (budget.calls, budget.window.as_millis() as i64)
    })
}
