//! `keyway doctor`

use std::path::Path;
use std::time::Duration;

use clap::{ArgMatches, Args, CommandFactory};
use keyway_shared::ambient::Ambient;
use keyway_shared::config::{
    self, ApiArgs, AuthArgs, ConfigError, Database, Entry, KeyOrigin, MetricsArgs, ProvidersArgs,
    ProvidersSettings, RedisArgs, RedisSettings, WebhooksArgs, WorkerArgs,
};
use keyway_shared::domain::connection::ProviderName;
use keyway_shared::providers::ProviderError;
use keyway_shared::providers::reach::reachable;
use keyway_shared::queue::{Queue, RedisOptions, RedisQueue};
use keyway_shared::secret::Secret;
use keyway_shared::store::{Pause, Store, StoreError};
use serde_json::json;

use crate::args::StorageArgs;
use crate::cli::Cli;
use crate::failure::{Failure, Outcome};
use crate::key_use::{self, Keys};
use crate::{compose, output};

/// Rows that are named; `keyway rotate-keys` names more.
const NAMED: usize = 5;
/// How long each check may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// Check the configuration and everything it needs
///
/// Shows the configuration in effect (never a secret) and tries the database, the encryption keys,
/// Redis and the providers. Changes nothing. Ends with 1 when something does not work.
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  keyway doctor --json | jq '.checks[] | select(.level != \"ok\")'"
)]
pub(crate) struct DoctorArgs {
    /// Print JSON
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    storage: StorageArgs,
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
    webhooks: WebhooksArgs,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Level {
    Ok,
    Warn,
    Fail,
}

impl Level {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warn => "warn",
            Self::Fail => "fail",
        }
    }
}

/// What was looked at, how it is, and what to do about it.
#[derive(Debug)]
struct Check {
    name: &'static str,
    level: Level,
    finding: String,
    action: Option<String>,
}

impl Check {
    fn ok(name: &'static str, finding: impl Into<String>) -> Self {
        Self {
            name,
            level: Level::Ok,
            finding: finding.into(),
            action: None,
        }
    }

    fn not_ok(level: Level, name: &'static str, finding: impl Into<String>, action: &str) -> Self {
        Self {
            level,
            action: Some(action.to_owned()),
            ..Self::ok(name, finding)
        }
    }

    fn fail(name: &'static str, finding: impl Into<String>, action: &str) -> Self {
        Self::not_ok(Level::Fail, name, finding, action)
    }
}

pub(crate) async fn run(args: &DoctorArgs, matches: &ArgMatches) -> Outcome {
    // Its findings are its output: what the parts log about them would only repeat it.
    args.storage.log.init(Some("off"))?;
    let command = Cli::command();
    let entries = command
        .find_subcommand("doctor")
        .map(|command| config::dump(command, matches, &config::environment))
        .unwrap_or_default();
    let checks = examine(args).await;
    if args.json {
        print_json(&entries, &checks)?;
    } else {
        print_text(&entries, &checks)?;
    }
    let failed = checks.iter().filter(|check| check.level == Level::Fail);
    match failed.count() {
        0 => Ok(()),
        count => Err(Failure::new(format!("{count} check(s) failed"))),
    }
}

async fn examine(args: &DoctorArgs) -> Vec<Check> {
    let ambient = Ambient::system();
    let mut checks = Vec::new();
    let api = args.api.resolve();
    let metrics = args.metrics.resolve(Some(&api)).map(|_| ());
    let worker = args.worker.resolve();
    let providers = args.providers.resolve(&config::environment);
    let timeout = providers.as_ref().map_or(PATIENCE, |known| known.timeout);
    let github = args.auth.resolve(timeout, &config::environment);
    let lease = match (&worker, &providers) {
        (Ok(worker), Ok(providers)) => config::check_lease(worker, providers),
        _ => Ok(()),
    };
    let storage = args.storage.check();
    let keys = storage.as_ref().map_or(Ok(None), |(data, database)| {
        args.storage
            .encryption
            .find(data, &database.url, &config::environment)
    });
    let redis = args.redis.resolve(&config::environment);

    let problems: Vec<ConfigError> = [
        metrics.err(),
        worker.err(),
        providers.as_ref().err().cloned(),
        lease.err(),
        github.as_ref().err().cloned(),
        storage.as_ref().err().cloned(),
        keys.as_ref().err().cloned(),
        redis.as_ref().err().cloned(),
    ]
    .into_iter()
    .flatten()
    .collect();
    if problems.is_empty() {
        checks.push(Check::ok("configuration", "every setting can be used"));
    }
    checks.extend(
        problems.iter().map(|problem| {
            Check::fail("configuration", problem.to_string(), "correct the setting")
        }),
    );

    if let (Ok((_, database)), Ok(keys)) = (&storage, keys) {
        checks.push(key_origin(keys.as_ref().map(|(_, origin)| origin)));
        check_database(&mut checks, database, keys.map(|(keys, _)| keys), &ambient).await;
        if let Ok(redis) = &redis {
            checks.push(check_redis(redis.as_ref(), database).await);
        }
    }
    if let Ok(providers) = &providers {
        checks.extend(check_providers(providers, &ambient).await);
    }
    checks
}

/// All of them at the same time: one that is away takes its time.
async fn check_providers(providers: &ProvidersSettings, ambient: &Ambient) -> Vec<Check> {
    let (vercel, netlify) = (&providers.vercel.api_url, &providers.netlify.api_url);
    let (railway, fly) = (&providers.railway.api_url, &providers.fly.api_url);
    let all = [
        (ProviderName::Vercel, "Vercel", "VERCEL_API_URL", vercel),
        (ProviderName::Netlify, "Netlify", "NETLIFY_API_URL", netlify),
        (ProviderName::Railway, "Railway", "RAILWAY_API_URL", railway),
        (ProviderName::Fly, "Fly.io", "FLY_API_URL", fly),
    ];
    let limit = providers.timeout.min(PATIENCE);
    let looks = all.map(|(name, shown, setting, origin)| async move {
        let origin = origin.as_str();
        match reachable(name, setting, origin, limit, ambient.clone()).await {
            Ok(status) => Check::ok(shown, format!("{origin} answers (status {status})")),
            // It did answer: with a redirect, which is never followed.
            Err(ProviderError::Protocol) => Check::ok(shown, format!("{origin} answers")),
            Err(error) => Check::not_ok(
                Level::Warn,
                shown,
                format!("{origin} cannot be reached: {error}"),
                &format!(
                    "check {setting}, the network, name resolution and the system's certificates; \
                     syncs wait and are tried again until it answers"
                ),
            ),
        }
    });
    futures::future::join_all(looks).await
}

fn key_origin(origin: Option<&KeyOrigin>) -> Check {
    const NAME: &str = "encryption keys";
    match origin {
        None => Check::ok(
            NAME,
            "none yet: the first start makes one in the data folder",
        ),
        Some(KeyOrigin::Configured) => Check::ok(NAME, "configured"),
        Some(KeyOrigin::Command) => Check::ok(NAME, "printed by KEYWAY_ENCRYPTION_KEYS_COMMAND"),
        Some(KeyOrigin::File(path) | KeyOrigin::Generated(path)) => {
            if readable_by_others(path) {
                return Check::not_ok(
                    Level::Warn,
                    NAME,
                    format!("{} can be read by other users", path.display()),
                    "chmod 600 the file",
                );
            }
            Check::ok(NAME, format!("in {}", path.display()))
        }
    }
}

fn readable_by_others(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::metadata(path).is_ok_and(|meta| meta.permissions().mode() & 0o077 != 0)
}

async fn check_database(
    checks: &mut Vec<Check>,
    database: &Database,
    keys: Option<Secret>,
    ambient: &Ambient,
) {
    const NAME: &str = "database";
    let shown = database.url.redacted();
    let missing = database.url.file().is_some_and(|file| !file.exists());
    let (false, Some(keys)) = (missing, keys) else {
        checks.push(Check::ok(
            NAME,
            format!("{shown} is made at the first start"),
        ));
        return;
    };
    let impatient = Database {
        startup_timeout: database.startup_timeout.min(PATIENCE),
        ..database.clone()
    };
    let store = match compose::inspect(&impatient, &keys, ambient).await {
        Ok(store) => store,
        Err(failure) => {
            checks.push(Check::fail(
                NAME,
                failure.message(),
                failure.advice().unwrap_or("check DATABASE_URL"),
            ));
            return;
        }
    };
    match store.pending_migrations().await {
        Ok(pending) if pending.is_empty() => {
            checks.push(Check::ok(
                NAME,
                format!("{shown} answers, schema up to date"),
            ));
            checks.push(check_keys(&store).await);
            checks.push(check_key_uses(&store).await);
            checks.push(check_pauses(&store).await);
        }
        Ok(pending) => {
            checks.push(Check::not_ok(
                Level::Warn,
                NAME,
                format!("{shown} answers, {} migration(s) pending", pending.len()),
                "run `keyway migrate` (`keyway serve` does it by itself)",
            ));
            checks.push(check_keys(&store).await);
        }
        Err(error) => checks.push(Check::fail(
            NAME,
            error.to_string(),
            "the database's user must own the schema",
        )),
    }
    store.close().await;
}

async fn check_keys(store: &Store) -> Check {
    const NAME: &str = "decryption";
    match store.check_keys().await {
        Ok(true) => Check::ok(NAME, "the encryption keys open this database"),
        Ok(false) => Check::ok(
            NAME,
            "nothing is encrypted yet: the first start begins with the keys it is given",
        ),
        Err(error @ (StoreError::WrongKey { .. } | StoreError::UnknownKey { .. })) => Check::fail(
            NAME,
            error.to_string(),
            "set KEYWAY_ENCRYPTION_KEYS to the keys that this database was made with",
        ),
        Err(error) => Check::fail(NAME, error.to_string(), "see the database's own log"),
    }
}

/// Which keys of the ring are needed, and for what.
async fn check_key_uses(store: &Store) -> Check {
    const NAME: &str = "use of keys";
    let keys = match Keys::look(store).await {
        Ok(keys) => keys,
        Err(error) => return Check::fail(NAME, error.to_string(), "see the database's own log"),
    };
    let mut finding = keys.sentences().join("; ");
    if let Some((count, rows)) = keys.unopened() {
        let named: Vec<_> = rows.iter().take(NAMED).map(key_use::name).collect();
        let and_more = if count > named.len() as i64 {
            ", …"
        } else {
            ""
        };
        finding = format!(
            "{finding}; {count} rows did not open when they were last tried: {}{and_more}",
            named.join(", ")
        );
    }
    let missing = keys.missing();
    if !missing.is_empty() {
        let missing: Vec<_> = missing
            .iter()
            .map(|(id, rows)| format!("{rows} rows are sealed with '{id}', which nobody can open"))
            .collect();
        return Check::fail(
            NAME,
            format!("{}; {finding}", missing.join("; ")),
            "put that key at the end of KEYWAY_ENCRYPTION_KEYS",
        );
    }
    if keys.behind() > 0 {
        return Check::not_ok(
            Level::Warn,
            NAME,
            finding,
            "`keyway rotate-keys` seals everything with the first key",
        );
    }
    Check::ok(NAME, finding)
}

fn since(pause: &Pause) -> impl std::fmt::Display {
    pause.created_at.format("%F %T UTC")
}

async fn check_pauses(store: &Store) -> Check {
    const NAME: &str = "pauses";
    let looked = async {
        let mut tx = store.begin_read().await?;
        let pauses = tx.list_pauses().await?;
        tx.commit().await?;
        Ok::<_, StoreError>(pauses)
    };
    match looked.await {
        Ok(pauses) if pauses.is_empty() => Check::ok(NAME, "no jobs are held back"),
        Ok(pauses) => {
            let what: Vec<_> = pauses
                .iter()
                .map(|pause| match pause.provider {
                    Some(provider) => format!("jobs with {provider} since {}", since(pause)),
                    None => format!("all jobs since {}", since(pause)),
                })
                .collect();
            Check::not_ok(
                Level::Warn,
                NAME,
                format!("held back: {}", what.join(", ")),
                "`keyway resume` lets them go on (`--provider` for one provider's)",
            )
        }
        Err(error) => Check::fail(NAME, error.to_string(), "see the database's own log"),
    }
}

async fn check_redis(redis: Option<&RedisSettings>, database: &Database) -> Check {
    const NAME: &str = "Redis";
    let Some(redis) = redis else {
        return if database.url.is_sqlite() {
            Check::ok(NAME, "not used: one process on SQLite needs none")
        } else {
            Check::not_ok(
                Level::Warn,
                NAME,
                "not configured: only `keyway serve` works, as the only process",
                "set REDIS_URL to run `keyway api` and `keyway worker`",
            )
        };
    };
    let options = RedisOptions {
        url: redis.url.clone(),
        prefix: redis.prefix.clone(),
        startup_timeout: Duration::from_secs(1),
    };
    let shown = config::redact_url(&redis.url);
    let asked = tokio::time::timeout(PATIENCE, RedisQueue::connect(&options)).await;
    let up = match asked {
        Ok(Ok(connected)) => Queue::redis(connected, None).ping(PATIENCE).await,
        _ => false,
    };
    if up {
        Check::ok(NAME, format!("{shown} answers"))
    } else {
        Check::fail(
            NAME,
            format!("{shown} does not answer"),
            "start it, or check REDIS_URL and its password; while it is away jobs start late, but \
             none is lost",
        )
    }
}

fn print_text(entries: &[Entry], checks: &[Check]) -> Outcome {
    output::line("Configuration")?;
    let rows: Vec<_> = entries
        .iter()
        .map(|entry| {
            let value = entry.value.clone().unwrap_or_else(|| "-".to_owned());
            vec![
                format!("  {}", entry.variable),
                value,
                entry.source.as_str().to_owned(),
            ]
        })
        .collect();
    output::table(&rows)?;
    output::line("\nRetries")?;
    let rules: Vec<_> = super::retries::rows()
        .into_iter()
        .map(|[kinds, causes, then]| vec![format!("  {kinds}"), causes, then])
        .collect();
    output::table(&rules)?;
    output::line("\nChecks")?;
    for check in checks {
        let mark = match check.level {
            Level::Ok => console::style("OK  ").green(),
            Level::Warn => console::style("WARN").yellow(),
            Level::Fail => console::style("FAIL").red().bold(),
        };
        output::line(format!("  {mark}  {}: {}", check.name, check.finding))?;
        if let Some(action) = &check.action {
            output::line(format!("        -> {action}"))?;
        }
    }
    Ok(())
}

fn print_json(entries: &[Entry], checks: &[Check]) -> Outcome {
    let configuration: Vec<_> = entries
        .iter()
        .map(|entry| {
            json!({
                "variable": entry.variable,
                "value": entry.value,
                "source": entry.source.as_str(),
            })
        })
        .collect();
    let checks: Vec<_> = checks
        .iter()
        .map(|check| {
            json!({
                "name": check.name,
                "level": check.level.as_str(),
                "finding": check.finding,
                "action": check.action,
            })
        })
        .collect();
    output::line(format!(
        "{:#}",
        json!({
            "configuration": configuration,
            "retries": super::retries::document(),
            "checks": checks,
        })
    ))?;
    Ok(())
}
