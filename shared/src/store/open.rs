//! Opening the database.

use std::borrow::Cow;
use std::fmt;
use std::path::Path;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use sqlx::migrate::Migrator;
use sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions};
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous,
};
use sqlx::{Connection, Executor};

use super::processes::ALIVE_WITHIN;
use super::tx::{Conn, Context, SqliteCommit, Unit};
use super::write_ahead_log::WriteAheadLog;
use super::{StoreError, Tx};
use crate::ambient::Ambient;
use crate::crypto::{FingerprintKey, KeyRing};

static POSTGRES: Migrator = sqlx::migrate!("../migrations/postgres");
static SQLITE: Migrator = sqlx::migrate!("../migrations/sqlite");

/// A connection that was idle for longer is asked whether it lives before it is handed out; asking
/// each time would cost a round trip per unit of work. After a restart of the server it is also how
/// long units of work fail, one for each connection of before.
const TRUSTED_IDLE: Duration = Duration::from_secs(1);
/// How long SQLite waits for another process, such as a short command, to finish writing.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// Which database it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Backend {
    /// Shared by any number of processes.
    Postgres,
    /// A file of one process.
    Sqlite,
}

/// Where the database is and how it is used.
#[derive(Clone)]
pub struct StoreOptions {
    /// `sqlite://path` or `postgres://…`. May hold a password.
    pub url: String,
    /// Most connections at once; on SQLite most readers.
    pub max_connections: u32,
    /// How long a unit of work waits for one.
    pub acquire_timeout: Duration,
    /// Nothing can be written, and a file that is not there is not made.
    pub read_only: bool,
}

impl fmt::Debug for StoreOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StoreOptions")
            .field("url", &"…")
            .field("max_connections", &self.max_connections)
            .field("acquire_timeout", &self.acquire_timeout)
            .field("read_only", &self.read_only)
            .finish()
    }
}

#[derive(Debug, Clone)]
enum Pools {
    Postgres(PgPool),
    Sqlite {
        /// One connection: units of work that write queue for it in order of arrival.
        writer: SqlitePool,
        /// Connections that cannot write.
        readers: SqlitePool,
        log: Arc<WriteAheadLog>,
    },
}

/// The database. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Store {
    pools: Pools,
    context: Context,
}

impl Store {
    /// Opens the database, and makes the file of an SQLite one unless it is to be read only. Does not
    /// migrate.
    pub async fn connect(
        options: &StoreOptions,
        ring: KeyRing,
        ambient: Ambient,
    ) -> Result<Self, StoreError> {
        let pools = match options.url.split_once(':') {
            Some(("postgres" | "postgresql", _)) => postgres(options).await?,
            Some(("sqlite", _)) => sqlite(options).await?,
            _ => return Err(unusable("it must begin with sqlite: or postgres:")),
        };
        let context = Context {
            ring: Arc::new(ring),
            ambient,
            manual_time: false,
            github_roles: false,
        };
        Ok(Self { pools, context })
    }

    /// Roles are those that GitHub told, for as long as they count, instead of those that admins of
    /// vaults gave.
    #[must_use]
    pub fn with_github_roles(mut self) -> Self {
        self.context.github_roles = true;
        self
    }

    /// For tests: on Postgres too, [`Tx::now`] is the ambient clock's.
    #[must_use]
    pub fn with_manual_time(mut self) -> Self {
        self.context.manual_time = true;
        self
    }

    /// Id of the key that new rows are sealed with.
    pub fn active_key_id(&self) -> &str {
        self.context.ring.active_id()
    }

    /// Ids of all keys of the ring, that one first.
    pub fn key_ids(&self) -> impl Iterator<Item = &str> {
        self.context.ring.ids()
    }

    /// Which database it is.
    pub fn backend(&self) -> Backend {
        match self.pools {
            Pools::Postgres(_) => Backend::Postgres,
            Pools::Sqlite { .. } => Backend::Sqlite,
        }
    }

    /// Brings the schema up to date, under a lock: an advisory one on Postgres, the only writing
    /// connection on SQLite. A database that these keys do not open is left as it is: see
    /// [`Store::check_keys`].
    pub async fn migrate(&self) -> Result<(), StoreError> {
        self.check_keys().await?;
        match &self.pools {
            Pools::Postgres(pool) => POSTGRES.run(pool).await,
            Pools::Sqlite { writer, .. } => SQLITE.run(writer).await,
        }
        .map_err(|error| StoreError::Migrate(Box::new(error)))?;
        // What is committed next takes the migrations to the disk on SQLite.
        self.begin().await?.commit().await
    }

    /// The names of the migrations that have not been run here.
    pub async fn pending_migrations(&self) -> Result<Vec<String>, StoreError> {
        const APPLIED: &str = "SELECT version FROM _sqlx_migrations WHERE success";
        let (known, applied) = match &self.pools {
            Pools::Postgres(pool) => (
                &POSTGRES,
                sqlx::query_scalar::<_, i64>(APPLIED).fetch_all(pool).await,
            ),
            Pools::Sqlite { writer, .. } => (
                &SQLITE,
                sqlx::query_scalar::<_, i64>(APPLIED)
                    .fetch_all(writer)
                    .await,
            ),
        };
        let applied = match applied {
            Ok(applied) => applied,
            Err(error) if is_missing_table(&error) => Vec::new(),
            Err(error) => return Err(error.into()),
        };
        Ok(known
            .iter()
            .filter(|migration| !applied.contains(&migration.version))
            .map(|migration| {
                let description = migration.description.replace(' ', "_");
                format!("{:04}_{description}", migration.version)
            })
            .collect())
    }

    /// How many processes have shown themselves lately, by the clock they do it by: none where the schema knows
    /// of none.
    pub async fn running_processes(&self) -> Result<i64, StoreError> {
        let mut tx = self.begin_read().await?;
        let since = tx.now().await? - ALIVE_WITHIN;
        let workers = match tx.live_processes("worker", since).await {
            Err(StoreError::Database(error)) if is_missing_table(&error) => return Ok(0),
            workers => workers?,
        };
        Ok(workers + tx.live_processes("api", since).await?)
    }

    /// Loads the key of fingerprints, or makes it at the first start.
    ///
    /// [`StoreError::WrongKey`] when the ring has a key of the right id that does not open it,
    /// [`StoreError::UnknownKey`] when the ring has no key of that id.
    pub async fn unlock(&self) -> Result<FingerprintKey, StoreError> {
        let mut tx = self.begin().await?;
        let key = tx.fingerprint_key().await?;
        tx.commit().await?;
        Ok(key)
    }

    /// Whether the keys open what was sealed in this database first. Only reads. `false`: it has no
    /// schema, or was never started with. The errors are those of [`Store::unlock`].
    pub async fn check_keys(&self) -> Result<bool, StoreError> {
        let mut tx = self.begin_read().await?;
        match tx.check_keys().await {
            Err(StoreError::Database(error)) if is_missing_table(&error) => Ok(false),
            checked => checked,
        }
    }

    /// Whether the database answers.
    pub async fn ping(&self) -> Result<(), StoreError> {
        match &self.pools {
            Pools::Postgres(pool) => pool.acquire().await?.ping().await?,
            // A reader: the writer may be busy for long, which is not the same as being away.
            Pools::Sqlite { readers, log, .. } => {
                check(log)?;
                readers.acquire().await?.ping().await?;
            }
        }
        Ok(())
    }

    /// Begins a unit of work that may write. On SQLite it has the only writing connection: units of
    /// work queue for it in order of arrival.
    pub async fn begin(&self) -> Result<Tx, StoreError> {
        match &self.pools {
            Pools::Postgres(pool) => Ok(self.tx(begin_postgres(pool, None).await?)),
            Pools::Sqlite { writer, log, .. } => {
                let conn = begin_sqlite(writer, log, IMMEDIATE).await?;
                Ok(self.writing(conn, log, true))
            }
        }
    }

    /// Begins a unit of work whose commit is not waited for to reach the disk. It is seen at once, and
    /// a crash of this process does not lose it; a failure of power or a crash of Postgres may. The
    /// next commit that is waited for, by anyone, takes it to the disk as well. So a claim may be
    /// fleeting where a lasting record that rests on it precedes whatever cannot be taken back.
    pub async fn begin_fleeting(&self) -> Result<Tx, StoreError> {
        const POSTGRES: &str = "BEGIN; SET LOCAL synchronous_commit = off";
        match &self.pools {
            Pools::Postgres(pool) => Ok(self.tx(begin_postgres(pool, Some(POSTGRES)).await?)),
            Pools::Sqlite { writer, log, .. } => {
                let conn = begin_sqlite(writer, log, IMMEDIATE).await?;
                Ok(self.writing(conn, log, false))
            }
        }
    }

    /// The same for a single statement, which has to say itself that it is fleeting on Postgres, as
    /// [`Tx::claim_job`] does.
    pub async fn begin_fleeting_statement(&self) -> Result<Tx, StoreError> {
        self.begin_statement_that(false).await
    }

    /// Begins a unit of work of a single statement that may write. It is done when the statement is;
    /// [`Tx::commit`] then gives the connection back, and on SQLite waits for the disk. Which calls make
    /// one statement, they say.
    pub async fn begin_statement(&self) -> Result<Tx, StoreError> {
        self.begin_statement_that(true).await
    }

    async fn begin_statement_that(&self, lasts: bool) -> Result<Tx, StoreError> {
        match &self.pools {
            Pools::Postgres(pool) => {
                let conn = Conn::Postgres(Unit::Statement(pool.acquire().await?));
                Ok(self.tx(conn))
            }
            Pools::Sqlite { writer, log, .. } => {
                check(log)?;
                let conn = Conn::Sqlite(Unit::Statement(writer.acquire().await?));
                Ok(self.writing(conn, log, lasts))
            }
        }
    }

    /// The same, for one that only reads.
    pub async fn begin_read_statement(&self) -> Result<Tx, StoreError> {
        match &self.pools {
            Pools::Postgres(_) => self.begin_fleeting_statement().await,
            Pools::Sqlite { readers, log, .. } => {
                check(log)?;
                let conn = Conn::Sqlite(Unit::Statement(readers.acquire().await?));
                Ok(self.tx(conn))
            }
        }
    }

    /// Begins a unit of work that only reads, all of it from one moment.
    pub async fn begin_read(&self) -> Result<Tx, StoreError> {
        const SNAPSHOT: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";
        let conn = match &self.pools {
            Pools::Postgres(pool) => begin_postgres(pool, Some(SNAPSHOT)).await?,
            Pools::Sqlite { readers, log, .. } => begin_sqlite(readers, log, "BEGIN").await?,
        };
        Ok(self.tx(conn))
    }

    /// Returns when what could be read before the call lasts: to be waited for before others are told
    /// of what they will rely on. Postgres shows no commit before it lasts, but fleeting ones; on SQLite
    /// there is something to wait for only if there was a commit since the last wait.
    pub async fn settle_on_disk(&self) -> Result<(), StoreError> {
        if let Pools::Sqlite { log, .. } = &self.pools {
            log.sync().await.map_err(sqlx::Error::Io)?;
        }
        Ok(())
    }

    /// Waits for the connections to come back and closes them.
    pub async fn close(&self) {
        match &self.pools {
            Pools::Postgres(pool) => pool.close().await,
            Pools::Sqlite {
                writer, readers, ..
            } => {
                // Readers first: the last connection to go, the writer, folds the log into the file.
                readers.close().await;
                writer.close().await;
            }
        }
    }

    fn tx(&self, conn: Conn) -> Tx {
        Tx {
            conn,
            context: self.context.clone(),
            commit: None,
            now: None,
        }
    }

    /// One of SQLite's writer, which is held by now.
    fn writing(&self, conn: Conn, log: &Arc<WriteAheadLog>, lasts: bool) -> Tx {
        let commits_itself = matches!(conn, Conn::Sqlite(Unit::Statement(_)));
        Tx {
            commit: Some(SqliteCommit {
                number: commits_itself.then(|| log.begin_commit()),
                log: Arc::clone(log),
                lasts,
            }),
            ..self.tx(conn)
        }
    }
}

fn check(log: &WriteAheadLog) -> Result<(), sqlx::Error> {
    log.check().map_err(sqlx::Error::Io)
}

/// Takes SQLite's lock for writing at the beginning: a later wish for it might come too late.
const IMMEDIATE: &str = "BEGIN IMMEDIATE";

async fn begin_sqlite(
    pool: &SqlitePool,
    log: &WriteAheadLog,
    statement: &'static str,
) -> Result<Conn, sqlx::Error> {
    check(log)?;
    let tx = pool.begin_with(statement).await?;
    Ok(Conn::Sqlite(Unit::Transaction(tx)))
}

/// Begins a transaction. Callers may be given up at any moment: a request whose client went away, a
/// renewal when the job has ended. A `BEGIN` that is given up between question and answer leaves its
/// connection in a transaction that sqlx does not know of; whoever gets the connection next would
/// write into it, and nobody would commit. So a task of its own sees it through, and rolls back
/// what nobody waits for any more.
#[expect(
    clippy::disallowed_methods,
    reason = "it lasts as long as one round trip, and has nothing to hand back at the end"
)]
async fn begin_postgres(
    pool: &PgPool,
    statement: Option<&'static str>,
) -> Result<Conn, sqlx::Error> {
    let pool = pool.clone();
    let beginning = tokio::spawn(async move {
        match statement {
            None => pool.begin().await,
            Some(statement) => pool.begin_with(statement).await,
        }
    });
    let begun = beginning.await.map_err(|_| sqlx::Error::WorkerCrashed)?;
    Ok(Conn::Postgres(Unit::Transaction(begun?)))
}

/// Of every session; not as start-up parameters, which poolers in between refuse. Each statement is
/// prepared once and fits one plan whatever its parameters: planning it again took a third of the
/// server's time for a job.
const SETTINGS: &str = "SET plan_cache_mode = force_generic_plan";

async fn postgres(options: &StoreOptions) -> Result<Pools, StoreError> {
    let connect = PgConnectOptions::from_str(&options.url)
        .map_err(|error| unusable(error.to_string()))?
        .application_name("keyway");
    let read_only = options.read_only;
    let pool = PgPoolOptions::new()
        .max_connections(options.max_connections)
        .acquire_timeout(options.acquire_timeout)
        .test_before_acquire(false)
        .after_connect(move |connection, _| {
            Box::pin(async move {
                super::nodelay::send_at_once();
                connection.execute(SETTINGS).await?;
                if read_only {
                    connection
                        .execute("SET default_transaction_read_only = on")
                        .await?;
                }
                Ok(())
            })
        })
        .before_acquire(|connection, meta| {
            Box::pin(async move {
                if meta.idle_for > TRUSTED_IDLE {
                    connection.ping().await?;
                }
                Ok(true)
            })
        })
        .connect_with(connect)
        .await?;
    Ok(Pools::Postgres(pool))
}

async fn sqlite(options: &StoreOptions) -> Result<Pools, StoreError> {
    let connect = SqliteConnectOptions::from_str(&options.url)
        .map_err(|error| unusable(error.to_string()))?;
    let file = connect.get_filename().to_path_buf();
    if options.url.contains(":memory:") || options.url.contains("mode=memory") {
        return Err(unusable(
            "a database in memory would be lost with the process",
        ));
    }
    let connect = connect
        .foreign_keys(true)
        .busy_timeout(BUSY_TIMEOUT)
        // Whoever needs a commit to last waits for that himself: see `write_ahead_log`.
        .synchronous(SqliteSynchronous::Normal);
    if options.read_only {
        let readers = sqlite_readers(options, connect).await?;
        let writer = readers.clone();
        return Ok(Pools::Sqlite {
            writer,
            readers,
            log: Arc::new(WriteAheadLog::of(&file)),
        });
    }
    let cannot_be_made = |error| unusable(format!("{} cannot be made: {error}", file.display()));
    make_private(&file).await.map_err(cannot_be_made)?;
    let file = tokio::fs::canonicalize(&file)
        .await
        .map_err(cannot_be_made)?;
    let log = Arc::new(WriteAheadLog::of(&file));
    // The writer first: it sets the journal mode, which the readers may not.
    let writer = SqlitePoolOptions::new()
        .min_connections(1)
        .max_connections(1)
        .idle_timeout(None)
        .max_lifetime(None)
        .test_before_acquire(false)
        .acquire_timeout(options.acquire_timeout)
        .connect_with(connect.clone().journal_mode(SqliteJournalMode::Wal))
        .await?;
    // Some file systems cannot have one, which SQLite makes no error of.
    let mode: String = sqlx::query_scalar("PRAGMA journal_mode")
        .fetch_one(&writer)
        .await?;
    if mode != "wal" {
        return Err(unusable("its file system cannot keep a write-ahead log"));
    }
    let readers = sqlite_readers(options, connect).await?;
    Ok(Pools::Sqlite {
        writer,
        readers,
        log,
    })
}

async fn sqlite_readers(
    options: &StoreOptions,
    connect: SqliteConnectOptions,
) -> Result<SqlitePool, sqlx::Error> {
    SqlitePoolOptions::new()
        .max_connections(options.max_connections)
        .test_before_acquire(false)
        .acquire_timeout(options.acquire_timeout)
        .connect_with(connect.pragma("query_only", "ON"))
        .await
}

/// Makes the file, readable by its owner only, before SQLite would make it readable by all. Its log
/// and index get the same mode from SQLite.
async fn make_private(file: &Path) -> std::io::Result<()> {
    if let Some(folder) = file.parent().filter(|path| !path.as_os_str().is_empty()) {
        let mut builder = tokio::fs::DirBuilder::new();
        builder.recursive(true).mode(0o700);
        builder.create(folder).await?;
    }
    let mut options = tokio::fs::OpenOptions::new();
    options.write(true).create_new(true).mode(0o600);
    match options.open(file).await {
        Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => Err(error),
        _ => Ok(()),
    }
}

fn unusable(reason: impl Into<Cow<'static, str>>) -> StoreError {
    StoreError::Url {
        reason: reason.into().into_owned(),
    }
}

fn is_missing_table(error: &sqlx::Error) -> bool {
    error.as_database_error().is_some_and(|error| {
        error.code().as_deref() == Some("42P01") || error.message().starts_with("no such table")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn only_fleeting_units_of_work_do_not_wait_for_the_disk() {
        let folder = tempfile::tempdir().unwrap();
        let options = StoreOptions {
            url: format!("sqlite://{}/keyway.db", folder.path().display()),
            max_connections: 1,
            acquire_timeout: Duration::from_secs(5),
            read_only: false,
        };
        let ring = KeyRing::generate(&Ambient::system()).0;
        let store = Store::connect(&options, ring, Ambient::system())
            .await
            .unwrap();
        store.migrate().await.unwrap();
        let Pools::Sqlite { log, .. } = &store.pools else {
            panic!("SQLite")
        };
        let waited = async |tx: Tx| {
            let before = log.syncs();
            tx.commit().await.unwrap();
            log.syncs() - before
        };
        assert_eq!(waited(store.begin().await.unwrap()).await, 1);
        assert_eq!(waited(store.begin_statement().await.unwrap()).await, 1);
        assert_eq!(waited(store.begin_fleeting().await.unwrap()).await, 0);
        let fleeting = store.begin_fleeting_statement().await.unwrap();
        assert_eq!(waited(fleeting).await, 0);
        assert_eq!(waited(store.begin_read().await.unwrap()).await, 0);
        let read = store.begin_read_statement().await.unwrap();
        assert_eq!(waited(read).await, 0);
        store.close().await;
    }
}
