//! A database of its own for each test, of either kind.
//!
//! SQLite: a file in a folder of its own. Postgres: a copy of a template that the first test to need
//! it migrates; `TEST_DATABASE_URL` names the server (default: the local one) and a role that may
//! create databases. A server that cannot be reached fails the test: nothing is ever skipped.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};
use keyway_shared::ambient::Ambient;
use keyway_shared::crypto::KeyRing;
use keyway_shared::store::{Store, StoreOptions};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection, SqliteConnection};
use tempfile::TempDir;

/// The key ring of the tests. Its key protects nothing.
pub const TEST_RING: &str = "test:000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";

const DEFAULT_SERVER: &str = "postgres://postgres@127.0.0.1:5432/postgres";
/// Test processes create databases one after another.
const LOCK: i64 = 0x6b77_7465_7374;

/// The two ways of running.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Profile {
    /// SQLite and the in-process bell.
    Embedded,
    /// Postgres and Redis.
    Production,
}

/// Where Redis is; set by `tests/run`.
pub fn redis_url() -> String {
    environment("TEST_REDIS_URL").unwrap_or_else(|| "redis://127.0.0.1:6379".to_owned())
}

fn server_url() -> String {
    environment("TEST_DATABASE_URL").unwrap_or_else(|| DEFAULT_SERVER.to_owned())
}

#[expect(
    clippy::disallowed_methods,
    reason = "where tests find their servers is told by tests/run"
)]
fn environment(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// A database that goes away with this value.
#[derive(Debug)]
pub struct Database {
    url: String,
    kind: Kind,
}

#[derive(Debug)]
enum Kind {
    Sqlite { folder: TempDir },
    Postgres { server: String, name: String },
}

impl Database {
    /// Creates one. An SQLite file is not there yet; a Postgres database has its schema.
    ///
    /// # Panics
    /// When the server cannot be reached: a profile is never left out.
    pub async fn create(profile: Profile) -> Self {
        match profile {
            Profile::Embedded => Self::sqlite(),
            Profile::Production => Self::postgres(true).await.expect("a database"),
        }
    }

    /// Creates one without a schema.
    ///
    /// # Panics
    /// When the server cannot be reached: a profile is never left out.
    pub async fn create_empty(profile: Profile) -> Self {
        match profile {
            Profile::Embedded => Self::sqlite(),
            Profile::Production => Self::postgres(false).await.expect("a database"),
        }
    }

    /// Its address.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// What [`Store::connect`] needs.
    pub fn options(&self) -> StoreOptions {
        StoreOptions {
            url: self.url.clone(),
            max_connections: 10,
            acquire_timeout: Duration::from_secs(30),
            read_only: false,
        }
    }

    /// Opens it, with the schema in place.
    ///
    /// # Panics
    /// When that does not work.
    pub async fn open(&self, ambient: Ambient) -> Store {
        let store = self.open_bare(ambient).await;
        store.migrate().await.expect("migrates");
        store
    }

    /// Opens it as it is.
    ///
    /// # Panics
    /// When that does not work.
    pub async fn open_bare(&self, ambient: Ambient) -> Store {
        Store::connect(&self.options(), ring(), ambient)
            .await
            .expect("opens")
    }

    /// Changes it past the program.
    ///
    /// # Panics
    /// When it cannot be done.
    pub async fn execute(&self, sql: &str) {
        self.attempt(sql).await.expect("a statement");
    }

    /// Tries to change it past the program.
    pub async fn attempt(&self, sql: &str) -> Result<(), sqlx::Error> {
        let sql = AssertSqlSafe(sql.to_owned());
        match self.kind {
            Kind::Sqlite { .. } => {
                let mut connection = self.sqlite_connection().await;
                connection.execute(sql).await?;
                connection.close().await
            }
            Kind::Postgres { .. } => {
                let mut connection = self.postgres_connection().await;
                connection.execute(sql).await?;
                connection.close().await
            }
        }
    }

    /// Looks up one number in it past the program.
    ///
    /// # Panics
    /// When it cannot be done.
    pub async fn number(&self, sql: &str) -> i64 {
        let sql = AssertSqlSafe(sql.to_owned());
        match self.kind {
            Kind::Sqlite { .. } => {
                let mut connection = self.sqlite_connection().await;
                sqlx::query_scalar(sql).fetch_one(&mut connection).await
            }
            Kind::Postgres { .. } => {
                let mut connection = self.postgres_connection().await;
                sqlx::query_scalar(sql).fetch_one(&mut connection).await
            }
        }
        .expect("a number")
    }

    /// All that it holds, as one text: every row of every table. Bytes are hexadecimal digits, or as
    /// they are.
    ///
    /// # Panics
    /// When it cannot be read.
    pub async fn dump(&self) -> String {
        match &self.kind {
            Kind::Sqlite { folder } => {
                let mut dump = String::new();
                for file in std::fs::read_dir(folder).expect("the folder") {
                    let bytes = std::fs::read(file.expect("a file").path()).expect("a file");
                    dump.push_str(&String::from_utf8_lossy(&bytes));
                }
                dump
            }
            Kind::Postgres { .. } => {
                let mut connection = self.postgres_connection().await;
                let tables: Vec<String> = sqlx::query_scalar(
                    "SELECT tablename::text FROM pg_tables WHERE schemaname = 'public'",
                )
                .fetch_all(&mut connection)
                .await
                .expect("tables");
                let mut dump = String::new();
                for table in tables {
                    let rows: Vec<String> = sqlx::query_scalar(AssertSqlSafe(format!(
                        "SELECT t::text FROM \"{table}\" t"
                    )))
                    .fetch_all(&mut connection)
                    .await
                    .expect("rows");
                    for row in rows {
                        dump.extend([table.as_str(), ": ", &row, "\n"]);
                    }
                }
                dump
            }
        }
    }

    async fn sqlite_connection(&self) -> SqliteConnection {
        let options: SqliteConnectOptions = self.url.parse().expect("an address");
        let options = options.create_if_missing(true);
        SqliteConnection::connect_with(&options)
            .await
            .expect("opens")
    }

    async fn postgres_connection(&self) -> PgConnection {
        PgConnection::connect(&self.url).await.expect("opens")
    }

    fn sqlite() -> Self {
        let folder = TempDir::with_prefix("keyway-test-").expect("a temporary folder");
        Self {
            url: format!("sqlite://{}", folder.path().join("keyway.db").display()),
            kind: Kind::Sqlite { folder },
        }
    }

    async fn postgres(migrated: bool) -> Result<Self> {
        let server = server_url();
        let mut admin = PgConnection::connect(&server)
            .await
            .context("no PostgreSQL at TEST_DATABASE_URL: start the tests with tests/run")?;
        sqlx::query("SELECT pg_advisory_lock($1)")
            .bind(LOCK)
            .execute(&mut admin)
            .await?;
        let template = if migrated {
            format!("TEMPLATE {}", ensure_template(&mut admin, &server).await?)
        } else {
            String::new()
        };
        let stamp: i64 = sqlx::query_scalar(
            "SELECT CAST(extract(epoch FROM clock_timestamp()) * 1000000 AS bigint)",
        )
        .fetch_one(&mut admin)
        .await?;
        let name = format!("keyway_test_db_{stamp}_{}", std::process::id());
        run(&mut admin, format!("CREATE DATABASE {name} {template}")).await?;
        sweep(&mut admin, stamp).await?;
        // Closing the session gives the lock back.
        admin.close().await?;
        Ok(Self {
            url: with_database(&server, &name)?,
            kind: Kind::Postgres { server, name },
        })
    }
}

impl Drop for Database {
    /// On a thread of its own with a runtime of its own: the test's may be gone or be in the middle
    /// of a panic. What a killed test leaves is swept later.
    fn drop(&mut self) {
        let Kind::Postgres { server, name } = &self.kind else {
            return;
        };
        let (server, name) = (server.clone(), name.clone());
        let dropped = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()?;
            runtime.block_on(async {
                let mut admin = PgConnection::connect(&server).await?;
                let sql = format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)");
                run(&mut admin, sql).await?;
                admin.close().await?;
                anyhow::Ok(())
            })
        });
        if !matches!(dropped.join(), Ok(Ok(()))) {
            tracing::warn!("a test database was left behind");
        }
    }
}

fn ring() -> KeyRing {
    KeyRing::parse(TEST_RING).expect("a ring")
}

/// The template of these migrations, made under another name first: a test that is killed while it
/// migrates leaves nothing that looks ready.
async fn ensure_template(admin: &mut PgConnection, server: &str) -> Result<String> {
    let name = format!("keyway_test_template_{:016x}", hash_of_migrations()?);
    let ready: bool =
        sqlx::query_scalar("SELECT EXISTS (SELECT 1 FROM pg_database WHERE datname = $1)")
            .bind(&name)
            .fetch_one(&mut *admin)
            .await?;
    if ready {
        return Ok(name);
    }
    let building = format!("{name}_building");
    run(
        admin,
        format!("DROP DATABASE IF EXISTS {building} WITH (FORCE)"),
    )
    .await?;
    run(admin, format!("CREATE DATABASE {building}")).await?;
    let options = StoreOptions {
        url: with_database(server, &building)?,
        max_connections: 1,
        acquire_timeout: Duration::from_secs(30),
        read_only: false,
    };
    let store = Store::connect(&options, ring(), Ambient::system()).await?;
    store.migrate().await?;
    store.close().await;
    run(admin, format!("ALTER DATABASE {building} RENAME TO {name}")).await?;
    Ok(name)
}

fn hash_of_migrations() -> Result<u64> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../migrations/postgres");
    let mut files = std::fs::read_dir(folder)?
        .map(|entry| Ok(entry?.path()))
        .collect::<Result<Vec<_>>>()?;
    files.sort();
    let mut hasher = DefaultHasher::new();
    for file in files {
        file.file_name().hash(&mut hasher);
        std::fs::read(&file)?.hash(&mut hasher);
    }
    Ok(hasher.finish())
}

/// Drops what tests that were killed an hour ago or earlier have left.
async fn sweep(admin: &mut PgConnection, stamp: i64) -> Result<()> {
    const HOUR_MICROS: i64 = 3_600_000_000;
    let names: Vec<String> = sqlx::query_scalar(
        r"SELECT datname FROM pg_database WHERE datname LIKE 'keyway\_test\_db\_%'",
    )
    .fetch_all(&mut *admin)
    .await?;
    for name in names {
        let made = name.split('_').nth(3).and_then(|made| made.parse().ok());
        if made.is_some_and(|made: i64| stamp - made > HOUR_MICROS) {
            run(
                admin,
                format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)"),
            )
            .await?;
        }
    }
    Ok(())
}

fn with_database(server: &str, name: &str) -> Result<String> {
    let mut url = reqwest::Url::parse(server)?;
    url.set_path(name);
    Ok(url.into())
}

async fn run(admin: &mut PgConnection, sql: String) -> Result<()> {
    admin.execute(AssertSqlSafe(sql)).await?;
    Ok(())
}

/// Expands each behaviour to one test for each profile.
#[macro_export]
macro_rules! on_both_profiles {
    ($($name:ident),+ $(,)?) => {
        mod embedded {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $name() {
                super::$name($crate::database::Profile::Embedded).await;
            })+
        }
        mod production {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $name() {
                super::$name($crate::database::Profile::Production).await;
            })+
        }
    };
}
