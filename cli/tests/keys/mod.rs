//! The encryption keys are tried before anything is written.

use keyway_shared::ambient::Ambient;
use keyway_tests::database::{Database, Profile};
use keyway_tests::on_both_profiles;
use serde_json::Value;

use crate::support::{Ended, Home, free_port, hex_key};

on_both_profiles!(
    the_doctor_makes_no_key_in_a_database_that_was_never_started_with,
    a_wrong_key_changes_nothing_in_an_older_database,
);

const SEALED: &str = "SELECT COUNT(*) FROM settings";
const MIGRATIONS: &str = "SELECT COUNT(*) FROM _sqlx_migrations";

/// What the doctor says of one thing.
fn level(doctor: &Ended, name: &str) -> String {
    let report: Value = serde_json::from_str(&doctor.out).unwrap();
    let checks = report["checks"].as_array().unwrap();
    let check = checks.iter().find(|check| check["name"] == name);
    check.unwrap()["level"].as_str().unwrap().to_owned()
}

async fn the_doctor_makes_no_key_in_a_database_that_was_never_started_with(profile: Profile) {
    let home = Home::new();
    let database = Database::create(profile).await;
    database.open(Ambient::system()).await.close().await;
    let away = format!("http://127.0.0.1:{}", free_port());
    let keys = hex_key("k1", "ab");
    let env = [
        ("DATABASE_URL", database.url()),
        ("KEYWAY_ENCRYPTION_KEYS", &keys),
        ("VERCEL_API_URL", &away),
    ];
    let doctor = home.run_with(&["doctor", "--json"], &env);
    assert_eq!(level(&doctor, "decryption"), "ok", "{}", doctor.out);
    assert_eq!(database.number(SEALED).await, 0);

    assert!(home.run_with(&["migrate"], &env).success);
    assert_eq!(database.number(SEALED).await, 1);
    let doctor = home.run_with(&["doctor", "--json"], &env);
    assert_eq!(level(&doctor, "decryption"), "ok", "{}", doctor.out);
    let wrong = hex_key("k1", "cd");
    let env = [env[0], ("KEYWAY_ENCRYPTION_KEYS", &wrong), env[2]];
    let doctor = home.run_with(&["doctor", "--json"], &env);
    assert_eq!(level(&doctor, "decryption"), "fail", "{}", doctor.out);
    assert_eq!(doctor.code, Some(1));
}

async fn a_wrong_key_changes_nothing_in_an_older_database(profile: Profile) {
    let home = Home::new();
    let database = Database::create_empty(profile).await;
    let (right, wrong) = (hex_key("k1", "ab"), hex_key("k2", "cd"));
    let with = |keys| {
        [
            ("DATABASE_URL", database.url()),
            ("KEYWAY_ENCRYPTION_KEYS", keys),
        ]
    };
    assert!(home.run_with(&["migrate"], &with(&right)).success);
    let all = database.number(MIGRATIONS).await;
    // As it was before the version that brought this table.
    database.execute("DROP TABLE activity").await;
    let undo = "DELETE FROM _sqlx_migrations WHERE version = 5";
    database.execute(undo).await;
    for command in [&["migrate"][..], &["serve"]] {
        let refused = home.run_with(command, &with(&wrong));
        assert_eq!(refused.code, Some(1), "{}", refused.err);
        assert!(
            refused.err.contains("encryption key is wrong"),
            "{}",
            refused.err
        );
        assert_eq!(database.number(MIGRATIONS).await, all - 1, "{command:?}");
    }
    let migrated = home.run_with(&["migrate"], &with(&right));
    assert!(migrated.success, "{}", migrated.err);
    assert!(migrated.out.contains("0005_activity"), "{}", migrated.out);
    assert_eq!(database.number(MIGRATIONS).await, all);
}
