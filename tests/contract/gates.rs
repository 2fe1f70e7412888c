//! The gates: what is remembered of them in SQL, and that those in Redis follow the same rules as
//! those inside a process.

use std::time::Duration;

use keyway_shared::ambient::Ambient;
use keyway_shared::domain::connection::ProviderName;
use keyway_shared::domain::gate::{Ask, Barrier, Budget, CallFamily, ClosedGate, Turn};
use keyway_shared::entropy::{Entropy, SeededEntropy};
use keyway_shared::queue::gates::{Caller, News};
use keyway_shared::queue::{Gates, Queue, RedisOptions, RedisQueue};
use keyway_shared::secret::Secret;
use keyway_tests::cut::Cut;
use keyway_tests::database::redis_url;

use crate::world::World;

const BUDGET: Option<Budget> = Some(Budget {
    calls: 10,
    window: Duration::from_mins(1),
});

fn closed(account: &str, until: i64) -> ClosedGate {
    ClosedGate {
        account: account.to_owned(),
        family: CallFamily::Read,
        until,
        total: Some(7),
    }
}

fn caller(account: &str) -> Caller {
    Caller::new(ProviderName::Vercel, "https://api.example", account)
}

fn at(now: i64) -> Ask {
    Ask {
        now,
        budget: BUDGET,
        background: false,
        waited: false,
        urgent: false,
    }
}

pub(crate) async fn what_a_provider_closed_is_remembered_for_a_while(world: &World) {
    let now = world.now().timestamp_millis();
    let mut tx = world.tx().await;
    for (account, seconds) in [("b", 60), ("a", -60), ("b", 30)] {
        let gate = closed(account, now + seconds * 1_000);
        tx.note_closed_gate(&gate).await.unwrap();
    }
    tx.commit().await.unwrap();
    let mut tx = world.tx().await;
    let all = tx.closed_gates(world.now() - Duration::from_hours(1)).await;
    let expected = [closed("a", now - 60_000), closed("b", now + 30_000)];
    assert_eq!(all.unwrap(), expected);
    assert_eq!(tx.prune_closed_gates(world.now(), 10).await.unwrap(), 1);
    let left = tx.closed_gates(world.now()).await.unwrap();
    assert_eq!(left, expected[1..]);
}

/// Gates of their own in Redis.
async fn in_redis(url: &str) -> Gates {
    let options = RedisOptions {
        url: Secret::new(url),
        prefix: format!("kwtest:{}:", Ambient::system().new_id()),
        startup_timeout: Duration::from_secs(5),
    };
    let redis = RedisQueue::connect(&options).await.unwrap();
    let queue = Queue::redis(redis, None);
    queue.gates().clone()
}

fn in_process() -> Gates {
    Queue::local().gates().clone()
}

#[tokio::test]
async fn redis_and_a_process_follow_the_same_rules() {
    let dice = SeededEntropy::new(42);
    let roll = |sides: u32| (dice.fraction() * f64::from(sides)) as u32;
    for round in 0..20 {
        let (there, here) = (in_redis(&redis_url()).await, in_process());
        let mut now = 1_790_000_000_000;
        there.restore(&[], now).await;
        here.restore(&[], now).await;
        for step in 0..300 {
            now += i64::from([0, 1, 7, 90, 400, 2_500, 20_000, 70_000][roll(8) as usize]);
            let caller = caller(["a", "b", "c", "d"][roll(4) as usize]);
            let family = [CallFamily::Read, CallFamily::Create][roll(2) as usize];
            let what = format!("round {round}, step {step}, {caller:?}, {family}, at {now}");
            let news = match roll(12) {
                0 => News::Answered,
                1 => News::Refused {
                    until: (roll(3) > 0).then(|| now + i64::from(roll(90_000))),
                    total: (roll(3) > 0).then(|| 1 + roll(12)),
                },
                2 | 3 => News::Failed,
                4 => News::Left {
                    total: 12,
                    left: roll(12),
                    end: (roll(2) > 0).then(|| now + i64::from(roll(60_000))),
                },
                5 if roll(4) == 0 => {
                    let ahead = i64::from([roll(20_000), 100_000_000][roll(2) as usize]);
                    let gates = [closed(caller.account(), now + ahead)];
                    there.restore(&gates, now).await;
                    here.restore(&gates, now).await;
                    continue;
                }
                _ => {
                    let ask = Ask {
                        background: roll(2) > 0,
                        waited: roll(2) > 0,
                        urgent: roll(20) == 0,
                        budget: BUDGET.filter(|_| family == CallFamily::Read),
                        ..at(now)
                    };
                    let theirs = there.ask(&caller, family, &ask).await;
                    assert_eq!(theirs, here.ask(&caller, family, &ask).await, "{what}");
                    continue;
                }
            };
            let theirs = there.tell(&caller, family, BUDGET, now, news).await;
            let ours = here.tell(&caller, family, BUDGET, now, news).await;
            assert_eq!(theirs, ours, "{what}: {news:?}");
            let outage = |gates: Gates| async move {
                let origin = "https://api.example";
                gates.outage(ProviderName::Vercel, origin, now).await
            };
            assert_eq!(outage(there.clone()).await, outage(here.clone()).await);
        }
    }
}

#[tokio::test]
async fn gates_that_were_emptied_begin_with_what_is_remembered_and_one_call() {
    let ours = caller("usr_1");
    for gates in [in_redis(&redis_url()).await, in_process()] {
        assert_eq!(gates.ask(&ours, CallFamily::Read, &at(100_000)).await, None);
        let remembered = [closed(ours.account(), 90_000)];
        gates.restore(&remembered, 100_000).await;
        let ask = async |now| gates.ask(&ours, CallFamily::Read, &at(now)).await.unwrap();
        let trial = Turn::Go {
            watched: true,
            left: Some(6),
        };
        assert_eq!(ask(100_001).await, trial);
        assert!(matches!(ask(100_002).await, Turn::Wait { .. }));
        let now = 100_100;
        gates
            .tell(&ours, CallFamily::Read, BUDGET, now, News::Answered)
            .await;
        for _ in 0..6 {
            assert!(matches!(
                ask(100_101).await,
                Turn::Go { watched: false, .. }
            ));
        }
        assert!(matches!(ask(100_102).await, Turn::Wait { .. }));
        // What is known already is not overwritten by what is remembered.
        gates.restore(&remembered, 100_103).await;
        assert!(matches!(
            ask(200_000).await,
            Turn::Go { watched: false, .. }
        ));
    }
}

#[tokio::test]
async fn without_redis_nobody_is_held_up_and_budgets_are_small() {
    let line = Cut::before(&redis_url()).await;
    let gates = in_redis(&line.url()).await;
    gates.restore(&[], 0).await;
    let ours = caller("usr_1");
    let ask = async |now| gates.ask(&ours, CallFamily::Read, &at(now)).await.unwrap();
    let goes = |turn| matches!(turn, Turn::Go { .. });
    for _ in 0..3 {
        assert!(goes(ask(1_000).await));
    }
    line.cut();
    // A quarter of ten.
    assert!(goes(ask(2_000).await) && goes(ask(2_001).await));
    let refused = ask(2_002).await;
    assert!(
        matches!(
            refused,
            Turn::Wait {
                barrier: Barrier::Limit,
                ..
            }
        ),
        "{refused:?}"
    );
    // What the provider says meanwhile is heeded.
    let no = News::Refused {
        until: Some(10_000),
        total: None,
    };
    gates.tell(&ours, CallFamily::Read, BUDGET, 2_003, no).await;
    assert!(!goes(ask(9_999).await));
    line.mend();
    // Once it answers again, what is there counts: more than a process allows itself.
    let mut now = 20_000;
    while !matches!(
        ask(now).await,
        Turn::Go {
            left: Some(3..),
            ..
        }
    ) {
        now += 1_000;
    }
}
