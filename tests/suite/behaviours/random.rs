//! The properties of a sync, on random beginnings and with a random fault somewhere: the vault's values
//! arrive, nothing around them ever changes, a preview is true, and once it is done nothing is left to do.

use std::collections::BTreeSet;

use keyway_simulator::{Action, Fault};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use serde_json::{Value, json};

use crate::stage::Values;
use crate::world::World;

crate::for_every_provider!(the_properties_of_a_sync_hold_on_random_beginnings);

/// Cases for each provider on each profile.
const CASES: usize = 16;
/// Keys of one case.
const KEYS: usize = 6;

/// What a key is at the provider before.
#[derive(Debug, Clone, Copy)]
enum Before {
    Nothing,
    Ours,
    Unreadable,
    Shared,
    NextDoor,
    OursAndNextDoor,
}

#[derive(Debug, Clone, Copy)]
enum Mishap {
    None,
    Broken,
    LostBefore,
    LostAfter,
}

#[derive(Debug, Clone)]
struct Case {
    before: Vec<(Before, u8)>,
    vault: Vec<Option<u8>>,
    delete: bool,
    mishap: Mishap,
    at: u32,
}

fn case() -> impl Strategy<Value = Case> {
    let before = prop_oneof![
        Just(Before::Nothing),
        Just(Before::Ours),
        Just(Before::Unreadable),
        Just(Before::Shared),
        Just(Before::NextDoor),
        Just(Before::OursAndNextDoor),
    ];
    let mishap = prop_oneof![
        2 => Just(Mishap::None),
        1 => Just(Mishap::Broken),
        1 => Just(Mishap::LostBefore),
        1 => Just(Mishap::LostAfter),
    ];
    (
        prop::collection::vec((before, 0..3_u8), KEYS),
        prop::collection::vec(prop::option::of(0..3_u8), KEYS),
        any::<bool>(),
        mishap,
        0..6_u32,
    )
        .prop_map(|(before, vault, delete, mishap, at)| Case {
            before,
            vault,
            delete,
            mishap,
            at,
        })
}

fn value(n: u8) -> String {
    format!("random-value-{n}")
}

async fn the_properties_of_a_sync_hold_on_random_beginnings(world: World) {
    for (number, case) in cases().iter().enumerate() {
        play(&world, number, case).await;
    }
}

/// The same ones each time.
fn cases() -> Vec<Case> {
    let mut runner = TestRunner::deterministic();
    let mut next = || case().new_tree(&mut runner).expect("a case").current();
    (0..CASES).map(|_| next()).collect()
}

/// Each case has names of its own, so that what an earlier one left next door is only looked at.
async fn play(world: &World, number: usize, case: &Case) {
    let stage = &world.stage;
    for key in stage.here().into_keys() {
        stage.remove(&key);
    }
    let key = |n: usize| format!("CASE_{number:02}_{n}");
    for (n, (before, v)) in case.before.iter().enumerate() {
        let (key, value) = (key(n), value(*v));
        match before {
            Before::Nothing => {}
            Before::Ours => stage.set(&key, &value),
            Before::Unreadable => stage.set_unreadable(&key, &value),
            Before::Shared => {
                stage.set_shared(&key, &value);
            }
            Before::NextDoor => stage.set_next_door(&key, &value),
            Before::OursAndNextDoor => {
                stage.set_next_door(&key, "random-next-door");
                stage.set(&key, &value);
            }
        }
    }
    let ours: Vec<(String, String)> = case
        .vault
        .iter()
        .enumerate()
        .filter_map(|(n, v)| Some((key(n), value((*v)?))))
        .collect();
    let pairs: Vec<(&str, &str)> = ours.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
    world.set_vault(&pairs).await;
    let (here, elsewhere) = (stage.here(), stage.elsewhere());
    let options = json!({ "allowDelete": case.delete, "confirmEmptySource": true });
    let preview = world.preview(&options).await;
    assert_eq!(
        (stage.here(), stage.elsewhere()),
        (here.clone(), elsewhere.clone())
    );

    let action = match case.mishap {
        Mishap::None => None,
        Mishap::Broken => Some(stage.broken()),
        Mishap::LostBefore => Some(Action::ResetBefore),
        Mishap::LostAfter => Some(Action::ResetAfter),
    };
    if let Some(action) = action {
        stage.fault(Fault::next(action).after(case.at));
    }
    let id = world.submit(&options).await;
    let around = || assert_eq!(stage.elsewhere(), elsewhere, "{number}: {case:?}");
    let job = world.finish_with(id, around).await;
    stage.clear_faults();
    let about = format!("{number}: {case:?}: {job}");
    assert_eq!(job["state"], "succeeded", "{about}");

    let ours: Values = ours.into_iter().collect();
    let mut expected = if case.delete { Values::new() } else { here };
    expected.extend(ours);
    assert_eq!(stage.here(), expected, "{about}");
    for list in ["toCreate", "toUpdate", "toDelete"] {
        assert_eq!(keys(&preview[list]), done(&job, list), "{about}");
    }
    let stamped = world.capabilities().await["stampsWrites"] == true;
    let again = world.preview(&options).await;
    for list in ["toCreate", "toUpdate", "toDelete"] {
        // What cannot be read and leaves no trace when written is written again.
        let left = keys(&again[list]);
        let known = left.iter().filter(|key| {
            let reason = &again["reasons"][key.as_str()];
            stamped || reason != "unverifiable"
        });
        assert_eq!(known.count(), 0, "{about} {again}");
    }
}

fn keys(list: &Value) -> BTreeSet<String> {
    let keys = list.as_array().expect("a list").iter();
    keys.map(|key| key.as_str().expect("a key").to_owned())
        .collect()
}

/// The keys of which a job says that it did what a preview lists there.
fn done(job: &Value, list: &str) -> BTreeSet<String> {
    let action = match list {
        "toCreate" => "create",
        "toUpdate" => "update",
        _ => "delete",
    };
    let outcomes = job["outcomes"].as_array().expect("outcomes").iter();
    outcomes
        .filter(|outcome| outcome["action"] == action && outcome["code"].is_null())
        .map(|outcome| outcome["key"].as_str().expect("a key").to_owned())
        .collect()
}
