//! The API as a user meets it: the real router on a port of this machine, in front of a database of
//! its own.

use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use keyway_api::{ApiOptions, ApiState};
use keyway_shared::ambient::Ambient;
use keyway_shared::clock::{Clock, ManualClock, SystemClock};
use keyway_shared::crypto::tokens::{hash_token, new_api_key, new_session_token};
use keyway_shared::domain::account::{ApiKey, KeyEnvironment, Scope, User, UserSession};
use keyway_shared::domain::activity::Platform;
use keyway_shared::domain::connection::ProviderName;
use keyway_shared::entropy::SystemEntropy;
use keyway_shared::github::{GitHubSettings, Roles, SignInSettings};
use keyway_shared::lifecycle::Lifecycle;
use keyway_shared::providers::Descriptor;
use keyway_shared::providers::registry::{ProviderSettings, Registry};
use keyway_shared::queue::{Queue, RedisOptions, RedisQueue};
use keyway_shared::secret::Secret;
use keyway_shared::store::Store;
use metrics_exporter_prometheus::PrometheusHandle;
use tokio::net::TcpListener;
use uuid::Uuid;

use crate::client::Client;
use crate::database::{Database, Profile, redis_url};
use crate::leaks::{self, Leak};
use crate::posing::Posing;
use crate::renewing::Renewing;

/// The recorder is one for the process; so is its handle.
fn metrics() -> PrometheusHandle {
    static HANDLE: OnceLock<PrometheusHandle> = OnceLock::new();
    HANDLE
        .get_or_init(keyway_shared::telemetry::init_metrics)
        .clone()
}

/// Where the tests' clock begins.
pub fn beginning() -> DateTime<Utc> {
    DateTime::from_timestamp(1_768_471_200, 0).unwrap_or_default()
}

/// A user and a key of theirs.
#[derive(Debug, Clone)]
pub struct Account {
    /// The user.
    pub user: User,
    /// The key.
    pub key: ApiKey,
    /// The key's token.
    pub token: String,
}

/// What an app is made of. Parts that a test needs otherwise are set before [`AppBuilder::start`].
#[derive(Debug)]
pub struct AppBuilder {
    profile: Profile,
    /// Settings of the API.
    pub options: ApiOptions,
    /// Settings of the providers: point them at stand-ins.
    pub providers: ProviderSettings,
    /// The machine's clock instead of one that stands: for tests in which a worker runs.
    pub system_time: bool,
    /// GitHub mode, with a stand-in at this origin.
    pub github_url: Option<String>,
    /// The stand-in's pages are what people sign in through.
    pub github_sign_in: bool,
    /// False leaves the schema out.
    pub migrate: bool,
    /// A provider whose tokens end stands in the place of Railway.
    pub renewing: bool,
    /// What Vercel's stand-in poses as.
    pub poses: Option<fn(&mut Descriptor)>,
}

impl AppBuilder {
    /// Serves it.
    ///
    /// # Panics
    /// When something that it needs is not there.
    pub async fn start(self) -> TestApp {
        let _ = rustls::crypto::ring::default_provider().install_default();
        leaks::begin();
        let manual = Arc::new(ManualClock::new(beginning()));
        let clock: Arc<dyn Clock> = if self.system_time {
            Arc::new(SystemClock)
        } else {
            manual.clone()
        };
        let ambient = Ambient::new(clock, Arc::new(SystemEntropy));
        let (database, mut store);
        if self.migrate {
            database = Database::create(self.profile).await;
            store = database.open(ambient.clone()).await;
        } else {
            database = Database::create_empty(self.profile).await;
            store = database.open_bare(ambient.clone()).await;
        }
        if !self.system_time {
            store = store.with_manual_time();
        }
        let roles = self.github_url.map(|api_url| {
            let settings = GitHubSettings {
                timeout: Duration::from_secs(5),
                sign_in: self.github_sign_in.then(|| SignInSettings {
                    web_url: api_url.clone(),
                    client_id: keyway_simulator::github::CLIENT_ID.to_owned(),
                    client_secret: Secret::new(keyway_simulator::github::CLIENT_SECRET),
                    scope: None,
                }),
                api_url,
            };
            store = store.clone().with_github_roles();
            let roles = Roles::new(&settings, store.clone(), ambient.clone());
            Arc::new(roles.expect("a client of GitHub"))
        });
        let lifecycle = Lifecycle::new();
        let mut prefix = String::new();
        let queue = match self.profile {
            Profile::Embedded => Queue::local(),
            Profile::Production => {
                prefix = format!("kwtest:{}:", ambient.new_id());
                redis_queue(&prefix, &lifecycle).await
            }
        };
        let mut providers = Registry::new(&self.providers, ambient.clone()).expect("providers");
        if let Some(change) = self.poses {
            let inner = providers.get(ProviderName::Vercel).expect("a provider");
            providers = providers.with(Arc::new(Posing::new(inner, change)));
        }
        let renewing = self.renewing.then(|| {
            let inner = providers.get(ProviderName::Vercel).expect("a provider");
            Arc::new(Renewing::new(inner, ambient.clone()))
        });
        if let Some(renewing) = renewing.clone() {
            providers = providers.with(renewing);
        }
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let options = ApiOptions {
            public_url: format!("http://{address}"),
            ..self.options
        };
        let state = ApiState {
            store: store.clone(),
            queue: queue.clone(),
            roles,
            providers: Arc::new(providers),
            options: Arc::new(options),
            ambient: ambient.clone(),
            metrics: metrics(),
            lifecycle: lifecycle.clone(),
        };
        lifecycle
            .tracker
            .spawn(keyway_api::serve(listener, state.clone()));
        TestApp {
            profile: self.profile,
            address,
            state,
            store,
            queue,
            ambient,
            clock: manual,
            lifecycle,
            database,
            prefix,
            renewing,
            looks: true,
        }
    }
}

async fn redis_queue(prefix: &str, lifecycle: &Lifecycle) -> Queue {
    let redis = RedisQueue::connect(&RedisOptions {
        url: Secret::new(redis_url()),
        prefix: prefix.to_owned(),
        startup_timeout: Duration::from_secs(5),
    })
    .await
    .expect("Redis answers at TEST_REDIS_URL: start the tests with tests/run");
    let listen = Some((&lifecycle.tracker, lifecycle.soft.clone()));
    Queue::redis(redis, listen)
}

/// One more API in front of the same database.
#[derive(Debug)]
pub struct Another {
    url: String,
    clock: Arc<ManualClock>,
}

impl Another {
    /// A client that calls it with a token.
    pub fn client(&self, token: &str) -> Client {
        Client::new(
            self.url.clone(),
            Arc::clone(&self.clock),
            Some(token.to_owned()),
        )
    }
}

/// A running API with a database of its own. Gone with this.
#[derive(Debug)]
pub struct TestApp {
    /// The way it runs.
    pub profile: Profile,
    /// Where it listens.
    pub address: SocketAddr,
    /// What its handlers reach.
    pub state: ApiState,
    /// Its storage: to arrange what the API has no call for, and to look behind it.
    pub store: Store,
    /// Its bell: what a worker of the test is given.
    pub queue: Queue,
    /// Its time and randomness.
    pub ambient: Ambient,
    /// Its clock, unless it runs on the machine's.
    pub clock: Arc<ManualClock>,
    /// Its end.
    pub lifecycle: Lifecycle,
    /// Its database: to wait for, or to change, what the store has no call for.
    pub database: Database,
    /// Of our names in Redis.
    prefix: String,
    /// For what was planted, at its end.
    /// In the place of Railway, where that was asked for.
    pub renewing: Option<Arc<Renewing>>,
    looks: bool,
}

impl TestApp {
    /// The usual one.
    pub async fn start(profile: Profile) -> Self {
        Self::builder(profile).start().await
    }

    /// One that differs.
    pub fn builder(profile: Profile) -> AppBuilder {
        AppBuilder {
            profile,
            options: ApiOptions::default(),
            providers: ProviderSettings::default(),
            system_time: false,
            github_url: None,
            github_sign_in: false,
            migrate: true,
            renewing: false,
            poses: None,
        }
    }

    /// The base of its URLs.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Starts one more API in front of the same database: a process of its own as far as signals go,
    /// where there can be several.
    pub async fn another(&self) -> Another {
        let queue = match self.profile {
            Profile::Embedded => self.queue.clone(),
            Profile::Production => redis_queue(&self.prefix, &self.lifecycle).await,
        };
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let state = ApiState {
            queue,
            ..self.state.clone()
        };
        self.lifecycle
            .tracker
            .spawn(keyway_api::serve(listener, state));
        Another {
            url,
            clock: self.ticking(),
        }
    }

    /// Adds a user with a key that has all scopes.
    pub async fn account(&self, username: &str) -> Account {
        let user = User {
            id: self.ambient.new_id(),
            username: username.to_owned(),
            operator: false,
            created_at: self.ambient.now(),
        };
        let mut tx = self.store.begin().await.expect("begins");
        tx.insert_user(&user).await.expect("a new user");
        tx.commit().await.expect("commits");
        self.key(&user, Scope::ALL, None).await
    }

    /// Adds a key of a user.
    pub async fn key(&self, user: &User, scopes: &[Scope], lives: Option<TimeDelta>) -> Account {
        let new = new_api_key(&self.ambient, KeyEnvironment::Live);
        let now = self.ambient.now();
        let key = ApiKey {
            id: self.ambient.new_id(),
            user_id: user.id,
            name: "test".to_owned(),
            environment: KeyEnvironment::Live,
            prefix: new.prefix,
            scopes: scopes.to_vec(),
            allowed_ips: Vec::new(),
            expires_at: lives.map(|lives| now + lives),
            last_used_at: None,
            usage_count: 0,
            created_at: now,
            revoked_at: None,
        };
        let mut tx = self.store.begin().await.expect("begins");
        tx.insert_api_key(&key, &new.hash).await.expect("a new key");
        tx.commit().await.expect("commits");
        Account {
            user: user.clone(),
            key,
            token: new.token.expose().to_owned(),
        }
    }

    /// Adds a session of a user, of a week as all are, with its token.
    pub async fn session(&self, user: &User) -> (UserSession, String) {
        let token = new_session_token(&self.ambient);
        let now = self.ambient.now();
        let session = UserSession {
            id: self.ambient.new_id(),
            user_id: user.id,
            platform: Platform::Cli,
            ip: None,
            last_used_at: None,
            created_at: now,
            expires_at: now + TimeDelta::days(7),
        };
        let mut tx = self.store.begin().await.expect("begins");
        let hash = hash_token(token.expose());
        tx.insert_session(&session, &hash)
            .await
            .expect("a new session");
        tx.commit().await.expect("commits");
        (session, token.expose().to_owned())
    }

    /// Adds a user with all scopes, and gives a client that calls as that user.
    pub async fn user(&self, username: &str) -> Client {
        let account = self.account(username).await;
        self.client(&account.token)
    }

    /// A client that calls with a token.
    pub fn client(&self, token: &str) -> Client {
        Client::new(self.url(), self.ticking(), Some(token.to_owned()))
    }

    /// A client that calls without one.
    pub fn anonymous(&self) -> Client {
        Client::new(self.url(), self.ticking(), None)
    }

    /// The clock, to be moved with each request: things that happen one after the other have
    /// different times.
    fn ticking(&self) -> Arc<ManualClock> {
        Arc::clone(&self.clock)
    }

    /// Moves the clock.
    pub fn advance(&self, by: TimeDelta) {
        self.clock.advance(by.to_std().unwrap_or_default());
    }

    /// Looks for what was planted in all that it has left so far.
    pub async fn leaks(&self) -> Vec<Leak> {
        leaks::look(&self.database, &self.prefix, metrics().render()).await
    }

    /// Lets it end without that, for a test that leaves leaks behind on purpose.
    pub fn do_not_look(mut self) {
        self.looks = false;
    }

    /// An id that nothing has.
    pub fn unknown_id(&self) -> Uuid {
        self.ambient.new_id()
    }
}

impl Drop for TestApp {
    fn drop(&mut self) {
        self.lifecycle.soft.cancel();
        self.lifecycle.hard.cancel();
        if !self.looks || std::thread::panicking() {
            return;
        }
        // The test's runtime may be gone.
        let leaks = std::thread::scope(|scope| {
            let looking = scope.spawn(|| {
                let runtime = tokio::runtime::Builder::new_current_thread();
                let runtime = { runtime }.enable_all().build().expect("a runtime");
                runtime.block_on(self.leaks())
            });
            looking.join().expect("it can be looked at")
        });
        let lines: Vec<_> = leaks.iter().map(ToString::to_string).collect();
        assert!(
            lines.is_empty(),
            "planted values have leaked:\n{}",
            lines.join("\n")
        );
    }
}
