//! Migrations over rows that are there already.

use std::path::Path;

use keyway_tests::database::{Database, Profile};
use keyway_tests::on_both_profiles;

on_both_profiles!(
    links_of_before_keep_their_destinations,
    what_was_known_of_destinations_is_still_known,
);

/// Runs the migrations from the first to before the second number as plain scripts.
async fn run(database: &Database, profile: Profile, from: &str, to: &str) {
    let folder = match profile {
        Profile::Embedded => "../migrations/sqlite",
        Profile::Production => "../migrations/postgres",
    };
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let mut files: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|file| file.unwrap().path())
        .collect();
    files.sort();
    for file in files {
        let name = file.file_name().unwrap().to_str().unwrap();
        if (from..to).contains(&name) {
            let script = std::fs::read_to_string(&file).unwrap();
            database.execute(&script).await;
        }
    }
}

async fn links_of_before_keep_their_destinations(profile: Profile) {
    const NOW: &str = "'2026-01-01T00:00:00Z'";
    let id = |n: u32| format!("'00000000-0000-0000-0000-{n:012}'");
    let database = Database::create_empty(profile).await;
    run(&database, profile, "0000", "0007").await;
    let (user, connection) = (id(1), id(2));
    database
        .execute(&format!(
            "INSERT INTO users VALUES ({user}, 'ada', 'ada', false, {NOW});
             INSERT INTO connections (id, user_id, provider, provider_account_id, provider_user_id,
                 account_name, auth_method, token_ciphertext, token_key_id, status, created_at,
                 updated_at)
             VALUES ({connection}, {user}, 'vercel', 'u', 'u', 'ada', 'token', '', 'k1', 'active',
                 {NOW}, {NOW});"
        ))
        .await;
    // Two vaults that were linked with one destination in the same moment, and one that shares it.
    for (n, shared) in [(10, false), (20, false), (30, true)] {
        let (vault, environment, link) = (id(n), id(n + 1), id(n + 2));
        database
            .execute(&format!(
                "INSERT INTO vaults (id, created_by, repo_owner, repo_name, repo_key, created_at,
                     updated_at) VALUES ({vault}, {user}, 'acme', 'app', 'acme/{n}', {NOW}, {NOW});
                 INSERT INTO environments (id, vault_id, name, kind, display_order, revision,
                     created_at) VALUES ({environment}, {vault}, 'production', 'protected', 0, 0,
                     {NOW});
                 INSERT INTO links VALUES ({link}, {vault}, {environment}, {connection}, 'vercel',
                     'vercel|x|prj_1', 'prj_1', NULL, '', 'production', '', 'push', false, 'all',
                     {shared}, NULL, {NOW}, {NOW});"
            ))
            .await;
    }
    run(&database, profile, "0007", "0008").await;
    let count = async |condition: &str| {
        let sql = format!("SELECT COUNT(*) FROM links WHERE {condition}");
        database.number(&sql).await
    };
    assert_eq!(count("scope = 'production'").await, 3);
    assert_eq!(count("held_by IS NULL").await, 2);
    assert_eq!(count("held_by = vault_id AND NOT shared").await, 1);
    let holders = "SELECT COUNT(*) FROM link_holders";
    assert_eq!(database.number(holders).await, 1);
}

async fn what_was_known_of_destinations_is_still_known(profile: Profile) {
    const NOW: &str = "'2026-01-01T00:00:00Z'";
    let id = |n: u32| format!("'00000000-0000-0000-0000-{n:012}'");
    let database = Database::create_empty(profile).await;
    run(&database, profile, "0000", "0035").await;
    let (user, vault, environment, gone) = (id(1), id(2), id(3), id(4));
    let mac = match profile {
        Profile::Embedded => "x'0aff'",
        Profile::Production => r"'\x0aff'",
    };
    database
        .execute(&format!(
            "INSERT INTO users (id, username, username_key, operator, created_at)
                 VALUES ({user}, 'ada', 'ada', false, {NOW});
             INSERT INTO vaults (id, created_by, repo_owner, repo_name, repo_key, created_at,
                 updated_at) VALUES ({vault}, {user}, 'acme', 'app', 'acme/app', {NOW}, {NOW});
             INSERT INTO environments (id, vault_id, name, kind, display_order, revision, created_at)
                 VALUES ({environment}, {vault}, 'production', 'protected', 0, 0, {NOW});
             INSERT INTO fingerprints (vault_id, environment_id, project_key, slot, key, remote_id,
                 stamp, mac, updated_at)
                 VALUES ({vault}, {environment}, 'p', 's', 'A', 'env_1', '7', {mac}, {NOW}),
                     ({vault}, {environment}, 'p', 's', 'B', 'env_2', '8', {mac}, {NOW}),
                     ({vault}, {gone}, 'p', 's', 'A', 'env_1', '7', {mac}, {NOW});
             INSERT INTO written_keys (vault_id, environment_id, project_key, slot, key, written_at)
                 VALUES ({vault}, {environment}, 'p', 's', 'A', {NOW}),
                     ({vault}, {environment}, 'p', 'pull:s', 'C', {NOW});
             INSERT INTO syncs (environment_id, project_key, slot, direction, revision, job_id,
                 synced_at) VALUES ({environment}, 'p', 's', 'push', 1, {user}, {NOW});"
        ))
        .await;
    run(&database, profile, "0035", "0036").await;
    let count = async |condition: &str| {
        let sql = format!("SELECT COUNT(*) FROM destinations WHERE {condition}");
        database.number(&sql).await
    };
    assert_eq!(count("TRUE").await, 2);
    let text = match profile {
        Profile::Embedded => "fingerprints ->> '$.A.mac' = '0aff' AND fingerprints ->> '$.B.stamp'",
        Profile::Production => {
            "fingerprints #>> '{A,mac}' = '0aff' AND fingerprints #>> '{B,stamp}'"
        }
    };
    assert_eq!(count(&format!("slot = 's' AND {text} = '8'")).await, 1);
    let written = match profile {
        Profile::Embedded => "json(written) = '{\"A\":true}'",
        Profile::Production => "written = '{\"A\":true}'",
    };
    let synced = "pushed_at IS NOT NULL AND pulled_at IS NULL";
    assert_eq!(count(&format!("{written} AND {synced}")).await, 1);
    assert_eq!(count("slot = 'pull:s' AND pushed_at IS NULL").await, 1);
}
