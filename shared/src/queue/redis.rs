//! The bell over Redis: one list for each class, and one channel for signals. Whoever waits for a job
//! may be in any process, and there may be several: a signal is sixteen bytes, and each process looks
//! it up among its own waiters.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use ::redis::aio::{ConnectionManager, ConnectionManagerConfig, MultiplexedConnection};
use ::redis::{AsyncConnectionConfig, Client, RedisError};
use backon::{ExponentialBuilder, Retryable};
use futures::StreamExt;
use tokio::sync::Mutex;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::Waiters;
use crate::domain::job::JobClass;
use crate::secret::Secret;

/// How long a ring may hold up the request that makes it.
const RING_WITHIN: Duration = Duration::from_millis(500);
/// How long Redis holds a pop that finds nothing.
const POP_SERVER: f64 = 2.0;
/// When a pop without an answer is given up: a half-open connection must not swallow ids for long.
const POP_CLIENT: Duration = Duration::from_secs(5);
/// The oldest rings beyond this are forgotten; the sweeper finds their jobs in SQL.
const CAPACITY: isize = 100_000;

/// Where Redis is and what names we use there.
#[derive(Debug, Clone)]
pub struct RedisOptions {
    /// `redis://…`; may bear a password.
    pub url: Secret,
    /// Comes before every key and channel.
    pub prefix: String,
    /// How long to keep trying at the start.
    pub startup_timeout: Duration,
}

/// A connection for short commands, and one for each list that blocks on it.
#[derive(Clone)]
pub struct RedisQueue(Arc<Inner>);

struct Inner {
    client: Client,
    commands: ConnectionManager,
    poppers: [Mutex<Option<MultiplexedConnection>>; 2],
    prefix: String,
    /// So that an outage is told once, and its end too.
    up: AtomicBool,
}

impl fmt::Debug for RedisQueue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisQueue")
            .field("prefix", &self.0.prefix)
            .finish_non_exhaustive()
    }
}

impl RedisQueue {
    /// Connects, and keeps trying until the start-up timeout.
    pub async fn connect(options: &RedisOptions) -> Result<Self, RedisError> {
        let client = Client::open(options.url.expose())?;
        let config = ConnectionManagerConfig::new()
            .set_number_of_retries(1)
            .set_max_delay(Duration::from_millis(500))
            .set_connection_timeout(Some(Duration::from_secs(1)))
            .set_response_timeout(Some(RING_WITHIN));
        let commands =
            (|| async { ConnectionManager::new_with_config(client.clone(), config.clone()).await })
                .retry(
                    ExponentialBuilder::default()
                        .with_min_delay(Duration::from_millis(200))
                        .with_max_delay(Duration::from_secs(2))
                        .without_max_times()
                        .with_total_delay(Some(options.startup_timeout)),
                )
                .notify(|error: &RedisError, pause| {
                    tracing::warn!(
                        error = %error.category(),
                        retry_in_ms = pause.as_millis() as u64,
                        "waiting for Redis"
                    );
                })
                .await?;
        Ok(Self(Arc::new(Inner {
            client,
            commands,
            poppers: Default::default(),
            prefix: options.prefix.clone(),
            up: AtomicBool::new(true),
        })))
    }

    /// A handle of the connection for short commands.
    pub(super) fn connection(&self) -> ConnectionManager {
        self.0.commands.clone()
    }

    /// What comes before every key.
    pub(super) fn prefix(&self) -> &str {
        &self.0.prefix
    }

    pub(super) async fn ring(&self, ids: &[Uuid], class: JobClass) {
        if ids.is_empty() {
            return;
        }
        let key = self.list(class);
        let ids: Vec<&[u8]> = ids.iter().map(|id| id.as_bytes().as_slice()).collect();
        let mut pipe = ::redis::pipe();
        pipe.lpush(&key, ids).ignore();
        pipe.ltrim(&key, 0, CAPACITY - 1).ignore();
        self.send(&pipe).await;
    }

    pub(super) async fn announce(&self, ids: &[Uuid]) {
        if ids.is_empty() {
            return;
        }
        let mut pipe = ::redis::pipe();
        for id in ids {
            pipe.publish(self.channel(), id.as_bytes()).ignore();
        }
        self.send(&pipe).await;
    }

    async fn send(&self, pipe: &::redis::Pipeline) {
        let mut connection = self.0.commands.clone();
        let done = tokio::time::timeout(RING_WITHIN, pipe.query_async::<()>(&mut connection)).await;
        self.note(matches!(done, Ok(Ok(()))));
    }

    pub(super) async fn ping(&self, within: Duration) -> bool {
        let mut connection = self.0.commands.clone();
        let ping = ::redis::cmd("PING");
        let pong = tokio::time::timeout(within, ping.query_async::<()>(&mut connection)).await;
        let up = matches!(pong, Ok(Ok(())));
        self.note(up);
        up
    }

    /// Pops with the oldest ring first.
    pub(super) async fn pop(&self, class: JobClass) -> Option<Uuid> {
        let mut popper = self.0.poppers[class as usize].lock().await;
        let mut connection = match popper.take() {
            Some(connection) => connection,
            None => self.blocking_connection().await?,
        };
        let mut command = ::redis::cmd("BRPOP");
        command.arg(self.list(class)).arg(POP_SERVER);
        let popped = tokio::time::timeout(
            POP_CLIENT,
            command.query_async::<Option<(String, Vec<u8>)>>(&mut connection),
        )
        .await;
        // Only a connection that answered is used again.
        let Ok(Ok(answer)) = popped else {
            self.note(false);
            pause().await;
            return None;
        };
        *popper = Some(connection);
        self.note(true);
        let (_, id) = answer?;
        Uuid::from_slice(&id).ok()
    }

    /// Passes signals to the waiters of this process, for as long as it runs.
    pub(super) async fn listen(&self, waiters: &Waiters, stop: CancellationToken) {
        while !stop.is_cancelled() {
            let told = tokio::select! {
                () = stop.cancelled() => return,
                told = self.subscribe(waiters) => told,
            };
            self.note(told.is_ok());
            pause().await;
        }
    }

    async fn subscribe(&self, waiters: &Waiters) -> Result<(), RedisError> {
        let mut pubsub = self.0.client.get_async_pubsub().await?;
        pubsub.subscribe(self.channel()).await?;
        // Signals that came while nobody listened are lost: let every waiter read its row.
        waiters.notify_all();
        let mut messages = pubsub.on_message();
        while let Some(message) = messages.next().await {
            if let Ok(id) = Uuid::from_slice(message.get_payload_bytes()) {
                waiters.notify(id);
            }
        }
        Ok(())
    }

    async fn blocking_connection(&self) -> Option<MultiplexedConnection> {
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(Duration::from_secs(1)))
            .set_response_timeout(None);
        let connection = self
            .0
            .client
            .get_multiplexed_async_connection_with_config(&config)
            .await;
        self.note(connection.is_ok());
        if connection.is_err() {
            pause().await;
        }
        connection.ok()
    }

    fn list(&self, class: JobClass) -> String {
        format!("{}bell:{class}", self.0.prefix)
    }

    fn channel(&self) -> String {
        format!("{}jobs", self.0.prefix)
    }

    pub(super) fn note(&self, up: bool) {
        metrics::gauge!("keyway_redis_up").set(if up { 1.0 } else { 0.0 });
        if self.0.up.swap(up, Ordering::Relaxed) != up {
            if up {
                tracing::info!("Redis is back");
            } else {
                tracing::warn!(
                    "Redis does not answer; jobs start with the sweeper until it is back"
                );
            }
        }
    }
}

/// Between attempts to reach a Redis that is away.
#[expect(
    clippy::disallowed_methods,
    reason = "a pause between reconnects, not job logic; nothing is lost if it is cut short"
)]
async fn pause() {
    tokio::time::sleep(Duration::from_millis(250)).await;
}
