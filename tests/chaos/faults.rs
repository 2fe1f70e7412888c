//! What goes wrong, and when.

use std::time::Duration;

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use crate::database::Database;
use crate::deployment::{Deployment, Servers};
use crate::dice::{Dice, eventually, now, pause};
use crate::ledger::Ledger;
use crate::program::Program;
use crate::proxy::{Cut, Proxy};
use crate::simulator::Simulator;

/// The lease of the suite's workers.
const LEASE: Duration = Duration::from_secs(2);
/// A worker that stands still is left so until its jobs are taken from it, but no longer.
const STILL: Duration = Duration::from_secs(20);

/// Something that goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Fault {
    KillWorker,
    KillApi,
    KillServe,
    StopWorker,
    RollingRestart,
    TerminateServe,
    Flush,
    RedisDown,
    RedisReset,
    PostgresRestart,
    PostgresAway,
    PostgresCut,
    PostgresSlow,
    ResetBefore,
    ResetAfter,
    ProviderCut,
    ProviderAway,
    Garbled,
    RateLimits,
    Unavailable,
    Slow,
}

impl Fault {
    /// At the provider, or on the way there: these happen in both forms, and beside others.
    pub(crate) const PROVIDER: [Self; 8] = [
        Self::ResetBefore,
        Self::ResetAfter,
        Self::ProviderCut,
        Self::ProviderAway,
        Self::Garbled,
        Self::RateLimits,
        Self::Unavailable,
        Self::Slow,
    ];
    /// Ours, where there are several processes.
    pub(crate) const PRODUCTION: [Self; 11] = [
        Self::KillWorker,
        Self::KillApi,
        Self::StopWorker,
        Self::RollingRestart,
        Self::Flush,
        Self::RedisDown,
        Self::RedisReset,
        Self::PostgresRestart,
        Self::PostgresAway,
        Self::PostgresCut,
        Self::PostgresSlow,
    ];
    /// Ours, where there is one.
    pub(crate) const EMBEDDED: [Self; 2] = [Self::KillServe, Self::TerminateServe];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::KillWorker => "kill -9 of a worker",
            Self::KillApi => "kill -9 of the API",
            Self::KillServe => "kill -9 of serve",
            Self::StopWorker => "a worker stopped beyond its lease",
            Self::RollingRestart => "rolling restart (SIGTERM)",
            Self::TerminateServe => "restart of serve (SIGTERM)",
            Self::Flush => "FLUSHALL",
            Self::RedisDown => "Redis down, and back empty",
            Self::RedisReset => "connections to Redis reset",
            Self::PostgresRestart => "Postgres restarted",
            Self::PostgresAway => "Postgres out of reach",
            Self::PostgresCut => "statements cut in the middle",
            Self::PostgresSlow => "Postgres slow",
            Self::ResetBefore => "provider resets before the effect",
            Self::ResetAfter => "provider resets after the effect",
            Self::ProviderCut => "calls cut in the middle",
            Self::ProviderAway => "provider out of reach",
            Self::Garbled => "half of the provider's answer",
            Self::RateLimits => "storm of 429",
            Self::Unavailable => "nothing but 503",
            Self::Slow => "answers beyond the timeout",
        }
    }
}

/// A fault that happened.
#[derive(Debug, Clone)]
pub(crate) struct Injected {
    pub(crate) fault: Fault,
    pub(crate) from: DateTime<Utc>,
    /// When whatever was away was back.
    pub(crate) over: DateTime<Utc>,
    /// The worker it hit.
    pub(crate) worker: Option<String>,
}

/// How long outages last.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pace {
    /// Redis away.
    pub(crate) redis: Duration,
    /// A provider that does not work.
    pub(crate) provider: Duration,
}

/// What is ours to break.
struct Ours<'a> {
    api: &'a mut Program,
    workers: &'a mut [Program],
    servers: Option<&'a mut Servers>,
    ledger: &'a Ledger,
    database: &'a Database,
}

/// Breaks something of ours and repairs it.
async fn ours(fault: Fault, pace: Pace, dice: &Dice, ours: Ours<'_>) -> Injected {
    let Ours {
        api,
        workers,
        servers,
        ledger,
        database,
    } = ours;
    let mut from = now();
    let mut hit = None;
    match fault {
        Fault::KillWorker => {
            let worker = &mut workers[dice.below(2)];
            hit = Some(at_work(worker, database).await);
            pause(dice.millis(0, 200)).await;
            from = now();
            worker.kill().await;
            // Its supervisor is quick now and then.
            pause(dice.millis(0, 4000)).await;
            worker.start().await;
        }
        Fault::KillApi | Fault::KillServe => {
            ledger.api_goes();
            api.kill().await;
            pause(dice.millis(0, 1000)).await;
            api.start().await;
            ledger.api_is_back();
        }
        Fault::StopWorker => {
            let worker = &workers[dice.below(2)];
            let name = at_work(worker, database).await;
            pause(dice.millis(0, 200)).await;
            from = now();
            worker.stop();
            pause(LEASE * 2).await;
            let taken = eventually(STILL, || async {
                database.held_by(&name).await.is_ok_and(|jobs| jobs == 0)
            });
            if !taken.await {
                ledger.wrong(format!(
                    "nobody took the jobs of {name}, which stands still"
                ));
            }
            worker.go_on();
            hit = Some(name);
        }
        Fault::RollingRestart => {
            for worker in workers {
                restart(worker, ledger).await;
            }
            ledger.api_goes();
            restart(api, ledger).await;
            ledger.api_is_back();
        }
        Fault::TerminateServe => {
            ledger.api_goes();
            restart(api, ledger).await;
            ledger.api_is_back();
        }
        other => network(other, pace, dice, servers.unwrap()).await,
    }
    Injected {
        fault,
        from,
        over: now(),
        worker: hit,
    }
}

/// Waits until the worker has something to lose, and gives its name.
async fn at_work(worker: &Program, database: &Database) -> String {
    let name = worker.said("Working as ").unwrap().to_owned();
    let has_jobs = || async { database.held_by(&name).await.is_ok_and(|jobs| jobs > 0) };
    eventually(STILL, has_jobs).await;
    name
}

async fn restart(program: &mut Program, ledger: &Ledger) {
    if let Err(error) = program.terminate().await {
        ledger.wrong(error);
    }
    program.start().await;
}

/// Breaks what ours rest on.
async fn network(fault: Fault, pace: Pace, dice: &Dice, servers: &mut Servers) {
    let Servers { postgres, redis } = servers;
    match fault {
        Fault::Flush => redis.server.flush().await,
        Fault::RedisDown => {
            redis.server.end().await;
            pause(pace.redis).await;
            redis.server.begin().await;
        }
        Fault::RedisReset => {
            for _ in 0..3 {
                redis.proxy.reset();
                pause(dice.millis(0, 500)).await;
            }
        }
        Fault::PostgresRestart => {
            postgres.server.end().await;
            pause(dice.millis(0, 1500)).await;
            postgres.server.begin().await;
        }
        Fault::PostgresAway => {
            postgres.proxy.close();
            pause(dice.millis(1000, 4000)).await;
            postgres.proxy.open();
        }
        Fault::PostgresCut => {
            for _ in 0..12 {
                let cut = *dice.pick(&[Cut::InRequest, Cut::BeforeReply]);
                postgres.proxy.cut(dice.below(200), cut);
            }
            pause(Duration::from_secs(3)).await;
            postgres.proxy.forget_cuts();
        }
        Fault::PostgresSlow => {
            postgres.proxy.delay(dice.millis(30, 150));
            pause(Duration::from_secs(4)).await;
            postgres.proxy.delay(Duration::ZERO);
        }
        other => panic!("{} is not of the network", other.name()),
    }
}

/// Lets the provider misbehave for a while.
async fn provider(
    fault: Fault,
    pace: Pace,
    dice: &Dice,
    simulator: &Simulator,
    proxy: &Proxy,
) -> Injected {
    let from = now();
    let several = |times: u32, method: Option<&str>, action: Value| json!({ "times": times, "method": method, "after": dice.below(4), "action": action });
    let method = *dice.pick(&["POST", "PATCH", "DELETE"]);
    let time = match fault {
        Fault::ResetBefore => {
            let reset = json!({ "kind": "resetBefore" });
            simulator
                .fault(&several(3, Some(method), reset.clone()))
                .await;
            simulator.fault(&several(4, None, reset)).await;
            Duration::from_secs(2)
        }
        Fault::ResetAfter => {
            let reset = json!({ "kind": "resetAfter" });
            simulator
                .fault(&several(3, Some(method), reset.clone()))
                .await;
            simulator.fault(&several(3, Some("POST"), reset)).await;
            Duration::from_secs(2)
        }
        Fault::ProviderCut => {
            for _ in 0..6 {
                let cut = *dice.pick(&[Cut::InRequest, Cut::BeforeReply]);
                proxy.cut(dice.below(20), cut);
            }
            Duration::from_secs(2)
        }
        Fault::ProviderAway => {
            proxy.close();
            dice.millis(500, 2000)
        }
        Fault::Garbled => {
            let half = json!({ "kind": "truncateBody" });
            simulator
                .fault(&several(2, Some(method), half.clone()))
                .await;
            simulator.fault(&several(3, None, half)).await;
            Duration::from_secs(2)
        }
        Fault::RateLimits => {
            let budgets = json!({ "env-retrieval": 12, "env-creation": 4, "env-update": 3,
                "env-batch-delete": 2 });
            simulator
                .set(&json!({ "budgets": budgets, "windowMs": 1500 }))
                .await;
            pace.provider
        }
        Fault::Unavailable => {
            let down = json!({ "kind": "respond", "status": 503, "body": "<html>" });
            simulator.fault(&several(100_000, None, down)).await;
            pace.provider
        }
        Fault::Slow => {
            let slow = json!({ "kind": "delay", "milliseconds": 700 + dice.below(1500) });
            simulator
                .fault(&several(4, Some(method), slow.clone()))
                .await;
            simulator
                .fault(&several(4, Some("POST"), slow.clone()))
                .await;
            simulator.fault(&several(4, None, slow)).await;
            simulator
                .fault(&several(2, None, json!({ "kind": "hang" })))
                .await;
            Duration::from_secs(4)
        }
        other => panic!("{} is not of the provider", other.name()),
    };
    pause(time).await;
    simulator.heal().await;
    proxy.forget_cuts();
    proxy.open();
    Injected {
        fault,
        from,
        over: now(),
        worker: None,
    }
}

/// One fault after another, some at the same time.
pub(crate) async fn storm(
    deployment: &mut Deployment,
    dice: &Dice,
    pace: Pace,
    rounds: impl Iterator<Item = Vec<Fault>>,
) -> Vec<Injected> {
    let Deployment {
        simulator,
        to_provider,
        servers,
        api,
        workers,
        ledger,
        database,
        ..
    } = deployment;
    let mut injected = Vec::new();
    for faults in rounds {
        pause(dice.millis(0, 1500)).await;
        let names: Vec<_> = faults.iter().map(|fault| fault.name()).collect();
        println!("{} {}", now().format("%T%.3f"), names.join(", and "));
        let beside = faults.iter().find(|fault| Fault::PROVIDER.contains(fault));
        let own = faults.iter().find(|fault| !Fault::PROVIDER.contains(fault));
        let beside = async {
            match beside {
                Some(fault) => Some(provider(*fault, pace, dice, simulator, to_provider).await),
                None => None,
            }
        };
        let own = async {
            let parts = Ours {
                api,
                workers,
                servers: servers.as_mut(),
                ledger,
                database,
            };
            match own {
                Some(fault) => Some(ours(*fault, pace, dice, parts).await),
                None => None,
            }
        };
        let (beside, own) = tokio::join!(beside, own);
        injected.extend(beside);
        injected.extend(own);
    }
    injected
}
