//! What is there at the start.

use keyway_simulator::fly::{APP, BARE_APP, STAGING_APP};

use crate::support::World;

#[tokio::test]
async fn nobody_has_set_a_secret_in_the_empty_world() {
    let world = World::empty().await;
    assert_eq!(world.read().await.names(), [""; 0]);
    assert_eq!(world.fly.secrets_version(APP), Some(0));
    assert_eq!(world.fly.machines(APP).len(), 1);
    assert!(world.running().secrets.is_empty());
    assert_eq!(world.fly.secrets_version("nowhere"), None);
    assert_eq!(world.fly.running("nowhere"), None);
}

#[tokio::test]
async fn somebody_has_staged_what_does_not_run() {
    let world = World::lived_in().await;
    let names = world.read().await.names();
    for name in ["DATABASE_URL", "FLY_API_TOKEN", "smtp_password", "TLS_KEY"] {
        assert!(names.iter().any(|found| found == name), "{name}");
    }
    let value = |name: &str| world.fly.value(APP, name);
    for (name, staged, runs) in [
        ("LOG_LEVEL", Some("warn"), Some("debug")),
        ("STRIPE_SECRET_KEY", Some("sk_live_0123456789abcdef"), None),
        ("OLD_FLAG", None, Some("on")),
    ] {
        assert_eq!(value(name).as_deref(), staged);
        assert_eq!(world.runs(name).as_deref(), runs);
    }
    let groups = world.fly.machines(APP);
    let groups = groups.iter().map(|id| {
        let running = world.fly.running(id).unwrap();
        let group = running.config["metadata"]["fly_process_group"].clone();
        (group.as_str().unwrap().to_owned(), running.state)
    });
    let groups: Vec<_> = groups.collect();
    let pair = |group: &str, state: &str| (group.to_owned(), state.to_owned());
    assert_eq!(
        groups,
        [
            pair("app", "started"),
            pair("app", "started"),
            pair("worker", "started"),
            pair("worker", "stopped"),
        ]
    );
    assert_eq!(world.fly.machines(STAGING_APP).len(), 1);
    assert!(world.fly.machines(BARE_APP).is_empty());
    assert!(!world.fly.snapshot(BARE_APP).is_empty());
}
