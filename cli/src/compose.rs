//! Builds the parts of a process from its settings.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use backon::{ExponentialBuilder, Retryable as _};
use keyway_api::{ApiOptions, ApiState};
use keyway_shared::ambient::Ambient;
use keyway_shared::config::{
    ApiSettings, Database, DatabaseUrl, Origin, ProvidersSettings, RedisSettings, WebhooksArgs,
    WorkerSettings, process_name, redact_url,
};
use keyway_shared::crypto::{CryptoError, FingerprintKey, KeyRing};
use keyway_shared::github::{GitHubSettings, Roles};
use keyway_shared::providers::registry::{ProviderSettings, Registry};
use keyway_shared::providers::{fly, netlify, railway, vercel};
use keyway_shared::queue::{Queue, RedisOptions, RedisQueue};
use keyway_shared::secret::Secret;
use keyway_shared::store::{Backend, Store, StoreError, StoreOptions};
use keyway_shared::telemetry;
use keyway_worker::{WorkerContext, WorkerOptions};
use metrics_exporter_prometheus::PrometheusHandle;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::args::{Storage, StorageArgs};
use crate::failure::{Failure, Outcome};
use crate::heartbeat::{self, Role};
use crate::process::Process;

/// How long a request or a job waits for a free connection.
const ACQUIRE: Duration = Duration::from_secs(5);
/// Readers of the embedded database; each costs memory, and none waits for long.
const SQLITE_READERS: u32 = 4;
/// How long one attempt to connect may take at the start.
const ATTEMPT: Duration = Duration::from_secs(3);

/// Why one attempt did not connect.
#[derive(Debug, thiserror::Error)]
enum Attempt {
    #[error("no answer within {} s", ATTEMPT.as_secs())]
    Timeout,
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Keys(#[from] CryptoError),
}

impl Attempt {
    fn may_pass(&self) -> bool {
        match self {
            Self::Timeout => true,
            Self::Store(error) => error.is_transient(),
            Self::Keys(_) => false,
        }
    }
}

/// Opens the database. One that does not answer is waited for, with a log line for each attempt,
/// until the start-up timeout.
pub(crate) async fn connect(
    database: &Database,
    keys: &Secret,
    ambient: &Ambient,
) -> Outcome<Store> {
    open(database, keys, ambient, false).await
}

/// The same, for looking only.
pub(crate) async fn inspect(
    database: &Database,
    keys: &Secret,
    ambient: &Ambient,
) -> Outcome<Store> {
    open(database, keys, ambient, true).await
}

async fn open(
    database: &Database,
    keys: &Secret,
    ambient: &Ambient,
    read_only: bool,
) -> Outcome<Store> {
    let options = StoreOptions {
        url: database.url.secret().expose().to_owned(),
        max_connections: if database.url.is_sqlite() {
            SQLITE_READERS
        } else {
            database.connections
        },
        acquire_timeout: ACQUIRE,
        read_only,
    };
    let attempt = || async {
        let ring = KeyRing::parse(keys.expose())?;
        let connecting = Store::connect(&options, ring, ambient.clone());
        match tokio::time::timeout(ATTEMPT, connecting).await {
            Ok(store) => store.map_err(Attempt::from),
            Err(_) => Err(Attempt::Timeout),
        }
    };
    let patience = ExponentialBuilder::default()
        .with_min_delay(Duration::from_millis(200))
        .with_max_delay(Duration::from_secs(2))
        .without_max_times();
    let trying = attempt
        .retry(patience)
        .when(Attempt::may_pass)
        .notify(|error, pause| {
            tracing::warn!(
                database = %database.url.redacted(),
                %error,
                retry_in_ms = pause.as_millis() as u64,
                "waiting for the database"
            );
        });
    let limit = database.startup_timeout;
    match tokio::time::timeout(limit, trying).await {
        Ok(Ok(store)) => Ok(store),
        Ok(Err(Attempt::Store(error))) => Err(refused(&database.url, error)),
        Ok(Err(Attempt::Keys(error))) => Err(Failure::usage(error.to_string())),
        Ok(Err(Attempt::Timeout)) | Err(_) => Err(Failure::new(format!(
            "the database at {} did not answer within {} s",
            database.url.redacted(),
            limit.as_secs_f32()
        ))
        .hint("start it, check DATABASE_URL, or wait longer with KEYWAY_STARTUP_TIMEOUT")),
    }
}

fn refused(url: &DatabaseUrl, error: StoreError) -> Failure {
    match error {
        StoreError::Database(cause) => Failure::new(format!(
            "the database at {} refused the connection: {cause}",
            url.redacted()
        ))
        .hint("check the user, the password and the database's name in DATABASE_URL"),
        other => other.into(),
    }
}

/// Opens a database whose schema somebody else has brought up to date.
pub(crate) async fn connect_migrated(
    database: &Database,
    keys: &Secret,
    ambient: &Ambient,
) -> Outcome<Store> {
    let store = connect(database, keys, ambient).await?;
    let pending = store.pending_migrations().await?;
    if pending.is_empty() {
        Ok(store)
    } else {
        Err(behind(&pending))
    }
}

/// Opens the database for a short command beside a running service. The embedded one, and a new one
/// of either kind, get their schema; an older schema on Postgres is left to `keyway migrate`.
pub(crate) async fn open_for_command(args: &StorageArgs, ambient: &Ambient) -> Outcome<Store> {
    let Storage { database, keys, .. } = args.prepare(ambient)?;
    let store = connect(&database, &keys, ambient).await?;
    let pending = store.pending_migrations().await?;
    let new = pending
        .first()
        .is_some_and(|first| first.starts_with("0001"));
    if !pending.is_empty() {
        if store.backend() == Backend::Postgres && !new {
            return Err(behind(&pending));
        }
        store.migrate().await?;
    }
    store.unlock().await?;
    Ok(store)
}

/// That the schema is older than this program.
pub(crate) fn behind(pending: &[String]) -> Failure {
    Failure::new(format!(
        "the database is {} migration(s) behind this version (next: {})",
        pending.len(),
        pending.first().map_or("", String::as_str)
    ))
    .hint("run `keyway migrate` first")
}

/// What the API and the worker of a process share.
#[derive(Clone)]
pub(crate) struct Parts {
    pub(crate) store: Store,
    pub(crate) queue: Queue,
    /// In GitHub mode.
    pub(crate) roles: Option<Arc<Roles>>,
    pub(crate) providers: Arc<Registry>,
    pub(crate) fingerprint_key: FingerprintKey,
    pub(crate) ambient: Ambient,
    pub(crate) metrics: PrometheusHandle,
    /// Unique for each start.
    pub(crate) name: String,
    /// Cancelled when the API has answered its last caller: until then completions are listened to.
    answered: CancellationToken,
    /// Cancelled when the worker has ended: from then on the process does not count as one.
    worked: CancellationToken,
}

impl Parts {
    /// Opens what the store holds under lock and key, and makes the bell and the clients. `answers`:
    /// callers wait in this process.
    pub(crate) async fn assemble(
        store: Store,
        redis: Option<(&RedisSettings, Duration)>,
        providers: &ProvidersSettings,
        github: Option<GitHubSettings>,
        ambient: Ambient,
        process: &Process,
        answers: bool,
    ) -> Outcome<Self> {
        let fingerprint_key = store.unlock().await?;
        let (store, roles) = match github {
            None => (store, None),
            Some(settings) => {
                let store = store.with_github_roles();
                let roles = Roles::new(&settings, store.clone(), ambient.clone())
                    .map_err(|error| Failure::new(error.to_string()))?;
                (store, Some(Arc::new(roles)))
            }
        };
        let name = process_name(&ambient);
        let answered = CancellationToken::new();
        let queue = match redis {
            None => Queue::local(),
            Some((redis, patience)) => {
                let connected = connect_redis(redis, patience).await?;
                // A worker listens for jobs that are to stop; when it stops itself it needs no more.
                let until = if answers {
                    answered.clone()
                } else {
                    process.lifecycle.soft.clone()
                };
                Queue::redis(connected, Some((&process.lifecycle.tracker, until)))
            }
        };
        let providers = Registry::new(&provider_settings(providers), ambient.clone())
            .map_err(|error| Failure::new(error.to_string()))?;
        let metrics = telemetry::init_metrics();
        let stop = process.lifecycle.soft.clone();
        let upkeep = keep_small(metrics.clone(), stop);
        process.lifecycle.tracker.spawn(upkeep);
        Ok(Self {
            store,
            queue,
            roles,
            providers: Arc::new(providers),
            fingerprint_key,
            ambient,
            metrics,
            name,
            answered,
            worked: CancellationToken::new(),
        })
    }

    /// Starts the API.
    pub(crate) fn start_api(
        &self,
        process: &mut Process,
        listener: TcpListener,
        settings: &ApiSettings,
        webhooks: WebhooksArgs,
        metrics: bool,
    ) -> Outcome<SocketAddr> {
        let bound = listener.local_addr()?;
        let limits = &settings.limits;
        let texts = |origins: &[Origin]| origins.iter().map(ToString::to_string).collect();
        let state = ApiState {
            store: self.store.clone(),
            queue: self.queue.clone(),
            roles: self.roles.clone(),
            providers: Arc::clone(&self.providers),
            ambient: self.ambient.clone(),
            lifecycle: process.lifecycle.clone(),
            metrics: self.metrics.clone(),
            options: Arc::new(ApiOptions {
                public_url: settings.public_origin(bound),
                redirect_origins: texts(&settings.redirect_origins),
                cors_origins: texts(&settings.cors_origins),
                cookie_domain: settings.cookie_domain.clone(),
                token_in_query: settings.token_in_query,
                trusted_proxies: settings.trusted_proxies.clone(),
                rate_limit: limits.rate_limit,
                address_rate_limit: limits.address_rate_limit,
                waits: limits.waits_per_credential,
                streams: limits.streams_per_credential,
                all_streams: limits.streams,
                connections: limits.connections,
                metrics_on_api: metrics,
                webhooks_allow_private: webhooks.webhooks_allow_private,
                ..ApiOptions::default()
            }),
        };
        let answered = self.answered.clone().drop_guard();
        process.start("API", async move {
            let _answered = answered;
            keyway_api::serve(listener, state).await
        });
        Ok(bound)
    }

    /// Runs the process, and shows until everything of it has ended that it lives, and its keys.
    pub(crate) async fn run(
        &self,
        process: Process,
        role: Role,
        ready: impl FnOnce() -> Outcome,
    ) -> Outcome {
        let tracker = process.lifecycle.tracker.clone();
        let ended = CancellationToken::new();
        let running = async {
            let _ended = ended.clone().drop_guard();
            process.run(ready).await
        };
        let showing = heartbeat::show(&self.store, &self.name, role, &self.worked, &ended);
        let (outcome, ()) = tokio::join!(running, showing);
        // What did not stop in time may write yet: such a process is left to grow old. One that is forgotten
        // beats no more: the worker's sweeper has ended with it.
        if tracker.is_empty() {
            heartbeat::forget(&self.store, &self.name).await;
        }
        outcome
    }

    /// Starts the worker.
    pub(crate) fn start_worker(
        &self,
        process: &mut Process,
        settings: &WorkerSettings,
        webhooks: WebhooksArgs,
        provider_timeout: Duration,
    ) {
        let context = WorkerContext {
            store: self.store.clone(),
            queue: self.queue.clone(),
            roles: self.roles.clone(),
            providers: Arc::clone(&self.providers),
            fingerprint_key: self.fingerprint_key.clone(),
            ambient: self.ambient.clone(),
            lifecycle: process.lifecycle.clone(),
            options: WorkerOptions {
                concurrency: settings.concurrency,
                lease: settings.lease,
                retention: settings.retention,
                provider_timeout,
                webhooks_allow_private: webhooks.webhooks_allow_private,
                ..WorkerOptions::default()
            },
            name: self.name.clone(),
        };
        let worked = self.worked.clone().drop_guard();
        process.start("worker", async move {
            let _worked = worked;
            keyway_worker::run(context).await;
            Ok::<(), Infallible>(())
        });
    }
}

fn provider_settings(settings: &ProvidersSettings) -> ProviderSettings {
    let oauth = settings.vercel.oauth.as_ref();
    let netlify = settings.netlify.oauth.as_ref();
    let railway = settings.railway.oauth.as_ref();
    ProviderSettings {
        timeout: settings.timeout,
        vercel: vercel::VercelSettings {
            api_url: settings.vercel.api_url.to_string(),
            web_url: settings.vercel.web_url.to_string(),
            client_id: oauth.map(|oauth| oauth.client_id.clone()),
            client_secret: oauth.map(|oauth| oauth.client_secret.clone()),
            integration_slug: oauth.map(|oauth| oauth.slug.clone()),
        },
        netlify: netlify::NetlifySettings {
            api_url: settings.netlify.api_url.to_string(),
            web_url: settings.netlify.web_url.to_string(),
            client_id: netlify.map(|oauth| oauth.id.clone()),
            client_secret: netlify.map(|oauth| oauth.secret.clone()),
        },
        railway: railway::RailwaySettings {
            api_url: settings.railway.api_url.to_string(),
            web_url: settings.railway.web_url.to_string(),
            client_id: railway.map(|oauth| oauth.id.clone()),
            client_secret: railway.map(|oauth| oauth.secret.clone()),
        },
        fly: fly::FlySettings {
            api_url: settings.fly.api_url.to_string(),
        },
    }
}

async fn connect_redis(redis: &RedisSettings, patience: Duration) -> Outcome<RedisQueue> {
    let options = RedisOptions {
        url: redis.url.clone(),
        prefix: redis.prefix.clone(),
        startup_timeout: patience,
    };
    RedisQueue::connect(&options).await.map_err(|error| {
        Failure::new(format!(
            "Redis at {} cannot be used: {}",
            redact_url(&redis.url),
            error.category()
        ))
        .hint("start it, check REDIS_URL, or wait longer with KEYWAY_STARTUP_TIMEOUT")
    })
}

/// Takes the address before anything is started, so that a port in use shows at once.
pub(crate) async fn bind(variable: &str, address: SocketAddr) -> Outcome<TcpListener> {
    TcpListener::bind(address).await.map_err(|error| {
        Failure::new(format!("cannot listen on {address}: {error}"))
            .hint(format!("choose another address with {variable}"))
    })
}

/// Serves `/metrics` alone on an address of its own. `queue`: what it shows of the queue, which is the
/// same for the whole installation, is for the processes of the API to tell.
pub(crate) async fn start_metrics(
    process: &mut Process,
    parts: &Parts,
    address: SocketAddr,
    queue: bool,
) -> Outcome {
    let listener = bind("KEYWAY_METRICS_LISTEN", address).await?;
    tracing::info!(address = %listener.local_addr()?, "metrics on an address of their own");
    let (store, metrics) = (parts.store.clone(), parts.metrics.clone());
    let show = move || async move {
        if queue {
            keyway_api::metrics_text(&store, &metrics).await
        } else {
            metrics.render()
        }
    };
    let router = axum::Router::new().route("/metrics", axum::routing::get(show));
    let soft = process.lifecycle.soft.clone();
    process.start("metrics listener", async move {
        axum::serve(listener, router)
            .with_graceful_shutdown(async move { soft.cancelled().await })
            .await
    });
    Ok(())
}

/// Folds what was measured into buckets, also where nobody ever asks for it: until then each
/// measurement is kept.
async fn keep_small(metrics: PrometheusHandle, stop: CancellationToken) {
    let mut ticks = tokio::time::interval(Duration::from_secs(5));
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = ticks.tick() => metrics.run_upkeep(),
        }
    }
}
