//! What a preview warns of.

use super::*;
use crate::sync::options::VariableType;
use crate::sync::warnings::warnings;

impl World {
    /// `code KEY,KEY` for each warning.
    pub(super) fn warnings(&self) -> Vec<String> {
        let found = self.with(|inputs| {
            let decision = plan(inputs);
            warnings(inputs, &decision.plan, decision.refusal.as_ref())
        });
        let shown = found.iter().map(|warning| {
            assert!(!warning.message.is_empty() && warning.message.ends_with('.'));
            format!("{} {}", warning.code, warning.keys.join(","))
        });
        shown.collect()
    }
}

#[test]
fn nothing_to_say_about_an_ordinary_plan() {
    let world = World::new(Direction::Push)
        .vault("KEY", "1")
        .remote(row("OLD", known("1")))
        .delete();
    assert!(world.warnings().is_empty());
}

#[test]
fn deletes_that_deploy_are_told() {
    let mut world = World::new(Direction::Push)
        .vault("KEY", "1")
        .remote(row("OLD", known("1")))
        .remote(row("OLDER", known("1")));
    world.delete_deploys = true;
    assert!(world.warnings().is_empty());
    assert_eq!(world.delete().warnings(), ["deletes-deploy OLD,OLDER"]);
}

#[test]
fn limits_are_told_before_they_are_met() {
    let mut world = World::new(Direction::Push);
    world.limits.max_variables = Some(10);
    for n in 0..8 {
        world = world.vault(&format!("KEY{n}"), "1");
    }
    assert!(world.warnings().is_empty());
    world = world.remote(row("MORE", known("1")));
    assert_eq!(world.warnings(), ["near-the-limit "]);
    world = world.vault("KEY8", "1").vault("KEY9", "1");
    assert_eq!(world.warnings(), ["too-many-secrets "]);

    let large = "x".repeat(5_120 - 4);
    let mut world = World::new(Direction::Push).vault("EDGE", &large);
    assert!(world.warnings().is_empty());
    world = world.vault("EDGE2", &large);
    assert_eq!(world.warnings(), ["edge-size EDGE2"]);
    for n in 0..11 {
        world = world.vault(&format!("BIG{n:02}"), &large);
    }
    assert_eq!(world.warnings()[0], "total-size ");
    // A row of somebody else's fills the deployment too.
    let world = World::new(Direction::Push)
        .vault("KEY", "1")
        .remote(row("THEIRS", known(&"x".repeat(65_536))));
    assert_eq!(world.warnings(), ["total-size "]);
    assert!(world.delete().warnings().is_empty());
}

#[test]
fn names_that_will_not_be_as_they_were_asked_for() {
    let mut world = World::new(Direction::Push)
        .vault("TZ", "UTC")
        .vault("NEXT_PUBLIC_API", "1")
        .vault("KEY", "1");
    assert_eq!(world.warnings(), ["reserved TZ"]);
    world.request.variable_type = VariableType::Sensitive;
    assert_eq!(
        world.warnings(),
        ["reserved TZ", "public-name NEXT_PUBLIC_API"]
    );
    // The platform's own rows are not the vault's wish.
    let mut platform = row("VERCEL_URL", known(""));
    platform.owner = RowOwner::Platform;
    let mut world = World::new(Direction::Push)
        .vault("KEY", "1")
        .remote(platform)
        .remote(row("TZ", known("UTC")));
    assert!(world.warnings().is_empty());
    world.request.direction = Direction::Pull;
    assert_eq!(world.warnings(), ["reserved TZ"]);
}

#[test]
fn values_that_are_nearly_the_same() {
    let world = World::new(Direction::Push)
        .vault("QUOTED", "a b")
        .vault("NEWLINE", "x\n")
        .vault("OTHER", "x")
        .vault("HIDDEN", "secret")
        .vault("HIDDEN2", "secret")
        .remote(row("QUOTED", known("\"a b\"")))
        .remote(row("NEWLINE", known("x")))
        .remote(row("OTHER", known("y")))
        .remote(row("HIDDEN", RemoteValue::Unreadable))
        .remote(row("HIDDEN2", RemoteValue::Unreadable))
        .fingerprint("HIDDEN", "secret\n", "1")
        .fingerprint("HIDDEN2", "another", "1");
    assert_eq!(
        world.warnings(),
        ["quotes-or-newline HIDDEN,NEWLINE,QUOTED"]
    );
}

#[test]
fn what_could_not_be_brought_back_and_what_is_refused() {
    let mut world = World::new(Direction::Push)
        .vault("KEY", "1")
        .remote(row("THEIRS", RemoteValue::Unreadable))
        .remote(row("OURS", RemoteValue::Unreadable))
        .remote(row("READABLE", RemoteValue::Unread))
        .delete();
    world.managed.insert("OURS".into());
    assert_eq!(world.warnings(), ["unrecoverable THEIRS"]);
    world.vault.values.clear();
    assert_eq!(world.warnings(), ["empty-source ", "unrecoverable THEIRS"]);
    world.view.incomplete = Some("Some are hidden.".into());
    assert_eq!(world.warnings()[1], "incomplete-view OURS,READABLE,THEIRS");
}
