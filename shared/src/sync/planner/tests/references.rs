//! Values that refer to other variables at the provider.

use super::*;

const OF_POSTGRES: &str = "postgres://${{Postgres.HOST}}/app";

fn world() -> World {
    World {
        reference: Some("${{"),
        ..World::new(Direction::Push)
    }
}

#[test]
fn a_reference_is_written_only_when_that_is_meant() {
    let mut world = world()
        .vault("NEW", OF_POSTGRES)
        .vault("OTHER", OF_POSTGRES)
        .vault("HIDDEN", OF_POSTGRES)
        .vault("SAME", OF_POSTGRES)
        .vault("LITERAL", "${Postgres.HOST}")
        .remote(row("OTHER", known("postgres://db/app")))
        .remote(row("HIDDEN", RemoteValue::Unreadable))
        .remote(row("SAME", known(OF_POSTGRES)));
    assert_eq!(
        world.plan(),
        [
            "HIDDEN skip reference",
            "LITERAL create missing",
            "NEW skip reference",
            "OTHER skip reference",
            "SAME skip unchanged",
        ]
    );
    assert_eq!(world.warnings(), ["reference HIDDEN,NEW,OTHER"]);
    world.request.allow_references = true;
    assert_eq!(
        world.plan(),
        [
            "HIDDEN update unverifiable",
            "LITERAL create missing",
            "NEW create missing",
            "OTHER update changed",
            "SAME skip unchanged",
        ]
    );
    assert!(world.warnings().is_empty());
}

#[test]
fn it_is_text_where_nothing_is_resolved() {
    let mut world = world().vault("KEY", OF_POSTGRES);
    world.reference = None;
    assert_eq!(world.plan(), ["KEY create missing"]);
}

#[test]
fn nothing_is_deleted_behind_a_reference_that_is_left_out() {
    let mut world = world()
        .vault("KEY", OF_POSTGRES)
        .remote(row("EXTRA", known("1")))
        .delete();
    assert_eq!(
        world.plan(),
        ["EXTRA skip not-attempted", "KEY skip reference"]
    );
    assert_eq!(world.warnings(), ["reference KEY"]);
    world.request.allow_references = true;
    assert_eq!(world.plan(), ["EXTRA delete extra", "KEY create missing"]);
}

#[test]
fn what_would_overwrite_a_reference_is_told() {
    let mut world = world()
        .vault("KEY", "postgres://db/app")
        .vault("HIDDEN", "1")
        .vault("BOTH", OF_POSTGRES)
        .remote(row("KEY", known(OF_POSTGRES)))
        .remote(row("HIDDEN", RemoteValue::Unreadable))
        .remote(row("BOTH", known("${{shared.URL}}")));
    world.request.allow_references = true;
    assert_eq!(world.plan()[2], "KEY update changed");
    assert_eq!(world.warnings(), ["replaces-reference KEY"]);
}

#[test]
fn a_pull_keeps_references_as_they_are() {
    let mut world = world()
        .vault("OTHER", "postgres://db/app")
        .remote(row("NEW", known(OF_POSTGRES)))
        .remote(row("OTHER", known(OF_POSTGRES)));
    world.request.direction = Direction::Pull;
    assert_eq!(world.plan(), ["NEW create missing", "OTHER update changed"]);
    assert!(world.warnings().is_empty());
}
