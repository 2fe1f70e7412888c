//! `keyway migrate` beside what is running.

use chrono::{SecondsFormat, TimeDelta};
use keyway_shared::ambient::Ambient;
use keyway_tests::database::{Database, Profile};
use keyway_tests::on_both_profiles;

use crate::support::{Home, hex_key};

on_both_profiles!(older_processes_are_stopped_first);

async fn older_processes_are_stopped_first(profile: Profile) {
    const MIGRATIONS: &str = "SELECT COUNT(*) FROM _sqlx_migrations";
    let home = Home::new();
    let database = Database::create_empty(profile).await;
    let keys = hex_key("k1", "ab");
    let env = [
        ("DATABASE_URL", database.url()),
        ("KEYWAY_ENCRYPTION_KEYS", &keys),
    ];
    assert!(home.run_with(&["migrate"], &env).success);
    let all = database.number(MIGRATIONS).await;
    let seen = |ago: TimeDelta| {
        let at = Ambient::system().now() - ago;
        let at = at.to_rfc3339_opts(SecondsFormat::Micros, true);
        format!("UPDATE processes SET heartbeat_at = '{at}'")
    };
    let worker = "INSERT INTO processes (id, role, started_at, heartbeat_at, active_key_id)
        VALUES ('old', 'worker', '2026-01-01T00:00:00Z', '2026-01-01T00:00:00Z', 'k1')";
    database.execute(worker).await;
    database.execute(&seen(TimeDelta::zero())).await;
    // Where there is nothing to do, nobody is in the way.
    assert!(home.run_with(&["migrate"], &env).success);

    // As it was before the version that brought this table.
    let before = "DROP TABLE activity_pruning; DELETE FROM _sqlx_migrations WHERE version = 33";
    database.execute(before).await;
    let triggers = match profile {
        Profile::Embedded => {
            "DROP TRIGGER activity_is_not_changed; DROP TRIGGER activity_is_not_removed;
             DROP TRIGGER activity_is_not_replaced"
        }
        Profile::Production => "DROP FUNCTION activity_is_kept CASCADE",
    };
    database.execute(triggers).await;
    let refused = home.run_with(&["migrate"], &env);
    assert_eq!(refused.code, Some(1));
    assert!(
        refused.err.contains("1 older processes are running") && refused.err.contains("stop them"),
        "{}",
        refused.err
    );
    assert_eq!(database.number(MIGRATIONS).await, all - 1);
    assert!(home.run_with(&["migrate", "--while-running"], &env).success);
    assert_eq!(database.number(MIGRATIONS).await, all);

    database.execute(before).await;
    database.execute(triggers).await;
    database.execute(&seen(TimeDelta::seconds(60))).await;
    assert!(home.run_with(&["migrate"], &env).success);
}
