//! What the demo does, in order. It never asks which provider it has: what is said comes from what our API
//! tells of the provider, and from the words of the simulated one.

mod capabilities;
mod change;
mod connect;
mod effect;
mod ending;
mod preview;
mod prove;
mod sync;
mod vault;

use std::collections::{BTreeMap, BTreeSet};

use keyway_shared::ambient::Ambient;

use serde_json::{Value, json};

use super::client::Client;
use super::screen::Screen;
use super::secrets::Secrets;
use super::stage::{Machine, Snapshot, Stage, Words};
use super::wire::{Provider, Providers};
use super::world::World;
use crate::failure::{Failure, Outcome};

pub(super) use ending::invite;

const REPO: &str = "acme/my-app";
/// The vault's environment, and the provider's.
const ENVIRONMENT: &str = "production";

/// What there was at the provider.
struct Before {
    values: Snapshot,
    shared: BTreeSet<String>,
    deployments: Option<usize>,
    machines: Option<Vec<Machine>>,
}

impl Before {
    fn of(stage: &dyn Stage) -> Self {
        Self {
            values: stage.snapshot(),
            shared: stage.shared(),
            deployments: stage.deployments(),
            machines: stage.machines(),
        }
    }
}

/// The demo in progress.
pub(super) struct Story<'a> {
    stage: &'a dyn Stage,
    words: &'static Words,
    provider: Provider,
    client: Client,
    secrets: Secrets,
    /// The keys that the provider has with the vault's value once a sync is done.
    expected: BTreeSet<String>,
    connection: String,
    project: String,
    /// References to other variables at the provider are meant.
    references: bool,
    /// What is written is to be put into effect as well.
    rollout: bool,
    ambient: Ambient,
    /// Checks that failed.
    wrong: usize,
}

impl<'a> Story<'a> {
    pub(super) async fn new(world: &'a World, secrets: Secrets) -> Outcome<Self> {
        let client = Client::new(world.api.clone(), world.token.clone())?;
        let stage = &*world.stage;
        let known: Providers = client.get("/v1/integrations", &BTreeMap::new()).await?;
        let mut known = known.providers.into_iter();
        let provider = known.find(|known| known.name == stage.provider());
        let unknown = || Failure::new(format!("{} is not a provider", stage.provider()));
        Ok(Self {
            words: stage.words(),
            stage,
            provider: provider.ok_or_else(unknown)?,
            client,
            secrets,
            expected: BTreeSet::new(),
            connection: String::new(),
            project: String::new(),
            references: false,
            rollout: false,
            ambient: Ambient::system(),
            wrong: 0,
        })
    }

    pub(super) async fn tell(mut self, screen: &mut Screen, api: &str, source: &str) -> Outcome {
        let name = self.provider.display_name.clone();
        screen.title("Keyway demo: secrets from a vault to a hosting provider, and the proof")?;
        screen.quiet(&format!(
            "API {api} - simulated {name} {}",
            self.stage.url()
        ))?;
        self.fill_vault(screen, source).await?;
        self.connect(screen).await?;
        let preview = self.preview(screen).await?;
        // What only the provider has, such as its system variables, is not ours to prove.
        let ours = |key: &&String| self.secrets.contains_key(*key);
        self.expected = preview.carried().filter(ours).cloned().collect();

        let before = Before::of(self.stage);
        let heading = format!("Sync: push the vault to {name}");
        let first = self.sync(screen, &heading).await?;
        let said = preview.provider_calls;
        let told = format!("as many as the preview had said: {said}");
        self.check(screen, first.provider_calls == said, &told)?;
        self.tell_effect(screen, &before, &first)?;
        self.prove(screen, &before)?;

        self.change_both_sides(screen, &preview).await?;
        let before = Before::of(self.stage);
        self.rollout = self.provider.capabilities.rollout.is_some();
        let heading = if self.rollout {
            "Sync again: only what differs, and roll it out"
        } else {
            "Sync again: only what differs"
        };
        let second = self.sync(screen, heading).await?;
        self.tell_effect(screen, &before, &second)?;
        self.prove(screen, &before)?;
        self.nothing_left(screen, &preview).await?;
        self.close(screen, &first, &second)
    }

    /// Tells what ought to be so, and counts it when it is not.
    fn check(&mut self, screen: &Screen, right: bool, told: &str) -> Outcome {
        if right {
            screen.good(told)?;
        } else {
            self.wrong += 1;
            screen.bad(told)?;
        }
        Ok(())
    }

    /// What is synced with what, as a query and as a body have it.
    fn selection(&self) -> BTreeMap<&'static str, Value> {
        let mut selection = BTreeMap::from([
            ("connectionId", json!(self.connection)),
            ("projectId", json!(self.project)),
            ("keywayEnvironment", json!(ENVIRONMENT)),
            ("providerEnvironment", json!(ENVIRONMENT)),
            ("direction", json!("push")),
        ]);
        let service = self.words.service.map(|name| ("serviceId", json!(name)));
        selection.extend(service);
        if self.references {
            selection.insert("allowReferences", json!(true));
        }
        if self.rollout {
            selection.insert("rollout", json!(true));
        }
        selection
    }
}
