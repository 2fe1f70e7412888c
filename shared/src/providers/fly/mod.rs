//! Fly.io: secrets of apps over its Machines API.
//!
//! An app is a project with one environment. Nobody is shown a value, only a digest, and a write
//! stages secrets: it changes nothing that runs. The client says what happened and never tries again.

mod apply;
mod client;
mod errors;
pub(crate) mod fuzzing;
mod projects;
mod reserved;
mod rollout;
mod rows;
mod token;
mod wire;

use std::time::Duration;

use async_trait::async_trait;

use self::apply::Run;
use self::client::Client;
use super::capabilities::{
    Budgets, Effect, Environments, Reading, Rollout, SignIn, TokenKind, Values, Writes,
};
use super::http::{HttpClient, SetupError};
use super::{
    Applied, ApplyOptions, CallFamily, Change, Cost, Departure, Descriptor, Grant, Journal,
    Project, Provider, ProviderError, Return, RolledOut, Session, Target,
};
use crate::ambient::Ambient;
use crate::domain::connection::{ProviderAccount, ProviderName};
use crate::domain::names::is_secret_name;
use crate::secret::Secret;
use crate::sync::limits::Limits;
use crate::sync::plan::Plan;
use crate::sync::remote::{Destination, RemoteView};

/// What the configuration says of Fly.io.
#[derive(Debug, Clone)]
pub struct FlySettings {
    /// Origin of the Machines API.
    pub api_url: String,
}

impl Default for FlySettings {
    fn default() -> Self {
        Self {
            api_url: "https://api.machines.dev".to_owned(),
        }
    }
}

const TOKENS: &[TokenKind] = &[
    TokenKind {
        name: projects::ORG,
        display_name: "Org token",
        reach: "Every app of its organization.",
    },
    TokenKind {
        name: projects::DEPLOY,
        display_name: "App deploy token",
        reach: "The one app that it was made for.",
    },
    TokenKind {
        name: projects::USER,
        display_name: "Personal access token",
        reach: "What its user reaches in the organization given as teamId. It may end soon.",
    },
];

/// The provider.
#[derive(Debug)]
pub struct Fly {
    descriptor: Descriptor,
    client: Client,
}

impl Fly {
    /// Makes the client. No call is made.
    pub fn new(
        settings: &FlySettings,
        timeout: Duration,
        ambient: Ambient,
    ) -> Result<Self, SetupError> {
        let http = HttpClient::new(
            ProviderName::Fly,
            "FLY_API_URL",
            &settings.api_url,
            timeout,
            ambient,
        )?;
        let http = http.authorized_by(token::authorize);
        Ok(Self {
            descriptor: descriptor(),
            client: Client { http },
        })
    }
}

fn descriptor() -> Descriptor {
    Descriptor {
        name: ProviderName::Fly,
        display_name: "Fly.io",
        sign_in: SignIn {
            // Only partners of Fly.io have OAuth.
            oauth: None,
            tokens: TOKENS,
        },
        environments: Environments {
            fixed: &[rows::ENVIRONMENT],
            named: false,
            branches: None,
            share_values: false,
            suggested: &[(rows::ENVIRONMENT, rows::ENVIRONMENT)],
        },
        services: false,
        values: Values {
            reading: Reading::Digest,
            write_only: None,
            stamps_writes: true,
            reference: None,
        },
        writes: Writes {
            creates_per_call: None,
            updates_per_call: None,
            deletes_per_call: None,
            effect: Effect::Staged,
            delete_effect: Effect::Staged,
            rollout: Some(Rollout::Machines),
            rollout_of: None,
        },
        // UNCERTAIN: none is documented; what is refused is told key by key.
        limits: Limits::default(),
        reserved: reserved::RESERVED,
        // UNCERTAIN: which names are taken; these become variables of an environment anywhere.
        allows_name: is_secret_name,
        // One request a second, of one action to one app or machine: no number of calls of an account.
        budgets: Budgets::Together(None),
    }
}

#[async_trait]
impl Provider for Fly {
    fn descriptor(&self) -> &Descriptor {
        &self.descriptor
    }

    fn api_origin(&self) -> &str {
        self.client.http.origin()
    }

    fn is_canonical_project(&self, project: &str) -> bool {
        projects::is_app_name(project)
    }

    fn token(&self, pasted: &str) -> Option<Secret> {
        token::pasted(pasted)
    }

    fn authorize_url(&self, _departure: &Departure<'_>) -> Option<String> {
        None
    }

    async fn exchange_code(&self, _back: &Return<'_>) -> Result<Grant, ProviderError> {
        Err(ProviderError::Forbidden)
    }

    async fn account(&self, session: &Session) -> Result<ProviderAccount, ProviderError> {
        projects::account(&self.client, session).await
    }

    async fn projects(&self, session: &Session) -> Result<Vec<Project>, ProviderError> {
        projects::all(&self.client, session).await
    }

    async fn project(&self, session: &Session, project: &str) -> Result<Project, ProviderError> {
        projects::one(&self.client, session, project).await
    }

    fn known_destination(
        &self,
        _team_id: Option<&str>,
        target: &Target<'_>,
    ) -> Option<Destination> {
        self.is_canonical_project(target.project_id)
            .then(|| projects::destination(target))?
    }

    async fn destination(
        &self,
        _session: &Session,
        target: &Target<'_>,
    ) -> Result<Destination, ProviderError> {
        projects::destination(target).ok_or_else(|| ProviderError::UnknownEnvironment {
            known: vec![rows::ENVIRONMENT.to_owned()],
        })
    }

    async fn list(
        &self,
        session: &Session,
        destination: &Destination,
    ) -> Result<RemoteView, ProviderError> {
        Ok(rows::list(&self.client, session, &destination.project_id).await?)
    }

    /// What is set and what is unset goes together.
    fn cost(&self, _view: &RemoteView, _destination: &Destination, plan: &Plan) -> Cost {
        let mut cost = Cost::default();
        cost.add(CallFamily::Update, usize::from(plan.writes()));
        cost
    }

    async fn apply(
        &self,
        session: &Session,
        destination: &Destination,
        view: &RemoteView,
        changes: &[Change],
        _options: ApplyOptions,
        journal: &dyn Journal,
    ) -> Applied {
        let run = Run {
            client: &self.client,
            session,
            app: &destination.project_id,
            journal,
            results: Vec::with_capacity(changes.len()),
            stopped: None,
        };
        run.apply(view, destination, changes).await
    }

    async fn rollout(
        &self,
        session: &Session,
        destination: &Destination,
    ) -> Result<Vec<RolledOut>, ProviderError> {
        rollout::all(&self.client, session, &destination.project_id).await
    }
}
