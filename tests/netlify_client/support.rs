//! A stand-in, and a client that points at it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use keyway_shared::ambient::Ambient;
use keyway_shared::domain::connection::{Credential, ProviderName};
use keyway_shared::domain::job::ErrorCode;
use keyway_shared::providers::netlify::NetlifySettings;
use keyway_shared::providers::registry::{ProviderSettings, Registry};
use keyway_shared::providers::{
    Applied, ApplyOptions, Change, Journal, Provider, ProviderError, Session, Split, Target,
};
use keyway_shared::secret::Secret;
use keyway_shared::sync::options::VariableType;
use keyway_shared::sync::plan::Action;
use keyway_shared::sync::remote::{Destination, RemoteView};
use keyway_simulator::netlify::{
    ACCOUNT, CLIENT_ID, CLIENT_SECRET, EnvSeed, Netlify, Options, Preset, SITE, TOKEN,
};
use keyway_tests::stand_in::StandIn;
use uuid::Uuid;

pub(crate) struct World {
    pub(crate) netlify: StandIn<Netlify>,
    pub(crate) provider: Arc<dyn Provider>,
    pub(crate) session: Session,
}

impl World {
    pub(crate) async fn start(preset: Preset) -> Self {
        Self::with_timeout(preset, Duration::from_mins(1)).await
    }

    pub(crate) async fn with_timeout(preset: Preset, timeout: Duration) -> Self {
        let netlify = StandIn::netlify(preset).await.unwrap();
        Self {
            provider: provider(&netlify.url(), timeout),
            session: session(TOKEN, Some(ACCOUNT)),
            netlify,
        }
    }

    /// A site of its own, with one variable, and Netlify behaving so.
    pub(crate) async fn with(seed: &EnvSeed, behave: impl FnOnce(&mut Options)) -> Self {
        let world = Self::start(Preset::Starter).await;
        world.netlify.remove_env(SITE, "DATABASE_URL");
        world.netlify.put_env(SITE, seed);
        world.netlify.set(behave);
        world
    }

    pub(crate) async fn list(&self, to: &Destination) -> RemoteView {
        self.provider.list(&self.session, to).await.unwrap()
    }

    /// Lists, forgets that call, and applies.
    pub(crate) async fn apply(&self, to: &Destination, changes: &[Change]) -> Applied {
        self.apply_as(to, changes, VariableType::Encrypted).await
    }

    pub(crate) async fn apply_as(
        &self,
        to: &Destination,
        changes: &[Change],
        variable_type: VariableType,
    ) -> Applied {
        let view = self.list(to).await;
        self.netlify.reset_calls();
        self.apply_to(&view, to, changes, variable_type).await
    }

    /// Applies what was planned by an earlier list.
    pub(crate) async fn apply_late(&self, view: &RemoteView, changes: &[Change]) -> Applied {
        let to = at("production");
        self.apply_to(view, &to, changes, VariableType::Encrypted)
            .await
    }

    async fn apply_to(
        &self,
        view: &RemoteView,
        to: &Destination,
        changes: &[Change],
        variable_type: VariableType,
    ) -> Applied {
        let options = ApplyOptions { variable_type };
        self.provider
            .apply(&self.session, to, view, changes, options, &Nothing)
            .await
    }

    /// Method and last part of the path of each call since they were last forgotten.
    pub(crate) fn methods(&self) -> Vec<String> {
        let requests = self.netlify.requests().into_iter();
        requests.map(|request| request.method).collect()
    }

    /// What a deployment of each context gets, by context.
    pub(crate) fn everywhere(&self, key: &str) -> BTreeMap<&'static str, String> {
        let places = [
            ("production", None),
            ("deploy-preview", None),
            ("branch-deploy", None),
            ("dev", None),
            ("dev-server", None),
        ];
        let mut values: BTreeMap<_, _> = places
            .iter()
            .filter_map(|&(context, branch)| {
                Some((context, self.netlify.value(SITE, key, context, branch)?))
            })
            .collect();
        let branch = self
            .netlify
            .value(SITE, key, "branch-deploy", Some("staging"));
        values.extend(branch.map(|value| ("staging", value)));
        values
    }
}

pub(crate) fn provider(url: &str, timeout: Duration) -> Arc<dyn Provider> {
    let settings = ProviderSettings {
        timeout,
        netlify: NetlifySettings {
            api_url: url.to_owned(),
            web_url: url.to_owned(),
            client_id: Some(CLIENT_ID.to_owned()),
            client_secret: Some(Secret::new(CLIENT_SECRET)),
        },
        ..ProviderSettings::default()
    };
    Registry::new(&settings, Ambient::system())
        .unwrap()
        .get(ProviderName::Netlify)
        .unwrap()
}

pub(crate) fn session(token: &str, team: Option<&str>) -> Session {
    Session::unguarded(Credential {
        token: Secret::new(token),
        team_id: team.map(str::to_owned),
        installation_id: None,
        token_kind: None,
    })
}

/// A context of the site; a branch as `branch:NAME`.
pub(crate) fn at(context: &str) -> Destination {
    let (environment, branch) = match context.strip_prefix("branch:") {
        Some(branch) => ("branch-deploy", Some(branch)),
        None => (context, None),
    };
    let target = Target {
        branch,
        ..Target::new(SITE, environment)
    };
    let provider = provider("http://127.0.0.1:9", Duration::from_secs(1));
    provider.known_destination(Some(ACCOUNT), &target).unwrap()
}

fn change(key: &str, action: Action, value: Option<&str>) -> Change {
    Change {
        key: key.to_owned(),
        action,
        value: value.map(Secret::new),
    }
}

pub(crate) fn create(key: &str, value: &str) -> Change {
    change(key, Action::Create, Some(value))
}

pub(crate) fn update(key: &str, value: &str) -> Change {
    change(key, Action::Update, Some(value))
}

pub(crate) fn delete(key: &str) -> Change {
    change(key, Action::Delete, None)
}

/// The keys that failed, with why.
pub(crate) fn failures(applied: &Applied) -> Vec<(String, ErrorCode)> {
    let results = applied.results.iter();
    results
        .filter_map(|done| Some((done.key.clone(), done.result.as_ref().err()?.code)))
        .collect()
}

#[track_caller]
pub(crate) fn all_done(applied: &Applied) {
    assert_eq!(failures(applied), [], "{applied:?}");
    assert_eq!(applied.stopped, None);
}

/// Nothing is ever half done at Netlify.
pub(crate) struct Nothing;

#[async_trait]
impl Journal for Nothing {
    async fn open_split(&self, _: &Split) -> Result<(), ProviderError> {
        panic!("a split at Netlify")
    }

    async fn close_split(&self, _: Uuid) -> Result<(), ProviderError> {
        panic!("a split at Netlify")
    }

    fn progress(&self, _: usize) {}

    fn new_id(&self) -> Uuid {
        Uuid::nil()
    }
}
