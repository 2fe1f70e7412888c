//! Parsing and the checks across sections. Every test brings its own environment.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use clap::{Args, CommandFactory, FromArgMatches, Parser};
use tempfile::TempDir;

use super::*;
use crate::ambient::Ambient;
use crate::secret::Secret;

#[derive(Debug, Parser)]
struct Everything {
    #[command(flatten)]
    data: DataArgs,
    #[command(flatten)]
    database: DatabaseArgs,
    #[command(flatten)]
    encryption: EncryptionArgs,
    #[command(flatten)]
    redis: RedisArgs,
    #[command(flatten)]
    api: ApiArgs,
    #[command(flatten)]
    metrics: MetricsArgs,
    #[command(flatten)]
    worker: WorkerArgs,
    #[command(flatten)]
    auth: AuthArgs,
    #[command(flatten)]
    providers: ProvidersArgs,
    #[command(flatten)]
    log: LogArgs,
}

/// A section from flags alone: the process's own environment must not reach these tests.
fn parse<T: Args>(flags: &[&str]) -> Result<T, clap::Error> {
    let command =
        T::augment_args(clap::Command::new("keyway")).mut_args(|arg| arg.env(None::<&str>));
    let flags = std::iter::once("keyway").chain(flags.iter().copied());
    T::from_arg_matches(&command.try_get_matches_from(flags)?)
}

fn env(pairs: &[(&str, &str)]) -> impl Fn(&str) -> Option<OsString> + use<> {
    let map: BTreeMap<String, OsString> = pairs
        .iter()
        .map(|(name, value)| ((*name).to_owned(), OsString::from(value)))
        .collect();
    move |name| map.get(name).cloned()
}

fn database(pairs: &[(&str, &str)]) -> Result<Database, ConfigError> {
    parse::<DatabaseArgs>(&[])
        .unwrap()
        .resolve(&DataFolder::at("/data"), &env(pairs))
}

fn file(folder: &TempDir, name: &str, text: &str) -> String {
    let path = folder.path().join(name);
    std::fs::write(&path, text).unwrap();
    path.to_str().unwrap().to_owned()
}

#[test]
fn without_an_address_the_database_is_in_the_data_folder() {
    let found = database(&[]).unwrap();
    assert_eq!(found.url.secret().expose(), "sqlite:///data/keyway.db");
    assert_eq!(found.url.file(), Some(Path::new("/data/keyway.db")));
    assert_eq!(found.startup_timeout, Duration::from_mins(1));
}

#[test]
fn a_folder_with_special_characters_is_encoded() {
    let url = DatabaseUrl::embedded(&DataFolder::at("/a?b%20 c"));
    assert_eq!(url.secret().expose(), "sqlite:///a%3Fb%2520 c/keyway.db");
}

#[test]
fn both_kinds_of_database_are_taken_and_others_refused() {
    for good in [
        "postgres://u:p@h/db",
        "postgresql://h/db",
        "sqlite:///x/y.db",
        "sqlite:y.db",
    ] {
        assert!(database(&[("DATABASE_URL", good)]).is_ok(), "{good}");
    }
    for bad in [
        "mysql://u:hunter2@h/db",
        "postgres://u:hunter2@:x/db",
        "sqlite::memory:",
        "sqlite://",
        "sqlite:x?mode=memory",
        "hunter2",
    ] {
        let error = database(&[("DATABASE_URL", bad)]).unwrap_err();
        assert_eq!(error.variable, "DATABASE_URL", "{bad}");
        assert!(!error.to_string().contains("hunter2"), "{error}");
    }
}

#[test]
fn a_secret_is_read_from_its_variable_or_its_file_but_not_both() {
    let folder = TempDir::new().unwrap();
    let path = file(&folder, "url", "  postgres://u:p@h/db\n");
    let args = parse::<DatabaseArgs>(&["--database-url-file", &path]).unwrap();
    let data = DataFolder::at("/data");
    let found = args.resolve(&data, &env(&[])).unwrap();
    assert_eq!(found.url.secret().expose(), "postgres://u:p@h/db");

    let both = env(&[("DATABASE_URL", "postgres://u:hunter2@h/db")]);
    let error = args.resolve(&data, &both).unwrap_err().to_string();
    assert!(error.contains("DATABASE_URL_FILE"), "{error}");
    assert!(!error.contains("hunter2"), "{error}");
}

#[test]
fn a_secret_file_that_is_missing_or_empty_is_named() {
    let folder = TempDir::new().unwrap();
    let empty = file(&folder, "empty", "\n");
    for path in [empty.as_str(), "/nowhere/at/all"] {
        let args = parse::<RedisArgs>(&["--redis-url-file", path]).unwrap();
        let error = args.resolve(&env(&[])).unwrap_err().to_string();
        assert!(
            error.contains("REDIS_URL_FILE") && error.contains(path),
            "{error}"
        );
    }
}

#[test]
fn processes_that_share_refuse_sqlite_and_a_missing_redis() {
    let error = database(&[]).unwrap().url.require_postgres("api");
    let error = error.unwrap_err().to_string();
    assert!(
        error.contains("keyway api") && error.contains("DATABASE_URL") && error.contains("serve"),
        "{error}"
    );
    let redis = parse::<RedisArgs>(&[]).unwrap();
    let error = redis.require("worker", &env(&[])).unwrap_err().to_string();
    assert!(
        error.contains("keyway worker") && error.contains("REDIS_URL"),
        "{error}"
    );
    let set = env(&[("REDIS_URL", "redis://h")]);
    assert_eq!(redis.require("worker", &set).unwrap().prefix, "keyway:");
}

#[test]
fn an_origin_has_no_path_and_is_normal() {
    let origin = |text: &str| text.parse::<Origin>().map(|origin| origin.to_string());
    assert_eq!(
        origin("https://A.example/"),
        Ok("https://a.example".to_owned())
    );
    assert_eq!(origin("http://h:3000"), Ok("http://h:3000".to_owned()));
    for bad in [
        "https://h/p",
        "https://h/?q",
        "ftp://h",
        "h",
        "https://u:hunter2@h",
    ] {
        let error = origin(bad).unwrap_err();
        assert!(!error.contains("hunter2"), "{error}");
    }
}

#[test]
fn durations_need_a_unit() {
    let lease = |text: &str| parse::<WorkerArgs>(&["--lease", text]).map(|args| args.lease);
    assert_eq!(lease("30s").unwrap(), Duration::from_secs(30));
    assert_eq!(lease("1500ms").unwrap(), Duration::from_millis(1500));
    assert_eq!(lease("5m").unwrap(), Duration::from_mins(5));
    for bad in ["30", "0s", "soon", "-1s"] {
        assert!(lease(bad).is_err(), "{bad}");
    }
}

#[test]
fn what_has_ended_is_kept_for_an_hour_at_least() {
    let retention = |flags: &[&str]| parse::<WorkerArgs>(flags).unwrap().resolve();
    assert_eq!(retention(&[]).unwrap().retention, Retention::default());
    let short = retention(&["--retention-jobs", "90m", "--retention-plans", "2h"]);
    let short = short.unwrap().retention;
    assert_eq!(short.jobs, Duration::from_mins(90));
    assert_eq!(short.plans, Duration::from_hours(2));
    let error = retention(&["--retention-activity", "59m"]).unwrap_err();
    assert_eq!(error.variable, "KEYWAY_RETENTION_ACTIVITY");
    // What is reckoned back from now must be a time.
    assert!(parse::<WorkerArgs>(&["--retention-activity", "36500d"]).is_ok());
    let error = parse::<WorkerArgs>(&["--retention-jobs", "300000y"]).unwrap_err();
    assert!(error.to_string().contains("at most 36500d"), "{error}");
}

#[test]
fn a_provider_call_takes_at_most_a_third_of_the_lease() {
    let worker = |lease| {
        parse::<WorkerArgs>(&["--lease", lease])
            .unwrap()
            .resolve()
            .unwrap()
    };
    let providers = parse::<ProvidersArgs>(&[])
        .unwrap()
        .resolve(&env(&[]))
        .unwrap();
    assert_eq!(check_lease(&worker("30s"), &providers), Ok(()));
    let error = check_lease(&worker("29s"), &providers).unwrap_err();
    assert_eq!(error.variable, "KEYWAY_PROVIDER_TIMEOUT");
    assert!(error.to_string().contains("30s"), "{error}");
}

#[test]
fn half_of_the_oauth_settings_is_an_error_that_names_the_rest() {
    let args = parse::<ProvidersArgs>(&["--vercel-client-id", "id"]).unwrap();
    let error = args.resolve(&env(&[])).unwrap_err().to_string();
    assert!(
        error.contains("missing: VERCEL_CLIENT_SECRET, VERCEL_INTEGRATION_SLUG"),
        "{error}"
    );
    let args = parse::<ProvidersArgs>(&["--railway-client-id", "id"]).unwrap();
    let error = args.resolve(&env(&[])).unwrap_err().to_string();
    assert!(error.contains("missing: RAILWAY_CLIENT_SECRET"), "{error}");
    let secret = [("RAILWAY_CLIENT_SECRET", "hunter2")];
    let args = parse::<ProvidersArgs>(&[]).unwrap();
    let error = args.resolve(&env(&secret)).unwrap_err().to_string();
    assert!(error.contains("missing: RAILWAY_CLIENT_ID"), "{error}");
    assert!(!error.contains("hunter2"), "{error}");
    let args = parse::<ProvidersArgs>(&["--railway-client-id", "id"]).unwrap();
    let settings = args.resolve(&env(&secret)).unwrap().railway;
    assert!(settings.oauth.is_some());
}

#[test]
fn the_listen_address_is_checked_and_shown_so_that_it_can_be_opened() {
    let api = |text: &str| parse::<ApiArgs>(&["--listen", text]);
    assert!(api("8080").is_err());
    let any = api("0.0.0.0:0").unwrap().resolve();
    assert_eq!(
        any.public_origin("0.0.0.0:99".parse().unwrap()),
        "http://localhost:99"
    );
    let metrics = parse::<MetricsArgs>(&["--metrics-listen", "[::]:80"]).unwrap();
    let same = api("[::]:80").unwrap().resolve();
    assert_eq!(
        metrics.resolve(Some(&same)).unwrap_err().variable,
        "KEYWAY_METRICS_LISTEN"
    );
    assert!(metrics.resolve(Some(&any)).is_ok() && metrics.resolve(None).is_ok());
}

fn keys(folder: &DataFolder, pairs: &[(&str, &str)]) -> Result<(Secret, KeyOrigin), ConfigError> {
    let lookup = env(pairs);
    let args = parse::<EncryptionArgs>(&[]).unwrap();
    let url = match lookup("DATABASE_URL") {
        Some(_) => database(pairs)?.url,
        None => DatabaseUrl::embedded(folder),
    };
    args.find_or_generate(folder, &url, &lookup, &Ambient::system())
}

#[test]
fn the_embedded_form_makes_a_key_once_readable_by_its_owner() {
    let folder = TempDir::new().unwrap();
    let data = DataFolder::at(folder.path().join("new"));
    data.create().unwrap();
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(data.path()), 0o700);

    let (first, origin) = keys(&data, &[]).unwrap();
    assert_eq!(origin, KeyOrigin::Generated(data.key_file()));
    assert_eq!(mode(&data.key_file()), 0o600);
    let (again, origin) = keys(&data, &[]).unwrap();
    assert_eq!(origin, KeyOrigin::File(data.key_file()));
    assert_eq!(first, again);
    assert_eq!(std::fs::read_dir(data.path()).unwrap().count(), 1);
}

#[test]
fn two_first_starts_at_once_agree_on_one_key() {
    let folder = TempDir::new().unwrap();
    let data = DataFolder::at(folder.path());
    let barrier = Arc::new(std::sync::Barrier::new(8));
    let starts: Vec<_> = (0..8)
        .map(|_| {
            let (data, barrier) = (data.clone(), Arc::clone(&barrier));
            std::thread::spawn(move || {
                barrier.wait();
                keys(&data, &[]).unwrap().0
            })
        })
        .collect();
    let found: Vec<_> = starts
        .into_iter()
        .map(|start| start.join().unwrap())
        .collect();
    assert!(found.iter().all(|keys| keys == &found[0]));
}

#[test]
fn a_database_whose_key_is_gone_does_not_get_a_new_one() {
    let folder = TempDir::new().unwrap();
    let data = DataFolder::at(folder.path());
    std::fs::write(data.database(), "x").unwrap();
    let error = keys(&data, &[]).unwrap_err().to_string();
    assert!(error.contains("encryption.key is missing"), "{error}");
    assert!(!data.key_file().exists());
}

#[test]
fn postgres_needs_configured_keys() {
    let folder = TempDir::new().unwrap();
    let data = DataFolder::at(folder.path());
    let error = keys(&data, &[("DATABASE_URL", "postgres://h/db")]).unwrap_err();
    assert_eq!(error.variable, "KEYWAY_ENCRYPTION_KEYS");
    assert!(!data.key_file().exists());
}

#[test]
fn a_data_folder_has_one_long_running_process() {
    let folder = TempDir::new().unwrap();
    let data = DataFolder::at(folder.path());
    let embedded = DatabaseUrl::embedded(&data);
    let held = data.lock(&embedded).unwrap();
    let error = data.lock(&embedded).unwrap_err().to_string();
    assert!(
        error.contains(&format!("process {}", std::process::id())),
        "{error}"
    );
    drop(held);
    drop(data.lock(&embedded).unwrap());
}

#[test]
fn a_database_outside_the_folder_is_locked_as_well() {
    let (one, other) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let shared = DatabaseUrl::embedded(&DataFolder::at(one.path()));
    let locked =
        |folder: &TempDir, database: &DatabaseUrl| DataFolder::at(folder.path()).lock(database);
    let third = TempDir::new().unwrap();
    let _held = locked(&other, &shared).unwrap();
    let error = locked(&third, &shared).unwrap_err();
    assert_eq!(error.variable, "DATABASE_URL");
}

#[test]
fn addresses_are_shown_without_user_password_and_parameters() {
    let shown = |text: &str| redact_url(&Secret::new(text));
    assert_eq!(
        shown("postgres://me:hunter2@h:5433/db?password=hunter2"),
        "postgres://…@h:5433/db?…"
    );
    assert_eq!(shown("redis://:hunter2@h/0"), "redis://…@h/0");
    assert_eq!(shown("sqlite:///x/y.db?key=hunter2"), "sqlite:///x/y.db?…");
    for odd in [
        "hunter2",
        "hunter2@h",
        "postgres://hunter2@:a",
        "unix:hunter2",
    ] {
        assert!(!shown(odd).contains("hunter2"), "{odd}");
    }
}

#[test]
fn a_dump_has_every_setting_and_no_secret() {
    let command = Everything::command().mut_args(|arg| {
        // As in `parse`, but the names must stay for the dump.
        let unset = arg.get_env().map(ToOwned::to_owned);
        match unset {
            Some(name) if std::env::var_os(&name).is_some() => arg.env(None::<&str>),
            _ => arg,
        }
    });
    let matches = command
        .clone()
        .try_get_matches_from(["keyway", "--listen", "127.0.0.1:1"])
        .unwrap();
    Everything::from_arg_matches(&matches).unwrap();
    let lookup = env(&[
        ("DATABASE_URL", "postgres://me:hunter2@h/db"),
        ("KEYWAY_ENCRYPTION_KEYS", "a:hunter2"),
        ("VERCEL_CLIENT_SECRET", "hunter2"),
    ]);
    let entries = dump(&command, &matches, &lookup);
    assert!(!format!("{entries:?}").contains("hunter2"));
    let find = |name: &str| {
        let found = entries.iter().find(|entry| entry.variable == name);
        found.unwrap_or_else(|| panic!("{name} is missing")).clone()
    };
    assert_eq!(find("KEYWAY_LISTEN").source, Source::Flag);
    assert_eq!(find("DATABASE_URL").source, Source::Environment);
    assert_eq!(
        find("KEYWAY_ENCRYPTION_KEYS").value.as_deref(),
        Some("(set; not shown)")
    );
    assert_eq!(find("REDIS_URL").value, None);
}

#[test]
fn the_reference_names_every_secret_and_its_file() {
    let text = reference(&Everything::command());
    for secret in SECRETS {
        assert!(text.contains(&format!("| `{}` |", secret.name)), "{text}");
        assert!(
            text.contains(&format!("| `{}_FILE` |", secret.name)),
            "{text}"
        );
    }
}

#[test]
fn keys_come_from_one_place_only() {
    let folder = TempDir::new().unwrap();
    let data = DataFolder::at(folder.path());
    let embedded = DatabaseUrl::embedded(&data);
    let ring = format!("k1:{}", "ab".repeat(32));
    let path = file(&folder, "keys", &ring);
    let find = |flags: &[&str], pairs: &[(&str, &str)]| {
        let args = parse::<EncryptionArgs>(flags).unwrap();
        args.find(&data, &embedded, &env(pairs))
    };
    let command = format!("cat '{path}'");
    let by_command = ["--encryption-keys-command", command.as_str()];
    let (keys, origin) = find(&by_command, &[]).unwrap().unwrap();
    assert_eq!((keys.expose(), origin), (ring.as_str(), KeyOrigin::Command));
    let by_both = [
        by_command[0],
        by_command[1],
        "--encryption-keys-file",
        &path,
    ];
    for error in [
        find(&by_command, &[("KEYWAY_ENCRYPTION_KEYS", &ring)]),
        find(&by_both, &[]),
    ] {
        let error = error.unwrap_err();
        assert_eq!(error.variable, "KEYWAY_ENCRYPTION_KEYS_COMMAND");
        assert!(error.problem.contains("keep one of them"), "{error}");
    }
    let failing = find(&["--encryption-keys-command", "false"], &[]).unwrap_err();
    assert_eq!(failing.variable, "KEYWAY_ENCRYPTION_KEYS_COMMAND");
}

#[test]
fn malformed_keys_are_refused_without_showing_them() {
    let folder = TempDir::new().unwrap();
    let data = DataFolder::at(folder.path());
    let error = keys(&data, &[("KEYWAY_ENCRYPTION_KEYS", "k1:hunter2")]).unwrap_err();
    assert_eq!(error.variable, "KEYWAY_ENCRYPTION_KEYS");
    assert!(!error.to_string().contains("hunter2"), "{error}");
}
