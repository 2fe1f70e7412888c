//! A database of its own for each test.

use std::time::Duration;

use keyway_shared::ambient::Ambient;
use keyway_shared::crypto::KeyRing;
use keyway_shared::store::{Store, StoreOptions};
use sqlx::{Connection, Executor};

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

fn postgres_url() -> String {
    environment("TEST_DATABASE_URL")
        .unwrap_or_else(|| "postgres://postgres@127.0.0.1:5432/postgres".to_owned())
}

#[expect(
    clippy::disallowed_methods,
    reason = "where tests find their servers is told by tests/run"
)]
fn environment(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// A fresh database; gone with this.
#[derive(Debug)]
pub struct Database {
    url: String,
    name: Option<String>,
    _folder: Option<tempfile::TempDir>,
}

impl Database {
    /// Creates it.
    ///
    /// # Panics
    /// When the server cannot be reached: a profile is never left out.
    pub async fn create(profile: Profile) -> Self {
        match profile {
            Profile::Embedded => {
                let folder = tempfile::tempdir().expect("a temporary folder");
                Self {
                    url: format!("sqlite://{}/keyway.db", folder.path().display()),
                    name: None,
                    _folder: Some(folder),
                }
            }
            Profile::Production => {
                let server = postgres_url();
                let name = format!("kwtest_{}", Ambient::system().new_id().simple());
                let mut admin = sqlx::PgConnection::connect(&server).await.expect(
                    "Postgres answers at TEST_DATABASE_URL: start the tests with tests/run",
                );
                admin
                    .execute(sqlx::AssertSqlSafe(format!("CREATE DATABASE {name}")))
                    .await
                    .expect("databases may be created");
                let base = server
                    .rsplit_once('/')
                    .map_or(server.as_str(), |(base, _)| base);
                Self {
                    url: format!("{base}/{name}"),
                    name: Some(name),
                    _folder: None,
                }
            }
        }
    }

    /// Its address.
    pub fn url(&self) -> &str {
        &self.url
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
        let ring = KeyRing::parse(&format!("test:{}", "5a".repeat(32))).expect("a ring");
        let options = StoreOptions {
            url: self.url.clone(),
            max_connections: 10,
            acquire_timeout: Duration::from_secs(10),
        };
        Store::connect(&options, ring, ambient)
            .await
            .expect("opens")
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        let Some(name) = self.name.take() else { return };
        let server = postgres_url();
        // A runtime of its own: the test's may be gone or be in the middle of a panic.
        let dropped = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()?;
            runtime.block_on(async {
                let mut admin = sqlx::PgConnection::connect(&server).await?;
                let drop = format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)");
                admin.execute(sqlx::AssertSqlSafe(drop)).await?;
                Ok::<_, anyhow::Error>(())
            })
        });
        if !matches!(dropped.join(), Ok(Ok(()))) {
            tracing::warn!("a test database was left behind");
        }
    }
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
