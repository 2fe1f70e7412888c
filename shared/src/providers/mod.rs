//! The providers: each a folder with the same file names, behind one trait.
//!
//! Callers never ask which provider they have; they ask for its [`Descriptor`]. A client classifies
//! what happened ([`ProviderError`]); whether and when to try again is the engine's decision, so
//! clients never retry.

pub mod authorization;
pub mod calls;
pub mod capabilities;
pub mod cost;
pub mod error;
pub mod fly;
mod fuzzing;
mod halving;
pub mod http;
mod lenient;
pub mod message;
pub mod netlify;
pub mod notice;
mod oauth;
pub mod railway;
pub mod reach;
pub mod registry;
pub mod retry_after;
pub mod vercel;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

pub use calls::{CallEnd, CallFamily, CallGuard, Calls, Quota, Session, Unguarded};
pub use capabilities::Descriptor;
pub use cost::Cost;
pub use error::ProviderError;
pub use notice::{Notice, NoticeError, NoticeKind};

use crate::domain::connection::{Credential, ProviderAccount, TokenPair};
use crate::domain::job::ErrorCode;
use crate::secret::Secret;
use crate::sync::options::{SyncRequest, VariableType};
use crate::sync::plan::{Action, Plan};
use crate::sync::remote::{Destination, RemoteValue, RemoteView};

/// A project of an account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Project {
    /// The canonical id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// `owner/repo` of the repository it is linked with.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub linked_repo: Option<String>,
    /// The framework that the provider detected.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub framework: Option<String>,
    /// Names that `providerEnvironment` may take.
    pub environments: Vec<String>,
    /// Its services, where projects have them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub services: Vec<Service>,
}

/// A part of a project with values of its own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Service {
    /// The canonical id.
    pub id: String,
    /// Its name.
    pub name: String,
}

/// What a request names of a project. Ids or names, as they were given.
#[derive(Debug, Clone, Copy)]
pub struct Target<'a> {
    /// The project's canonical id.
    pub project_id: &'a str,
    /// The service.
    pub service_id: Option<&'a str>,
    /// The environment.
    pub environment: &'a str,
    /// A branch that narrows it.
    pub branch: Option<&'a str>,
}

impl<'a> Target<'a> {
    /// Nothing but an environment of a project.
    pub const fn new(project_id: &'a str, environment: &'a str) -> Self {
        Self {
            project_id,
            service_id: None,
            environment,
            branch: None,
        }
    }

    /// What a request names, in a project of this id.
    pub fn of(request: &'a SyncRequest, project_id: &'a str) -> Self {
        Self {
            project_id,
            service_id: request.service_id.as_deref(),
            environment: &request.provider_environment,
            branch: request.git_branch.as_deref(),
        }
    }
}

/// How a browser is sent to the provider.
#[derive(Debug, Clone, Copy)]
pub struct Departure<'a> {
    /// What the browser is to bring back.
    pub state: &'a str,
    /// Where to.
    pub callback: &'a str,
    /// What only we know until the code is exchanged, for providers that bind the code to it.
    pub verifier: &'a Secret,
}

/// With what the browser came back.
#[derive(Debug, Clone, Copy)]
pub struct Return<'a> {
    /// The code.
    pub code: &'a str,
    /// Where it was sent to: must be the same.
    pub callback: &'a str,
    /// The same as on departure; `None` for an authorization that was begun at the provider.
    pub verifier: Option<&'a Secret>,
    /// Who says that it gave the code (RFC 9207).
    pub issuer: Option<&'a str>,
}

/// What an OAuth code was exchanged for.
#[derive(Debug, Clone)]
pub struct Grant {
    /// The token, and what renews it where that is the provider's way.
    pub token: TokenPair,
    /// The team it is for.
    pub team_id: Option<String>,
    /// The installation it belongs to.
    pub installation_id: Option<String>,
}

/// What giving a credential back means at the provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Revocation {
    /// Nothing can be called for it: whoever made the credential deletes it on the provider's pages.
    ByHand,
    /// The credential ends, and nothing else does.
    Alone,
    /// The credential ends, and the provider removes every variable that was written with it.
    WithVariables,
}

/// One change that the executor is to make.
#[derive(Debug, Clone)]
pub struct Change {
    /// The key.
    pub key: String,
    /// What is done: never [`Action::Skip`].
    pub action: Action,
    /// The new value; `None` for a delete.
    pub value: Option<Secret>,
}

/// What the provider confirmed of a write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt {
    /// The row that bears the value now.
    pub remote_id: String,
    /// Its stamp in the answer of that write; `None` when the answer bore none, and then nothing is
    /// remembered of the write.
    pub stamp: Option<String>,
    /// The provider's word for the row's type in that answer: a policy may have made it another than
    /// was asked for.
    pub kind: Option<String>,
}

/// What became of one change.
#[derive(Debug, Clone)]
pub struct ChangeResult {
    /// The key.
    pub key: String,
    /// What was to be done.
    pub action: Action,
    /// The receipt (none for a delete), or why not.
    pub result: Result<Option<Receipt>, ChangeFailure>,
}

/// Why one change was not made, in words of ours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChangeFailure {
    /// Stable word.
    pub code: ErrorCode,
    /// Sentence.
    pub message: String,
}

/// What an [`Provider::apply`] did.
#[derive(Debug, Clone, Default)]
pub struct Applied {
    /// One entry for each change that was answered. Changes without an entry were not attempted, or
    /// their outcome is unknown (see `stopped`).
    pub results: Vec<ChangeResult>,
    /// Why it stopped before the end; the engine decides what that means for the job.
    pub stopped: Option<ProviderError>,
}

/// A row that gives its value to several environments, about to be taken apart: what is needed to
/// finish or undo that if the process dies in between. Holds no value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Split {
    /// Identity of the record.
    pub id: Uuid,
    /// The key.
    pub key: String,
    /// The row that loses our scope.
    pub row_id: String,
    /// Where our value goes.
    pub destination: Destination,
    /// Provider's word for the row's type, kept by the new row.
    pub kind: String,
    /// The scopes the row had, in the provider's own form.
    pub prior: serde_json::Value,
}

/// Keeps what must survive the process between two calls. Both answer only once it is durable.
#[async_trait]
pub trait Journal: Send + Sync {
    /// Records a split *before* its first call.
    async fn open_split(&self, split: &Split) -> Result<(), ProviderError>;

    /// Records that our scope has its own row again.
    async fn close_split(&self, id: Uuid) -> Result<(), ProviderError>;

    /// Tells how many changes have been answered so far.
    fn progress(&self, done: usize);

    /// A new id for a split's record.
    fn new_id(&self) -> Uuid;
}

/// A part of a destination that was to get what was written: a service, a machine, a build.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RolledOut {
    /// The provider's id of it.
    pub unit: String,
    /// Its name.
    pub name: Option<String>,
    /// Why it still has the old values, if it does.
    pub result: Result<(), ChangeFailure>,
}

/// What a write needs besides the changes.
#[derive(Debug, Clone, Copy)]
pub struct ApplyOptions {
    /// The type of new rows.
    pub variable_type: VariableType,
}

/// A hosting provider.
#[async_trait]
pub trait Provider: Send + Sync + 'static {
    /// What it is and can do.
    fn descriptor(&self) -> &Descriptor;

    /// The origin that calls go to: part of what makes two projects the same project.
    fn api_origin(&self) -> &str;

    /// Whether `project` is an id that never changes and names one project only.
    fn is_canonical_project(&self, project: &str) -> bool;

    /// The token in what a user pasted, in the form in which it is kept. `None`: it cannot be one.
    fn token(&self, pasted: &str) -> Option<Secret> {
        // A header cannot carry anything else, and few providers give out such a token.
        let token = pasted.trim();
        let is_token = !token.is_empty() && token.bytes().all(|byte| byte.is_ascii_graphic());
        is_token.then(|| Secret::new(token))
    }

    /// The page that a browser is sent to; `None` without OAuth settings.
    fn authorize_url(&self, departure: &Departure<'_>) -> Option<String>;

    /// Exchanges an OAuth code.
    async fn exchange_code(&self, back: &Return<'_>) -> Result<Grant, ProviderError>;

    /// Reads what the provider tells by itself, once its signature was found to fit the body as it came.
    /// `_header` gives a header of the call. Providers that tell nothing have none set up.
    fn read_notice<'a>(
        &self,
        _header: &dyn Fn(&str) -> Option<&'a [u8]>,
        _body: &[u8],
    ) -> Result<Notice, NoticeError> {
        Err(NoticeError::NotConfigured)
    }

    /// Verifies a credential by asking whose it is.
    async fn account(&self, session: &Session) -> Result<ProviderAccount, ProviderError>;

    /// Asks for the next token. [`ProviderError::OutcomeUnknown`] when the refresh token may have been used
    /// and no answer came; any other transient error says that it was not. `Protocol` counts as the
    /// former. Providers whose tokens do not end have none.
    async fn renew(&self, _refresh: &Secret) -> Result<TokenPair, ProviderError> {
        Err(ProviderError::Unauthorized)
    }

    /// What giving this credential back would do.
    fn revocation(&self, _credential: &Credential) -> Revocation {
        Revocation::ByHand
    }

    /// Gives the credential back. One that the provider does not take any more was given back before.
    async fn revoke(&self, _session: &Session) -> Result<(), ProviderError> {
        Err(ProviderError::Forbidden)
    }

    /// Every project that the credential can see.
    async fn projects(&self, session: &Session) -> Result<Vec<Project>, ProviderError>;

    /// One project, by id or name.
    async fn project(&self, session: &Session, project: &str) -> Result<Project, ProviderError>;

    /// The destination, when no call is needed to tell. `team_id` is that of the connection.
    fn known_destination(&self, team_id: Option<&str>, target: &Target<'_>) -> Option<Destination>;

    /// Resolves an environment's name. Built-in names cost no call; an unknown name is
    /// [`ProviderError::UnknownEnvironment`] with the known ones, never a default.
    async fn destination(
        &self,
        session: &Session,
        target: &Target<'_>,
    ) -> Result<Destination, ProviderError>;

    /// Every row of the project.
    async fn list(
        &self,
        session: &Session,
        destination: &Destination,
    ) -> Result<RemoteView, ProviderError>;

    /// Reads one value. The stamp is that of the very answer that bore the value. Only called for rows
    /// that were listed as [`RemoteValue::Unread`].
    async fn read(
        &self,
        _session: &Session,
        _destination: &Destination,
        _row_id: &str,
    ) -> Result<(RemoteValue, Option<String>), ProviderError> {
        Ok((RemoteValue::Unreadable, None))
    }

    /// The calls that [`Provider::apply`] makes for a plan when nothing stands in its way.
    fn cost(&self, _view: &RemoteView, _destination: &Destination, plan: &Plan) -> Cost {
        Cost::of(plan, &self.descriptor().writes)
    }

    /// Carries out changes against the rows that `view` showed: creates and updates first, deletes
    /// last and only when everything before succeeded. No environment outside the destination ever
    /// changes.
    async fn apply(
        &self,
        session: &Session,
        destination: &Destination,
        view: &RemoteView,
        changes: &[Change],
        options: ApplyOptions,
        journal: &dyn Journal,
    ) -> Applied;

    /// Puts what was written into effect, at providers where that is a call of its own
    /// ([`Writes::rollout`](capabilities::Writes)): once everything is written, and again by a run that
    /// goes on after one that did not get to its end. Its calls count as updates. Units that fail do not
    /// keep the others from it; an error says that no more is to be tried now.
    async fn rollout(
        &self,
        _session: &Session,
        _destination: &Destination,
    ) -> Result<Vec<RolledOut>, ProviderError> {
        Err(ProviderError::Forbidden)
    }

    /// Finishes a split that an earlier run left open: gives our scope its own row with `value`, or,
    /// without a value, gives the scope back to the row it was taken from. Looks before it writes. For
    /// providers whose changes never need two calls there is nothing to finish.
    async fn close_split(
        &self,
        _session: &Session,
        _split: &Split,
        _value: Option<&Secret>,
    ) -> Result<(), ProviderError> {
        Ok(())
    }
}
