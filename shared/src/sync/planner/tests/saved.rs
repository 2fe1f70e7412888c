//! Saved plans: when they hold, and what is left of one.

use super::*;
use crate::sync::saved::{SavedPlan, remainder, save, stale};

fn world() -> World {
    World::new(Direction::Push)
        .vault("NEW", "1")
        .vault("OLD", "2")
        .vault("SAME", "1")
        .remote(row("EXTRA", known("1")))
        .remote(row("OLD", known("1")))
        .remote(row("SAME", known("1")))
        .delete()
}

fn saved(world: &World) -> SavedPlan {
    world.with(|inputs| save(inputs, &plan(inputs).plan))
}

#[test]
fn a_plan_holds_while_both_sides_are_as_they_were() {
    let before = saved(&world());
    assert!(stale(&before, &saved(&world())).is_empty());
    let json = serde_json::to_string(&before).unwrap();
    let back: SavedPlan = serde_json::from_str(&json).unwrap();
    assert_eq!(back, before);
    // What is read meanwhile, or known by a fingerprint, does not count as a change.
    let mut unread = world().fingerprint("SAME", "1", "1");
    unread.view.rows[2].value = RemoteValue::Unread;
    assert!(stale(&before, &saved(&unread)).is_empty());
}

#[test]
fn any_change_that_matters_makes_it_stale_and_is_named() {
    let before = saved(&world());
    let of = |change: &dyn Fn(&mut World)| {
        let mut world = world();
        change(&mut world);
        stale(&before, &saved(&world))
    };
    let value = |text: &str| Secret::new(text);
    assert_eq!(
        of(&|world| drop(world.vault.values.insert("NEW".into(), value("2")))),
        ["NEW"]
    );
    assert_eq!(
        of(&|world| drop(world.vault.values.remove("SAME"))),
        ["SAME"]
    );
    assert_eq!(
        of(&|world| drop(world.vault.values.insert("MORE".into(), value("1")))),
        ["MORE"]
    );
    assert_eq!(
        of(&|world| world.view.rows[1].stamp = Some("2".into())),
        ["OLD"]
    );
    assert_eq!(
        of(&|world| world.view.rows[0].id = "another".into()),
        ["EXTRA"]
    );
    assert_eq!(
        of(&|world| {
            world.view.rows[2].scopes.insert("preview".into());
        }),
        ["SAME"]
    );
    assert_eq!(
        of(&|world| world.view.rows.push(row("NEW", known("0")))),
        ["NEW"]
    );
    assert_eq!(
        of(&|world| world.view.rows.push(row("OTHER", known("0")))),
        ["OTHER"]
    );
    assert_eq!(of(&|world| drop(world.view.rows.remove(0))), ["EXTRA"]);
}

#[test]
fn without_a_stamp_the_value_itself_tells() {
    let at = |text: &str| {
        let mut world = world();
        world.view.rows[1].stamp = None;
        world.view.rows[1].value = known(text);
        saved(&world)
    };
    assert!(stale(&at("1"), &at("1")).is_empty());
    assert_eq!(stale(&at("1"), &at("3")), ["OLD"]);
}

#[test]
fn a_run_that_resumes_finds_its_own_effects() {
    let before = saved(&world());
    let rest = |change: &dyn Fn(&mut World)| {
        let mut world = world();
        change(&mut world);
        let plan = world.with(plan).plan;
        let rest = remainder(&before, &plan, &saved(&world));
        let actions: Vec<_> = rest
            .plan
            .keys
            .iter()
            .map(|planned| format!("{} {} {}", planned.key, planned.action, planned.reason))
            .collect();
        let changed: Vec<_> = rest.changed.into_iter().collect();
        (actions, changed)
    };
    let nothing: Vec<String> = Vec::new();
    let (actions, changed) = rest(&|_| {});
    assert_eq!(
        actions,
        [
            "EXTRA delete extra",
            "NEW create missing",
            "OLD update changed",
            "SAME skip unchanged",
        ]
    );
    assert_eq!(changed, nothing);
    // Everything but the delete was done.
    let (actions, changed) = rest(&|world| {
        world.view.rows.push(row("NEW", known("1")));
        world.view.rows[1].value = known("2");
        world.view.rows[1].stamp = Some("2".into());
    });
    assert_eq!(
        actions,
        [
            "EXTRA delete extra",
            "NEW skip unchanged",
            "OLD skip unchanged",
            "SAME skip unchanged",
        ]
    );
    assert_eq!(changed, nothing);
    // The delete as well.
    let (actions, changed) = rest(&|world| drop(world.view.rows.remove(0)));
    assert_eq!(actions.len(), 3);
    assert_eq!(changed, nothing);
    // Somebody else was there: that key is left alone, and keys that are new are not touched.
    let (actions, changed) = rest(&|world| {
        world.view.rows[1].value = known("3");
        world.view.rows[1].stamp = Some("2".into());
        world.vault.values.insert("MORE".into(), Secret::new("1"));
    });
    assert_eq!(changed, ["OLD"]);
    assert!(!actions.iter().any(|action| action.starts_with("MORE")));
}
