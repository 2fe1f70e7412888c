//! Many jobs of one connection at a provider that takes few calls.

use std::collections::BTreeSet;
use std::time::Duration;

use chrono::{DateTime, Utc};
use keyway_tests::database::Profile;
use keyway_tests::on_both_profiles;
use serde_json::{Value, json};

use super::whole::start;
use super::world::SYNC;

const JOBS: usize = 12;
const WINDOW: Duration = Duration::from_secs(1);

/// What the job's document says it waits for is always said in full, and is to come.
fn is_clear(job: &Value, seen: &mut BTreeSet<String>) {
    let state = job["state"].as_str().unwrap_or_default();
    if state == "waiting" {
        let time = |name: &str| -> DateTime<Utc> {
            let text = job[name].as_str().unwrap_or_default();
            text.parse().expect("a time")
        };
        assert!(time("waitingUntil") > time("createdAt"), "{job}");
        assert_eq!(job["waitingReason"], "rate-limited", "{job}");
    } else {
        assert_eq!(job["waitingUntil"], Value::Null, "{job}");
        assert_eq!(job["waitingReason"], Value::Null, "{job}");
    }
    seen.insert(state.to_owned());
}

async fn a_tight_limit_is_learnt_once_and_everything_completes(profile: Profile) {
    let world = start(profile).await;
    world.vercel.set(|options| {
        let budgets = [("env-retrieval", 4), ("env-creation", 3)];
        options.budgets = budgets.map(|(of, calls)| (of.to_owned(), calls)).into();
        options.window = WINDOW;
    });
    let me = world.me.clone().with("prefer", "respond-async");
    let mut open = Vec::new();
    for n in 0..JOBS {
        let mut fields = world.fields();
        fields["projectId"] = json!(world.vercel.add_project(&format!("many-{n}"), None));
        let job = me.post(SYNC, fields).await.data(202);
        let id = job["id"].as_str().unwrap_or_default();
        open.push(format!("/v1/integrations/jobs/{id}"));
    }
    // Only now, so that they all come to the provider at once, however slow the machine is.
    world.work().await;
    let mut seen = BTreeSet::new();
    let mut looks = tokio::time::interval(Duration::from_millis(20));
    while !open.is_empty() {
        looks.tick().await;
        let mut left = Vec::new();
        for path in open {
            let job = world.me.get(&path).await.data(200);
            is_clear(&job, &mut seen);
            if job["finishedAt"].is_null() {
                left.push(path);
                continue;
            }
            assert_eq!(job["state"], "succeeded", "{job}");
            // Waiting for a limit is no failed attempt.
            assert_eq!(job["attempt"], 1, "{job}");
        }
        open = left;
    }
    assert!(seen.contains("waiting"), "{seen:?}");
    // Each limit was met by those who were on their way when it was met first, and by nobody once the
    // provider took calls again.
    for family in ["env-retrieval", "env-creation"] {
        let calls = world.vercel.requests();
        let calls = calls.iter().filter(|call| call.family == family);
        let refused: Vec<bool> = calls.map(|call| call.status == Some(429)).collect();
        let open = refused.iter().skip_while(|refused| !**refused);
        let after = open.skip_while(|refused| **refused);
        assert_eq!(after.filter(|refused| **refused).count(), 0, "{refused:?}");
        // Each refused call is made again, and no other more than once.
        let again = refused.iter().filter(|refused| **refused).count();
        assert!(refused.len() <= 2 * JOBS + again, "{refused:?}");
    }
}

on_both_profiles!(a_tight_limit_is_learnt_once_and_everything_completes);
