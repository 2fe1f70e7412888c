//! The program as a user runs it: what it prints, how it ends, what it refuses.

#![cfg(test)]

mod crash;
mod keys;
mod migrations;
mod rotation;
mod support;

use std::os::unix::fs::PermissionsExt as _;

use support::{Home, hex_key};

const ALL_SCOPES: &str = "read:secrets,write:secrets,delete:secrets,admin:api-keys";

#[tokio::test]
async fn the_first_start_prints_a_key_that_works_and_later_starts_do_not() {
    let home = Home::new();
    let mut first = home.spawn(&["serve"]);
    let key = first.line();
    let token = key.strip_prefix("API key: ").expect("the key comes first");
    assert!(token.starts_with("kw_live_") && token.len() == 48, "{key}");
    let url = first.url();
    assert_eq!(support::get(&format!("{url}/healthz"), None).await, 200);
    let connections = format!("{url}/v1/integrations/connections");
    assert_eq!(support::get(&connections, None).await, 401);
    assert_eq!(support::get(&connections, Some(token)).await, 200);
    assert_eq!(first.terminate(), Some(0));

    let mut second = home.spawn(&["serve"]);
    let url = second.url();
    let connections = format!("{url}/v1/integrations/connections");
    assert_eq!(support::get(&connections, Some(token)).await, 200);
    assert_eq!(second.terminate(), Some(0));
}

#[test]
fn what_the_embedded_form_keeps_is_for_its_owner_only() {
    let home = Home::new();
    assert!(home.run(&["migrate"]).success);
    for file in ["", "encryption.key", "keyway.db"] {
        let meta = std::fs::metadata(home.data().join(file)).unwrap();
        assert_eq!(meta.permissions().mode() & 0o077, 0, "{file}");
    }
}

#[test]
fn a_wrong_encryption_key_does_not_start() {
    let home = Home::new();
    assert!(home.run(&["migrate"]).success);
    let wrong = home.run_with(
        &["serve"],
        &[("KEYWAY_ENCRYPTION_KEYS", &hex_key("k1", "ab"))],
    );
    assert_eq!(wrong.code, Some(1));
    assert!(
        wrong.err.contains("encryption key is wrong"),
        "{}",
        wrong.err
    );
    assert_eq!(wrong.out, "");
}

#[test]
fn the_encryption_keys_can_come_from_a_command() {
    let home = Home::new();
    let ring = hex_key("k1", "ab");
    let file = home.file("keys", &ring);
    let command = format!("/bin/cat '{file}'");
    let by_command = ("KEYWAY_ENCRYPTION_KEYS_COMMAND", command.as_str());
    let migrated = home.run_with(&["migrate"], &[by_command]);
    assert!(migrated.success, "{}", migrated.err);
    // What it printed is what opens the database, and it made no key of its own.
    assert!(!home.data().join("encryption.key").exists());
    let by_variable = ("KEYWAY_ENCRYPTION_KEYS", ring.as_str());
    assert!(home.run_with(&["keys", "list"], &[by_variable]).success);
    let both = home.run_with(&["keys", "list"], &[by_command, by_variable]);
    assert_eq!(both.code, Some(2));
    assert!(both.err.contains("keep one of them"), "{}", both.err);

    let failing = "/bin/sh -c 'echo hunter2; echo the KMS is away >&2; exit 7'";
    let away = home.run_with(
        &["keys", "list"],
        &[("KEYWAY_ENCRYPTION_KEYS_COMMAND", failing)],
    );
    assert_eq!(away.code, Some(2));
    assert!(away.err.contains("the KMS is away"), "{}", away.err);
    assert!(!away.err.contains("hunter2"), "{}", away.err);
}

#[test]
fn a_second_service_on_the_same_folder_does_not_start_but_short_commands_work() {
    let home = Home::new();
    let mut serve = home.spawn(&["serve"]);
    serve.line();
    serve.url();
    let second = home.run(&["serve"]);
    assert_eq!(second.code, Some(2));
    assert!(second.err.contains("another keyway"), "{}", second.err);
    assert!(home.run(&["keys", "list"]).success);
    assert_eq!(serve.terminate(), Some(0));
}

#[test]
fn processes_that_share_say_what_to_set() {
    let home = Home::new();
    for command in ["api", "worker"] {
        let sqlite = home.run(&[command]);
        assert_eq!(sqlite.code, Some(2));
        assert!(
            sqlite.err.contains("DATABASE_URL") && sqlite.err.contains("REDIS_URL"),
            "{}",
            sqlite.err
        );
        let alone = home.run_with(&[command], &[("DATABASE_URL", "postgres://localhost/x")]);
        assert_eq!(alone.code, Some(2));
        assert!(alone.err.contains("set REDIS_URL"), "{}", alone.err);
    }
    // What cannot start leaves nothing behind.
    assert!(!home.data().exists());
}

#[test]
fn a_database_that_is_away_is_waited_for_and_then_given_up() {
    let home = Home::new();
    // A port that was free a moment ago.
    let port = support::free_port();
    let url = format!("postgres://me:hunter2@127.0.0.1:{port}/x");
    let ended = home.run_with(
        &["serve"],
        &[
            ("DATABASE_URL", &url),
            ("KEYWAY_ENCRYPTION_KEYS", &hex_key("k1", "ab")),
            ("KEYWAY_STARTUP_TIMEOUT", "4s"),
        ],
    );
    assert_eq!(ended.code, Some(1));
    assert!(
        ended.err.contains("waiting for the database"),
        "{}",
        ended.err
    );
    assert!(ended.err.contains("did not answer within"), "{}", ended.err);
    assert!(!ended.err.contains("hunter2"), "{}", ended.err);
}

#[test]
fn keys_are_created_before_the_first_start_listed_and_revoked() {
    let home = Home::new();
    let created = home.run(&["keys", "create", "--user", "ci", "--scopes", ALL_SCOPES]);
    assert!(created.success, "{}", created.err);
    let token = created.out.trim_end_matches('\n');
    assert!(
        token.starts_with("kw_live_") && token.len() == 48,
        "{token}"
    );
    let test = home.run(&[
        "keys",
        "create",
        "--user",
        "CI",
        "--scopes",
        "read:secrets",
        "--test",
        "--name",
        "nightly",
        "--expires-in-days",
        "1",
    ]);
    assert!(test.out.starts_with("kw_test_"), "{}", test.err);

    let listed = home.run(&["keys", "list"]).out;
    assert_eq!(listed.lines().count(), 3, "{listed}");
    assert!(
        listed.contains("nightly") && !listed.contains(token),
        "{listed}"
    );

    let prefix = &token[..16];
    assert!(
        home.run(&["keys", "revoke", prefix])
            .out
            .contains("revoked")
    );
    assert!(home.run(&["keys", "list"]).out.contains("revoked"));
    let unknown = home.run(&["keys", "revoke", "kw_live_nothing"]);
    assert_eq!(unknown.code, Some(1));

    // Somebody is there, so the first start of the service makes nobody.
    let mut serve = home.spawn(&["serve"]);
    serve.url();
    assert_eq!(serve.terminate(), Some(0));
}

#[test]
fn bad_flags_and_settings_end_with_two() {
    let home = Home::new();
    let scope = ["keys", "create", "--user", "ci", "--scopes", "everything"];
    for flags in [&["nonsense"][..], &["serve", "--listen", "8080"], &scope] {
        assert_eq!(home.run(flags).code, Some(2), "{flags:?}");
    }
    let lease = home.run_with(&["serve"], &[("KEYWAY_LEASE", "20s")]);
    assert_eq!(lease.code, Some(2));
    assert!(lease.err.contains("KEYWAY_LEASE"), "{}", lease.err);
}

#[test]
fn operators_are_made_and_unmade() {
    let home = Home::new();
    home.run(&[
        "keys",
        "create",
        "--user",
        "ada",
        "--scopes",
        "read:secrets",
    ]);
    assert!(home.run(&["users", "promote", "ada"]).success);
    assert!(home.run(&["users", "demote", "ada"]).success);
    assert_eq!(home.run(&["users", "promote", "bob"]).code, Some(1));
}

#[test]
fn the_doctor_finds_what_is_wrong_shows_no_secret_and_changes_nothing() {
    let home = Home::new();
    let away = format!("http://127.0.0.1:{}", support::free_port());
    let url = |setting| (setting, away.as_str());
    let providers = [
        url("VERCEL_API_URL"),
        url("NETLIFY_API_URL"),
        url("RAILWAY_API_URL"),
        url("FLY_API_URL"),
    ];
    let fresh = home.run_with(&["doctor", "--json"], &providers);
    assert_eq!(fresh.code, Some(0), "{}", fresh.out);
    let report: serde_json::Value = serde_json::from_str(&fresh.out).unwrap();
    let levels: Vec<_> = report["checks"].as_array().unwrap().iter().collect();
    let warned = levels.iter().filter(|check| check["level"] == "warn");
    let warned: Vec<_> = warned
        .map(|check| check["name"].as_str().unwrap())
        .collect();
    assert_eq!(warned, ["Vercel", "Netlify", "Railway", "Fly.io"]);
    assert!(!home.data().exists());

    let redis = format!("redis://:hunter2@127.0.0.1:{}", support::free_port());
    let mut settings = providers.to_vec();
    settings.push(("REDIS_URL", &redis));
    let sick = home.run_with(&["doctor"], &settings);
    assert_eq!(sick.code, Some(1));
    assert!(sick.out.contains("FAIL  Redis"), "{}", sick.out);
    assert!(!sick.out.contains("hunter2") && !sick.err.contains("hunter2"));
}

#[test]
fn the_simulator_says_where_it_is_and_stops() {
    let home = Home::new();
    let mut vercel = home.spawn(&["simulate", "vercel", "--port", "0"]);
    assert!(
        vercel
            .line()
            .starts_with("Simulated Vercel on http://127.0.0.1:")
    );
    let said: Vec<_> = (0..5).map(|_| vercel.line()).collect();
    for part in [
        "Token: ",
        "VERCEL_INTEGRATION_SLUG=",
        "/integrations/keyway",
    ] {
        assert!(said.iter().any(|line| line.contains(part)), "{said:?}");
    }
    assert_eq!(vercel.terminate(), Some(0));
}

#[test]
fn the_simulated_netlify_says_where_it_is_and_stops() {
    let home = Home::new();
    let mut netlify = home.spawn(&["simulate", "netlify", "--port", "0"]);
    let said: Vec<_> = (0..4).map(|_| netlify.line()).collect();
    let url = said[0].strip_prefix("Simulated Netlify on ").unwrap();
    assert!(url.starts_with("http://127.0.0.1:"), "{said:?}");
    assert_eq!(said[1], "Token: simulated-netlify-token");
    assert!(said[3].contains(&format!("{url}/api/v1")), "{said:?}");
    assert_eq!(netlify.terminate(), Some(0));
}

#[test]
fn the_simulator_of_railway_says_where_it_is_and_stops() {
    let home = Home::new();
    let mut railway = home.spawn(&["simulate", "railway", "--port", "0"]);
    assert!(
        railway
            .line()
            .starts_with("Simulated Railway on http://127.0.0.1:")
    );
    assert_eq!(railway.terminate(), Some(0));
}

#[test]
fn the_simulated_fly_says_where_it_is_and_stops() {
    let home = Home::new();
    let mut fly = home.spawn(&["simulate", "fly", "--port", "0", "--preset", "empty"]);
    let said: Vec<_> = (0..6).map(|_| fly.line()).collect();
    let url = said[0].strip_prefix("Simulated Fly.io on ").unwrap();
    assert!(url.starts_with("http://127.0.0.1:"), "{said:?}");
    assert!(said[1].starts_with("Token of acme: FlyV1 fm2_"), "{said:?}");
    assert_eq!(said[5], format!("API: {url}/v1"));
    assert_eq!(fly.terminate(), Some(0));
}

/// Runs a demo to its end, and looks for these in what it says.
fn demo_of(provider: &str, said: &[&str]) {
    let home = Home::new();
    let demo = home.run(&["demo", "--latency-ms", "0", "--provider", provider]);
    assert_eq!(demo.code, Some(0), "{}{}", demo.out, demo.err);
    // Lines end where they are full.
    let words: Vec<_> = demo.out.split_whitespace().collect();
    let text = words.join(" ");
    let always = [
        "Done:",
        "nothing left to do ok",
        "as the report says too",
        "ok as many as the preview had said",
    ];
    for said in always.iter().chain(said) {
        assert!(text.contains(said), "{said}: {}", demo.out);
    }
    assert!(!demo.out.contains('\u{1b}'), "{}", demo.out);
    assert!(!demo.out.contains("made-up") && !demo.out.contains("kw_live_"));
    assert!(!home.data().exists());
}

#[test]
fn the_demo_succeeds_in_plain_text_and_shows_no_value() {
    demo_of(
        "vercel",
        &[
            "Destination: the environment production of the project my-app.",
            "12 of 12 values in production are those of the vault, byte for byte",
            "one value for several environments before, and one for each now: API_URL",
            "skip, a name of the platform: TZ, VERCEL_URL",
            "still of its kind: STRIPE_SECRET_KEY (sensitive)",
            "redeployRequired is true What runs has the old values until the next production deployment.",
        ],
    );
}

#[test]
fn the_demo_of_netlify_takes_values_of_all_contexts_apart() {
    demo_of(
        "netlify",
        &[
            "Destination: the context production of the site my-app.",
            "13 of 13 values in production are those of the vault, byte for byte",
            "one value for several contexts before, and one for each now: API_URL, NODE_VERSION",
            "skip, a name of the platform: URL",
            "still of its kind: NODE_VERSION (scope builds only), STRIPE_SECRET_KEY (secret)",
            "no build began at Netlify ok redeployRequired is true",
            "1 build began at Netlify ok redeployRequired is false",
        ],
    );
}

#[test]
fn the_demo_of_railway_keeps_references_and_seals() {
    demo_of(
        "railway",
        &[
            "Destination: the service web in the environment production of the project my-app.",
            "13 of 13 values in web in production are those of the vault, byte for byte",
            "skip, a reference to another variable there: JOBS_DATABASE_URL",
            "create, as a reference: JOBS_DATABASE_URL",
            "not what they stand for: API_URL, DATABASE_URL, GONE, JOBS_DATABASE_URL, SENTRY_DSN",
            "skip, a name of the platform: RAILWAY_PUBLIC_DOMAIN",
            "still of its kind: STRIPE_SECRET_KEY (sealed)",
            "STRIPE_SECRET_KEY cannot be read, and Railway's answer to a write does not tell",
            "no deployment began at Railway ok redeployRequired is true",
            "1 deployment began at Railway ok redeployRequired is false",
        ],
    );
}

#[test]
fn the_demo_of_fly_stages_and_then_rolls_out() {
    demo_of(
        "fly",
        &[
            "Destination: the app my-app, whose only environment is called production.",
            "Values are never shown to anybody: a list has names, and a digest of each value.",
            "12 of 12 values in my-app are those of the vault, byte for byte",
            "skip, a name of the platform: PRIMARY_REGION",
            "no machine was updated or restarted: all run with what they had",
            "redeployRequired is true What runs has the old values",
            "4 of 4 machines have every value of the vault",
            "4 of 4 kept every part of their config, and whether they are started",
            "Fly.io saw 1 call, to know it",
            "shown as a digest only, and it is the digest of what was written",
        ],
    );
}

#[test]
fn the_demo_takes_a_file_of_ones_own() {
    let home = Home::new();
    let file = home.file(".env", "ONLY=hunter2\nOTHER=\"two\nlines\"\n");
    for provider in ["vercel", "netlify", "railway", "fly"] {
        let demo = home.run(&[
            "demo",
            "--provider",
            provider,
            "--latency-ms",
            "0",
            "--preset",
            "starter",
            "--env-file",
            &file,
        ]);
        assert_eq!(demo.code, Some(0), "{}{}", demo.out, demo.err);
        assert!(demo.out.contains("ONLY") && !demo.out.contains("hunter2"));
    }
    let missing = home.run(&["demo", "--env-file", "/nowhere/.env"]);
    assert_eq!(missing.code, Some(2));
}
