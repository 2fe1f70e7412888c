//! `keyway keys …`

use chrono::{DateTime, TimeDelta, Utc};
use clap::{Args, Subcommand};
use keyway_shared::ambient::Ambient;
use keyway_shared::crypto::tokens;
use keyway_shared::domain::account::{ApiKey, KeyEnvironment, Scope, User};
use keyway_shared::domain::activity::{Action, Activity, Platform};
use keyway_shared::domain::names::{USERNAME_RULE, is_username};
use keyway_shared::secret::Secret;
use keyway_shared::store::{Constraint, StoreError, Tx};
use serde_json::json;

use crate::args::StorageArgs;
use crate::failure::{Failure, Outcome};
use crate::{compose, output};

/// Create, list and revoke API keys
#[derive(Debug, Args)]
pub(crate) struct KeysArgs {
    #[command(subcommand)]
    command: KeysCommand,
}

#[derive(Debug, Subcommand)]
enum KeysCommand {
    Create(CreateArgs),
    List(ListArgs),
    Revoke(RevokeArgs),
}

/// Create an API key and print its token, which is shown this once
///
/// Standard output is the token alone, so that it can be assigned to a variable. Works before the
/// first start, too.
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  TOKEN=$(keyway keys create --user ci --scopes read:secrets,write:secrets --expires-in-days 90)"
)]
struct CreateArgs {
    /// The user the key belongs to; created when new
    #[arg(long, value_name = "NAME")]
    user: String,

    /// What the key may do, separated by commas: read:secrets, write:secrets, delete:secrets,
    /// admin:api-keys
    #[arg(long, value_name = "SCOPES", value_delimiter = ',', required = true)]
    scopes: Vec<Scope>,

    /// Refuse the key after this many days; without it the key does not expire
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=36500))]
    expires_in_days: Option<u32>,

    /// What to call the key
    #[arg(long, value_name = "TEXT", default_value = "command line")]
    name: String,

    /// Make a test key (kw_test_…) instead of a live one (kw_live_…)
    #[arg(long)]
    test: bool,

    #[command(flatten)]
    storage: StorageArgs,
}

/// List the API keys of all users; tokens are never shown
#[derive(Debug, Args)]
struct ListArgs {
    /// Print JSON
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    storage: StorageArgs,
}

/// Revoke an API key; it is refused from now on
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  keyway keys revoke kw_live_a1B2c3D4")]
struct RevokeArgs {
    /// The key's id, or the beginning of its token as `keys list` shows it
    key: String,

    #[command(flatten)]
    storage: StorageArgs,
}

pub(crate) async fn run(args: &KeysArgs) -> Outcome {
    match &args.command {
        KeysCommand::Create(args) => create(args).await,
        KeysCommand::List(args) => list(args).await,
        KeysCommand::Revoke(args) => revoke(args).await,
    }
}

/// A key to be made.
pub(crate) struct Wanted<'a> {
    pub(crate) name: &'a str,
    pub(crate) scopes: &'a [Scope],
    pub(crate) environment: KeyEnvironment,
    pub(crate) expires_at: Option<DateTime<Utc>>,
}

/// Makes a key for a user within a unit of work.
pub(crate) async fn insert_key(
    tx: &mut Tx,
    ambient: &Ambient,
    user: &User,
    wanted: Wanted<'_>,
) -> Result<Secret, StoreError> {
    let now = ambient.now();
    let new = tokens::new_api_key(ambient, wanted.environment);
    let mut scopes = wanted.scopes.to_vec();
    scopes.sort_unstable();
    scopes.dedup();
    let key = ApiKey {
        id: ambient.new_id(),
        user_id: user.id,
        name: wanted.name.to_owned(),
        environment: wanted.environment,
        prefix: new.prefix,
        scopes,
        allowed_ips: Vec::new(),
        expires_at: wanted.expires_at,
        last_used_at: None,
        usage_count: 0,
        created_at: now,
        revoked_at: None,
    };
    tx.insert_api_key(&key, &new.hash).await?;
    tx.insert_activity(&entry(ambient, Action::ApiKeyCreated, user, &key))
        .await?;
    Ok(new.token)
}

fn entry(ambient: &Ambient, action: Action, user: &User, key: &ApiKey) -> Activity {
    Activity {
        id: ambient.new_id(),
        at: ambient.now(),
        action,
        user_id: Some(user.id),
        username: user.username.clone(),
        vault_id: None,
        repo_full_name: None,
        platform: Platform::Cli,
        ip: None,
        api_key_id: None,
        session_id: None,
        request_id: None,
        metadata: json!({ "keyId": key.id, "name": key.name, "prefix": key.prefix }),
    }
}

async fn create(args: &CreateArgs) -> Outcome {
    if !is_username(&args.user) {
        return Err(Failure::usage(format!("--user {USERNAME_RULE}")));
    }
    if args.name.trim().is_empty() || args.name.chars().count() > 100 {
        return Err(Failure::usage("--name must be 1 to 100 characters"));
    }
    args.storage.log.init(Some("warn"))?;
    let ambient = Ambient::system();
    let store = compose::open_for_command(&args.storage, &ambient).await?;
    let now = ambient.now();
    let wanted = || Wanted {
        name: &args.name,
        scopes: &args.scopes,
        environment: if args.test {
            KeyEnvironment::Test
        } else {
            KeyEnvironment::Live
        },
        expires_at: args
            .expires_in_days
            .map(|days| now + TimeDelta::days(i64::from(days))),
    };
    // Twice, for the case that somebody creates the same user at the same time.
    let token = match try_create(&store, &ambient, &args.user, wanted()).await {
        Err(StoreError::Conflict(Constraint::UsersUsername)) => {
            try_create(&store, &ambient, &args.user, wanted()).await?
        }
        other => other?,
    };
    store.close().await;
    output::line(token.expose())?;
    Ok(())
}

async fn try_create(
    store: &keyway_shared::store::Store,
    ambient: &Ambient,
    name: &str,
    wanted: Wanted<'_>,
) -> Result<Secret, StoreError> {
    let mut tx = store.begin().await?;
    let user = if let Some(user) = tx.find_user_by_name(name).await? {
        user
    } else {
        let user = User {
            id: ambient.new_id(),
            username: name.to_owned(),
            operator: false,
            created_at: ambient.now(),
        };
        tx.insert_user(&user).await?;
        user
    };
    let token = insert_key(&mut tx, ambient, &user, wanted).await?;
    tx.commit().await?;
    Ok(token)
}

async fn list(args: &ListArgs) -> Outcome {
    args.storage.log.init(Some("warn"))?;
    let ambient = Ambient::system();
    let store = compose::open_for_command(&args.storage, &ambient).await?;
    let mut tx = store.begin_read().await?;
    let keys = tx.list_all_api_keys().await?;
    drop(tx);
    store.close().await;
    let now = ambient.now();
    if args.json {
        let keys: Vec<_> = keys
            .iter()
            .map(|(key, user)| {
                json!({
                    "id": key.id, "prefix": key.prefix, "user": user,
                    "name": key.name, "scopes": key.scopes, "state": state(key, now),
                    "createdAt": key.created_at, "expiresAt": key.expires_at,
                    "lastUsedAt": key.last_used_at,
                })
            })
            .collect();
        output::line(json!(keys))?;
        return Ok(());
    }
    let day = |at: Option<DateTime<Utc>>, none: &str| {
        at.map_or_else(|| none.to_owned(), |at| at.format("%Y-%m-%d").to_string())
    };
    let heading = [
        "ID",
        "TOKEN",
        "USER",
        "NAME",
        "SCOPES",
        "STATE",
        "CREATED",
        "EXPIRES",
        "LAST USED",
    ];
    let mut rows = vec![heading.map(ToOwned::to_owned).to_vec()];
    rows.extend(keys.iter().map(|(key, user)| {
        let scopes: Vec<_> = key.scopes.iter().map(|scope| scope.as_str()).collect();
        vec![
            key.id.to_string(),
            format!("{}…", key.prefix),
            user.clone(),
            key.name.clone(),
            scopes.join(","),
            state(key, now).to_owned(),
            day(Some(key.created_at), ""),
            day(key.expires_at, "never"),
            day(key.last_used_at, "never"),
        ]
    }));
    output::table(&rows)?;
    Ok(())
}

fn state(key: &ApiKey, now: DateTime<Utc>) -> &'static str {
    if key.revoked_at.is_some() {
        "revoked"
    } else if key.is_active(now) {
        "active"
    } else {
        "expired"
    }
}

async fn revoke(args: &RevokeArgs) -> Outcome {
    args.storage.log.init(Some("warn"))?;
    let ambient = Ambient::system();
    let store = compose::open_for_command(&args.storage, &ambient).await?;
    let mut tx = store.begin().await?;
    let wanted = args.key.trim().trim_end_matches('…');
    let keys = tx.list_all_api_keys().await?;
    let found: Vec<_> = keys
        .iter()
        .map(|(key, _)| key)
        .filter(|key| key.id.to_string() == wanted || key.prefix == wanted)
        .collect();
    let key = match found.as_slice() {
        [key] => *key,
        // What was typed is not repeated: it might be a whole token.
        [] => {
            return Err(Failure::new("there is no such API key")
                .hint("give the id or the beginning of the token as `keyway keys list` shows it"));
        }
        _ => {
            return Err(Failure::new("several keys begin like this")
                .hint("give the id, as `keyway keys list` shows it"));
        }
    };
    let revoked = tx
        .revoke_api_key(key.user_id, key.id, ambient.now())
        .await?;
    if revoked && let Some(user) = tx.find_user(key.user_id).await? {
        tx.insert_activity(&entry(&ambient, Action::ApiKeyRevoked, &user, key))
            .await?;
    }
    tx.commit().await?;
    store.close().await;
    output::line(if revoked {
        format!("revoked {}… ({})", key.prefix, key.id)
    } else {
        format!("{}… ({}) was revoked already", key.prefix, key.id)
    })?;
    Ok(())
}
