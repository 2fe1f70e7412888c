//! What the stand-in holds, and how it behaves.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// How it behaves. What the vendor's documentation leaves open is an option, so that a client can be
/// held against each answer to it.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct Options {
    /// How long each call takes, in milliseconds.
    pub latency_ms: u64,
    /// Calls that a token's owner may make in an hour; none: any number, and no headers that tell.
    pub per_hour: Option<u32>,
    /// Calls that a token's owner may make in a second.
    pub per_second: Option<u32>,
    /// Status of an answer to a call beyond the budget.
    pub rate_limit_status: u16,
    /// What `Retry-After` counts in.
    pub retry_after: RetryAfter,
    /// What `X-RateLimit-Reset` is.
    pub rate_limit_reset: RateLimitReset,
    /// Status of an answer to an operation that does not fit the schema.
    pub invalid_status: u16,
    /// Errors say `UNAUTHENTICATED` and `FORBIDDEN` where others say `INTERNAL_SERVER_ERROR`.
    pub precise_codes: bool,
    /// What is not there is told apart from what may not be seen.
    pub tells_missing: bool,
    /// A null where the schema allows none is "Problem processing request", without a code.
    pub opaque_nulls: bool,
    /// The schema can be asked for without a token.
    pub open_introspection: bool,
    /// Nodes on a page when a call does not say how many.
    pub page_size: usize,
    /// Rendered values come with Railway's own (`RAILWAY_…`).
    pub provided: bool,
    /// Sealed variables are there with null, instead of not at all.
    pub sealed_as_null: bool,
    /// A plain write of a sealed variable leaves it sealed.
    pub upsert_keeps_seal: bool,
    /// `variableDelete` deploys.
    pub delete_deploys: bool,
    /// `variableDelete` of a name that is not there fails.
    pub delete_absent_fails: bool,
    /// Upserts and deletes wait among the environment's staged changes.
    pub stages_upserts: bool,
    /// A redeploy of a service that was never deployed fails.
    pub redeploy_needs_deployment: bool,
    /// `environmentPatchCommit` takes `skipDeploys`.
    pub commit_skips_deploys: bool,
    /// `variablesForServiceDeployment` has the environment's shared variables beside the service's.
    pub deployment_has_shared: bool,
    /// A reference to what is not there stays as it is when rendered, instead of being empty.
    pub keeps_unresolved: bool,
    /// How often a refresh token is answered with itself, before a new one.
    pub refreshes_before_rotation: u32,
    /// The most variables of a service, or shared in an environment.
    pub max_variables: Option<usize>,
    /// The most bytes of a value.
    pub max_value_bytes: Option<usize>,
    /// The person at the consent page says no.
    pub consent_denied: bool,
    /// Workspaces that the person picks at the consent page; none: all.
    pub consent_workspaces: Option<BTreeSet<String>>,
    /// Projects that the person picks at the consent page; none: all.
    pub consent_projects: Option<BTreeSet<String>>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            latency_ms: 0,
            per_hour: Some(Plan::Pro.per_hour()),
            per_second: None,
            rate_limit_status: 429,
            retry_after: RetryAfter::Seconds,
            rate_limit_reset: RateLimitReset::UnixSeconds,
            invalid_status: 400,
            precise_codes: false,
            tells_missing: true,
            opaque_nulls: true,
            open_introspection: true,
            page_size: 20,
            provided: true,
            sealed_as_null: false,
            upsert_keeps_seal: true,
            delete_deploys: true,
            delete_absent_fails: false,
            stages_upserts: false,
            redeploy_needs_deployment: true,
            commit_skips_deploys: false,
            deployment_has_shared: true,
            keeps_unresolved: false,
            refreshes_before_rotation: 0,
            max_variables: None,
            max_value_bytes: None,
            consent_denied: false,
            consent_workspaces: None,
            consent_projects: None,
        }
    }
}

impl Options {
    pub(super) const fn latency(&self) -> Duration {
        Duration::from_millis(self.latency_ms)
    }

    /// The budgets of this plan.
    pub fn budget(&mut self, plan: Plan) {
        self.per_hour = Some(plan.per_hour());
        self.per_second = plan.per_second();
    }
}

/// What a workspace pays for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Plan {
    /// 100 calls an hour.
    Free,
    /// 1,000 an hour, 10 a second.
    Hobby,
    /// 10,000 an hour, 50 a second.
    Pro,
}

impl Plan {
    const fn per_hour(self) -> u32 {
        match self {
            Self::Free => 100,
            Self::Hobby => 1_000,
            Self::Pro => 10_000,
        }
    }

    const fn per_second(self) -> Option<u32> {
        match self {
            Self::Free => None,
            Self::Hobby => Some(10),
            Self::Pro => Some(50),
        }
    }
}

/// Forms of `Retry-After`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum RetryAfter {
    /// As HTTP has it.
    Seconds,
    /// A thousand times as many.
    Milliseconds,
}

/// Forms of `X-RateLimit-Reset`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum RateLimitReset {
    /// Seconds since 1970.
    UnixSeconds,
    /// Milliseconds since 1970.
    UnixMilliseconds,
    /// Seconds from now.
    SecondsLeft,
    /// A date and time of RFC 3339.
    Date,
}

/// What somebody may do, from least to most.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Role {
    /// See.
    Viewer,
    /// Change.
    Member,
    /// Everything.
    Admin,
}

/// Where variables are: a service in an environment, or what an environment shares.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Target {
    /// The environment's id.
    pub environment: String,
    /// The service's id; none: shared.
    #[serde(default)]
    pub service: Option<String>,
}

impl Target {
    /// A service in an environment.
    pub fn service(environment: &str, service: &str) -> Self {
        Self {
            environment: environment.to_owned(),
            service: Some(service.to_owned()),
        }
    }

    /// What an environment shares.
    pub fn shared(environment: &str) -> Self {
        Self {
            environment: environment.to_owned(),
            service: None,
        }
    }
}

/// A variable as the stand-in holds it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Shown {
    /// The value in clear, with its references.
    pub value: String,
    /// Nobody reads it back.
    pub sealed: bool,
}

#[derive(Debug, Clone)]
pub(super) struct Variable {
    pub(super) id: String,
    pub(super) value: String,
    pub(super) sealed: bool,
    pub(super) created_at: u64,
    pub(super) updated_at: u64,
}

#[derive(Debug)]
pub(super) struct Workspace {
    pub(super) id: String,
    pub(super) name: String,
    /// The user's role; none: only some of its projects are shared with the user.
    pub(super) role: Option<Role>,
}

#[derive(Debug)]
pub(super) struct Project {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) workspace: String,
    /// What the user was invited for, without being of the workspace.
    pub(super) invited: Option<Role>,
    pub(super) created_at: u64,
    pub(super) deleted_at: Option<u64>,
}

#[derive(Debug)]
pub(super) struct Environment {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) project: String,
    pub(super) ephemeral: bool,
    pub(super) restricted: bool,
    pub(super) created_at: u64,
    /// Changes that wait to be committed, of whoever made them.
    pub(super) staged: serde_json::Value,
    pub(super) staged_id: String,
}

#[derive(Debug)]
pub(super) struct Service {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) project: String,
    /// `owner/name`, with its branch.
    pub(super) repo: Option<(String, String)>,
    pub(super) image: Option<String>,
    pub(super) created_at: u64,
}

/// A deployment, and why there is one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Deployment {
    /// Its id.
    pub id: String,
    /// Of this environment.
    pub environment: String,
    /// Of this service.
    pub service: String,
    /// What made it.
    pub cause: Cause,
    /// Milliseconds since 1970.
    pub created_at: u64,
}

/// Why there is a deployment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Cause {
    /// It was there at the start.
    Start,
    /// Variables were written.
    Upsert,
    /// A variable was deleted.
    Delete,
    /// Changes were committed.
    Commit,
    /// Somebody asked for it.
    Redeploy,
}

/// What a token is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Token {
    /// Everything of the user.
    Account,
    Workspace(String),
    /// One environment of one project.
    Project {
        id: String,
        name: String,
        project: String,
        environment: String,
        created_at: u64,
    },
    /// What the user consented to.
    OAuth(Grant),
}

/// What the user consented to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Grant {
    pub(super) authorization: String,
    pub(super) scopes: BTreeSet<String>,
    pub(super) workspaces: BTreeSet<String>,
    pub(super) projects: BTreeSet<String>,
    /// When the access token ends.
    pub(super) ends_at: u64,
}

/// Variables of all targets.
pub(super) type Variables = BTreeMap<Target, BTreeMap<String, Variable>>;
