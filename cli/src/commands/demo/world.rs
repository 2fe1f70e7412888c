//! Everything the demo needs, in this process and a temporary folder: the API, a worker, and a
//! simulated provider. Nothing of the user's own configuration is used.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use keyway_shared::ambient::Ambient;
use keyway_shared::config::{
    ApiSettings, DataFolder, Database, DatabaseUrl, FlySettings, LimitsSettings, Origin,
    ProviderSettings, ProvidersSettings, Retention, VercelSettings, WebhooksArgs, WorkerSettings,
};
use keyway_shared::crypto::KeyRing;
use keyway_shared::secret::Secret;
use tempfile::TempDir;

use super::stage::{self, Preset, ProviderChoice, Stage};
use crate::commands::serve::first_key;
use crate::compose::{self, Parts};
use crate::failure::{Failure, Outcome};
use crate::process::Process;

/// The running demo.
pub(super) struct World {
    pub(super) process: Process,
    pub(super) stage: Box<dyn Stage>,
    pub(super) api: String,
    pub(super) token: Secret,
    parts: Parts,
    // Removed when dropped.
    _folder: TempDir,
}

impl World {
    pub(super) async fn start(
        choice: ProviderChoice,
        preset: Preset,
        latency: Duration,
    ) -> Outcome<Self> {
        let folder = TempDir::with_prefix("keyway-demo-")?;
        let anywhere = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let stage = stage::start(choice, preset, latency).await?;

        let ambient = Ambient::system();
        let database = Database {
            url: DatabaseUrl::embedded(&DataFolder::at(folder.path())),
            connections: 4,
            startup_timeout: Duration::from_secs(5),
        };
        let (_, keys) = KeyRing::generate(&ambient);
        let store = compose::connect(&database, &keys, &ambient).await?;
        store.migrate().await?;
        // Only one of them is connected.
        let origin: Origin = stage
            .url()
            .parse()
            .map_err(|error: String| Failure::new(error))?;
        let providers = ProvidersSettings {
            timeout: Duration::from_secs(10),
            vercel: VercelSettings {
                api_url: origin.clone(),
                web_url: origin.clone(),
                oauth: None,
            },
            netlify: ProviderSettings {
                api_url: origin.clone(),
                web_url: origin.clone(),
                oauth: None,
            },
            railway: ProviderSettings {
                api_url: origin.clone(),
                web_url: origin.clone(),
                oauth: None,
            },
            fly: FlySettings { api_url: origin },
        };
        let mut process = Process::new();
        let parts = Parts::assemble(store, None, &providers, None, ambient, &process, true).await?;
        let token = first_key(&parts.store, &parts.ambient)
            .await?
            .ok_or_else(|| Failure::new("the demo's database is not empty"))?;
        let listener = compose::bind("KEYWAY_LISTEN", anywhere).await?;
        let api = ApiSettings {
            listen: anywhere,
            public_url: None,
            redirect_origins: Vec::new(),
            cors_origins: Vec::new(),
            cookie_domain: None,
            token_in_query: false,
            trusted_proxies: Vec::new(),
            limits: LimitsSettings::default(),
        };
        let webhooks = WebhooksArgs::default();
        let bound = parts.start_api(&mut process, listener, &api, webhooks, true)?;
        let worker = WorkerSettings {
            concurrency: 8,
            lease: Duration::from_secs(30),
            retention: Retention::default(),
        };
        parts.start_worker(&mut process, &worker, webhooks, providers.timeout);
        Ok(Self {
            process,
            stage,
            api: format!("http://{bound}"),
            token,
            parts,
            _folder: folder,
        })
    }

    /// Ends everything and removes the folder.
    pub(super) async fn stop(self) -> Outcome {
        let ended = self.process.stop().await;
        drop(self.stage);
        self.parts.store.close().await;
        ended
    }

    /// Stays up until a signal comes.
    pub(super) async fn stay(self) -> Outcome {
        let ended = self.process.run(|| Ok(())).await;
        drop(self.stage);
        self.parts.store.close().await;
        ended
    }
}
