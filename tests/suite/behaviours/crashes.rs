//! A worker that dies between any two calls, and the one that goes on.

use std::time::Duration;

use chrono::TimeDelta;
use serde_json::json;

use crate::world::{World, finish};

crate::for_every_provider!(a_push_that_dies_anywhere_is_brought_to_its_end);

async fn a_push_that_dies_anywhere_is_brought_to_its_end(world: World) {
    for calls in 1..6 {
        for key in world.stage.here().into_keys() {
            world.stage.remove(&key);
        }
        // Names of their own, since what was next door stays there.
        let (changed, shared) = (format!("CHANGED_{calls}"), format!("SHARED_{calls}"));
        world.stage.set("GONE", "theirs-1");
        world.stage.set_next_door(&changed, "next-door-1");
        world.stage.set(&changed, "theirs-2");
        world.stage.set_shared(&shared, "before-us");
        let vault = [
            (&*changed, &*format!("ours-{calls}")),
            ("NEW", &*format!("new-{calls}")),
            (&*shared, &*format!("shared-{calls}")),
        ];
        world.set_vault(&vault).await;
        let elsewhere = world.stage.elsewhere();
        let id = world.submit(&json!({ "allowDelete": true })).await;
        world.stage.reset_calls();
        let mut run = world.run(id);
        let died = loop {
            if world.stage.calls() >= calls {
                break true;
            }
            let turn = tokio::time::timeout(Duration::from_millis(1), &mut run);
            if turn.await.is_ok() {
                break false;
            }
        };
        drop(run);
        if died {
            // Its lease runs out.
            world.app.advance(TimeDelta::minutes(1));
        }
        let other = world.another_worker(&format!("after-{calls}")).await;
        other.sweep().await.unwrap();
        let job = match world.job(id).await {
            job if job["finishedAt"].is_string() => job,
            _ => finish(&world, &other, id, || {}).await,
        };
        assert_eq!(job["state"], "succeeded", "{calls}: {job}");
        let expected = vault
            .iter()
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
        assert_eq!(world.stage.here(), expected.collect(), "{calls}");
        assert_eq!(world.stage.elsewhere(), elsewhere, "{calls}");
    }
}
