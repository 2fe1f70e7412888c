//! Netlify: variables of a site, by context, over its REST API.
//!
//! The client says what happened and never tries again. Nothing that it writes begins a build.

mod apply;
mod client;
mod cost;
mod create;
mod errors;
pub(crate) mod fuzzing;
mod oauth;
mod projects;
mod reserved;
mod rewrite;
mod rows;
mod ways;
mod wire;

use std::time::Duration;

use async_trait::async_trait;

use self::apply::Run;
use self::client::{Client, Place};
use super::capabilities::{
    Budgets, Effect, Environments, OAuth, Reading, Rollout, SignIn, TokenKind, Values, WriteOnly,
    Writes,
};
use super::http::{HttpClient, SetupError};
use super::oauth::renew;
use super::{
    Applied, ApplyOptions, Change, Cost, Departure, Descriptor, Grant, Journal, Project, Provider,
    ProviderError, Return, RolledOut, Session, Target,
};
use crate::ambient::Ambient;
use crate::domain::connection::{ProviderAccount, ProviderName, TokenPair};
use crate::domain::gate::Budget;
use crate::domain::names::is_secret_name;
use crate::secret::Secret;
use crate::sync::limits::Limits;
use crate::sync::plan::Plan;
use crate::sync::remote::{Destination, RemoteView};

/// What the configuration says of Netlify.
#[derive(Debug, Clone)]
pub struct NetlifySettings {
    /// Origin of the API.
    pub api_url: String,
    /// Origin of the pages that browsers are sent to.
    pub web_url: String,
    /// The application's client id.
    pub client_id: Option<String>,
    /// The application's client secret.
    pub client_secret: Option<Secret>,
}

impl Default for NetlifySettings {
    fn default() -> Self {
        Self {
            api_url: "https://api.netlify.com".to_owned(),
            web_url: "https://app.netlify.com".to_owned(),
            client_id: None,
            client_secret: None,
        }
    }
}

impl NetlifySettings {
    /// Client id and secret, when OAuth is set up: both.
    fn oauth(&self) -> Option<(&str, &Secret)> {
        Some((self.client_id.as_deref()?, self.client_secret.as_ref()?))
    }
}

/// Most calls of a user, of whatever kind, as Netlify's page on its API said in May 2026.
const BUDGETS: Budgets = Budgets::Together(Some(Budget::a_minute(500)));

const TOKENS: &[TokenKind] = &[TokenKind {
    name: "personal",
    display_name: "Personal access token",
    reach: "All sites of its user, in every team; for a team that enforces SAML only if access was given \
            when the token was made.",
}];

/// The provider.
#[derive(Debug)]
pub struct Netlify {
    settings: NetlifySettings,
    descriptor: Descriptor,
    client: Client,
}

impl Netlify {
    /// Makes the client. No call is made.
    pub fn new(
        settings: &NetlifySettings,
        timeout: Duration,
        ambient: Ambient,
    ) -> Result<Self, SetupError> {
        let http = HttpClient::new(
            ProviderName::Netlify,
            "NETLIFY_API_URL",
            &settings.api_url,
            timeout,
            ambient,
        )?;
        Ok(Self {
            descriptor: descriptor(settings.oauth().is_some()),
            settings: settings.clone(),
            client: Client { http },
        })
    }
}

fn descriptor(oauth: bool) -> Descriptor {
    Descriptor {
        name: ProviderName::Netlify,
        display_name: "Netlify",
        sign_in: SignIn {
            oauth: Some(OAuth {
                is_configured: oauth,
                // Nothing is documented about it.
                pkce: false,
                renews: false,
                begins_there: false,
                settings: &["NETLIFY_CLIENT_ID", "NETLIFY_CLIENT_SECRET"],
            }),
            tokens: TOKENS,
        },
        environments: Environments {
            fixed: rows::CONTEXTS,
            named: false,
            branches: Some(rows::BRANCH_DEPLOY),
            share_values: true,
            suggested: &[
                ("production", "production"),
                ("staging", "deploy-preview"),
                ("development", "dev"),
                ("dev", "dev"),
            ],
        },
        services: false,
        values: Values {
            reading: Reading::Listed,
            write_only: Some(WriteOnly {
                kind: rows::SECRET,
                can_be_made: true,
            }),
            stamps_writes: true,
            reference: None,
        },
        writes: Writes {
            creates_per_call: None,
            updates_per_call: Some(1),
            deletes_per_call: Some(1),
            effect: Effect::NextDeployment,
            delete_effect: Effect::NextDeployment,
            rollout: Some(Rollout::Build),
            rollout_of: Some("production"),
        },
        // No number is documented: the old 4 KB for the functions of a site were lifted in June 2026.
        limits: Limits::default(),
        reserved: reserved::RESERVED,
        allows_name: is_secret_name,
        budgets: BUDGETS,
    }
}

#[async_trait]
impl Provider for Netlify {
    fn descriptor(&self) -> &Descriptor {
        &self.descriptor
    }

    fn api_origin(&self) -> &str {
        self.client.http.origin()
    }

    fn is_canonical_project(&self, project: &str) -> bool {
        projects::is_id(project)
    }

    fn authorize_url(&self, departure: &Departure<'_>) -> Option<String> {
        oauth::authorize_url(&self.settings, departure)
    }

    async fn exchange_code(&self, back: &Return<'_>) -> Result<Grant, ProviderError> {
        oauth::exchange(&self.client, &self.settings, back).await
    }

    async fn account(&self, session: &Session) -> Result<ProviderAccount, ProviderError> {
        projects::account(&self.client, session).await
    }

    async fn renew(&self, refresh: &Secret) -> Result<TokenPair, ProviderError> {
        // Netlify says that its tokens do not end; should one, this is how.
        renew(&self.client.http, self.settings.oauth(), refresh).await
    }

    async fn projects(&self, session: &Session) -> Result<Vec<Project>, ProviderError> {
        projects::all(&self.client, session).await
    }

    async fn project(&self, session: &Session, project: &str) -> Result<Project, ProviderError> {
        projects::one(&self.client, session, project).await
    }

    fn known_destination(&self, team_id: Option<&str>, target: &Target<'_>) -> Option<Destination> {
        projects::known(team_id, target)
    }

    async fn destination(
        &self,
        session: &Session,
        target: &Target<'_>,
    ) -> Result<Destination, ProviderError> {
        projects::destination(&self.client, session, target).await
    }

    async fn list(
        &self,
        session: &Session,
        destination: &Destination,
    ) -> Result<RemoteView, ProviderError> {
        let place = Place::of(destination)?;
        Ok(rows::view(self.client.variables(session, place).await?))
    }

    fn cost(&self, view: &RemoteView, destination: &Destination, plan: &Plan) -> Cost {
        cost::of(view, destination, plan)
    }

    async fn apply(
        &self,
        session: &Session,
        destination: &Destination,
        view: &RemoteView,
        changes: &[Change],
        options: ApplyOptions,
        journal: &dyn Journal,
    ) -> Applied {
        let place = match Place::of(destination) {
            Ok(place) => place,
            Err(error) => {
                return Applied {
                    stopped: Some(error),
                    ..Applied::default()
                };
            }
        };
        let run = Run {
            client: &self.client,
            session,
            destination,
            place,
            view,
            options,
            journal,
            results: Vec::with_capacity(changes.len()),
            stopped: None,
        };
        run.apply(changes).await
    }

    /// A build of the site, which is one of its production branch. It is deployed when it succeeds.
    async fn rollout(
        &self,
        session: &Session,
        destination: &Destination,
    ) -> Result<Vec<RolledOut>, ProviderError> {
        let build = self.client.build(session, &destination.project_id).await?;
        Ok(vec![RolledOut {
            unit: build.id.unwrap_or_default(),
            name: Some("build".to_owned()),
            result: Ok(()),
        }])
    }
}
