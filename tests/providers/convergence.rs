//! Any call may break at any point: nothing outside the destination ever changes, and running again
//! ends where an undisturbed run does.

use keyway_shared::providers::{ApplyOptions, Change};
use keyway_shared::secret::Secret;
use keyway_shared::sync::options::VariableType;
use keyway_shared::sync::plan::Action as Do;
use keyway_shared::sync::remote::Destination;
use keyway_simulator::vercel::Preset;
use keyway_simulator::{Action, Fault};

use crate::support::{World, at, create, delete, outside, update};

fn changes() -> Vec<Change> {
    vec![
        update("API_URL", "wanted"),
        update("SENTRY_DSN", "wanted"),
        update("STRIPE_SECRET_KEY", "wanted"),
        update("OLD_FLAG", "wanted"),
        create("NEW", "wanted"),
        delete("EMPTY"),
    ]
}

/// What the engine does with a run that ended early: closes what is open, looks, goes on.
async fn resume(world: &World, to: &Destination) {
    let wanted = Secret::new("wanted");
    for split in world.journal.open_splits() {
        world
            .provider
            .close_split(&world.session, &split, Some(&wanted))
            .await
            .unwrap();
        world.journal.open.lock().unwrap().clear();
    }
    let view = world.provider.list(&world.session, to).await.unwrap();
    let options = ApplyOptions {
        variable_type: VariableType::Encrypted,
    };
    let applied = world
        .provider
        .apply(
            &world.session,
            to,
            &view,
            &changes(),
            options,
            &world.journal,
        )
        .await;
    assert_eq!(applied.stopped, None);
    assert!(applied.results.iter().all(|done| done.result.is_ok()));
}

#[tokio::test]
async fn any_break_anywhere_converges_and_touches_nothing_else() {
    let to = at("production");
    let undisturbed = World::new(Preset::LivedIn).await;
    let outside_before = outside(undisturbed.snapshot(), &to);
    resume(&undisturbed, &to).await;
    let calls = undisturbed.vercel.calls() as u32 - 1;
    assert_eq!(calls, 4, "two splits, one batch, one delete");
    let end = undisturbed.snapshot();
    assert_eq!(outside(end.clone(), &to), outside_before);
    for key in changes()
        .iter()
        .filter(|change| change.action != Do::Delete)
    {
        let value = undisturbed.value(&key.key, "production");
        assert_eq!(value.as_deref(), Some("wanted"), "{}", key.key);
    }

    let breaks = [
        Action::ResetBefore,
        Action::ResetAfter,
        Action::TruncateBody,
        Action::RespondAfter {
            status: 502,
            body: String::new(),
        },
        Action::Respond {
            status: 429,
            headers: [].into(),
            body: String::new(),
        },
    ];
    for action in breaks {
        for call in 0..calls {
            let case = format!("{action:?} at call {call}");
            let world = World::new(Preset::LivedIn).await;
            let view = world.provider.list(&world.session, &to).await.unwrap();
            world.vercel.fault(Fault::next(action.clone()).after(call));
            let options = ApplyOptions {
                variable_type: VariableType::Encrypted,
            };
            let applied = world
                .provider
                .apply(
                    &world.session,
                    &to,
                    &view,
                    &changes(),
                    options,
                    &world.journal,
                )
                .await;
            assert!(applied.stopped.is_some(), "{case}");
            assert_eq!(outside(world.snapshot(), &to), outside_before, "{case}");
            resume(&world, &to).await;
            assert_eq!(world.snapshot(), end, "{case}");
            assert!(world.journal.open_splits().is_empty(), "{case}");
        }
    }
}
