//! One function for each call of the API, as Vercel's reference describes it. No call follows
//! another here.

use serde::de::DeserializeOwned;

use super::errors::{Failure, refusal};
use super::wire::{
    AccessToken, Created, CustomEnvironments, Deleted, Env, EnvList, EnvPatch, Ids, NewEnv,
    Project, ProjectList, Team, UserAnswer,
};
use crate::providers::http::HttpClient;
use crate::providers::message::{Answer, Body, Call, Verb};
use crate::providers::{CallFamily, ProviderError, Session};
use crate::secret::Secret;

/// Most projects on a page; what other users of the API ask for.
const PROJECTS_PER_PAGE: &str = "100";

/// The calls.
#[derive(Debug, Clone)]
pub(super) struct Client {
    pub http: HttpClient,
}

type Query = Vec<(&'static str, String)>;

impl Client {
    /// A page of a project's variables. No `limit` is asked for: the current version of the call
    /// declares none and answers with everything, while a limit that it honours would only make
    /// more pages. `until` is where the page before ended.
    pub(super) async fn variables(
        &self,
        session: &Session,
        project: &str,
        until: Option<&str>,
    ) -> Result<EnvPage, Failure> {
        let mut query = team(session);
        query.extend(until.map(|until| ("until", until.to_owned())));
        let call = Call {
            op: "variables.list",
            query,
            ..Call::get("/v10/projects/{project}/env", vec![project])
        };
        self.http.call(Some(session), call, env_page).await
    }

    /// One variable with its value, where that can be read.
    pub(super) async fn variable(
        &self,
        session: &Session,
        project: &str,
        id: &str,
    ) -> Result<Env, Failure> {
        let call = Call {
            op: "variables.get",
            query: team(session),
            ..Call::get("/v1/projects/{project}/env/{id}", vec![project, id])
        };
        self.http.call(Some(session), call, json).await
    }

    /// Creates variables; one whose key and exact environments exist already gets the value.
    pub(super) async fn upsert(
        &self,
        session: &Session,
        project: &str,
        variables: &[NewEnv<'_>],
    ) -> Result<Created, Failure> {
        let mut query = team(session);
        query.push(("upsert", "true".to_owned()));
        let call = Call {
            op: "variables.put",
            family: CallFamily::Create,
            verb: Verb::Post,
            route: "/v10/projects/{project}/env",
            segments: vec![project],
            query,
            headers: Vec::new(),
            body: Body::json(&variables)?,
        };
        self.http.call(Some(session), call, json).await
    }

    /// Edits one variable. The answer may be `null`.
    pub(super) async fn edit(
        &self,
        session: &Session,
        project: &str,
        id: &str,
        patch: &EnvPatch<'_>,
    ) -> Result<Option<Env>, Failure> {
        let call = Call {
            op: "variables.edit",
            family: CallFamily::Update,
            verb: Verb::Patch,
            route: "/v9/projects/{project}/env/{id}",
            segments: vec![project, id],
            query: team(session),
            headers: Vec::new(),
            body: Body::json(patch)?,
        };
        self.http.call(Some(session), call, json).await
    }

    /// Deletes variables.
    pub(super) async fn delete(
        &self,
        session: &Session,
        project: &str,
        ids: &[&str],
    ) -> Result<Deleted, Failure> {
        let call = Call {
            op: "variables.delete",
            family: CallFamily::Delete,
            verb: Verb::Delete,
            route: "/v1/projects/{project}/env",
            segments: vec![project],
            query: team(session),
            headers: Vec::new(),
            body: Body::json(&Ids { ids })?,
        };
        self.http.call(Some(session), call, json).await
    }

    /// A page of projects; `from` is where the page before ended.
    pub(super) async fn projects(
        &self,
        session: &Session,
        from: Option<&str>,
        limit: Option<&str>,
    ) -> Result<ProjectList, Failure> {
        let mut query = team(session);
        query.push(("limit", limit.unwrap_or(PROJECTS_PER_PAGE).to_owned()));
        query.extend(from.map(|from| ("from", from.to_owned())));
        let call = Call {
            op: "projects.list",
            family: CallFamily::Account,
            query,
            ..Call::get("/v10/projects", vec![])
        };
        self.http.call(Some(session), call, project_page).await
    }

    /// One project, by id or name.
    pub(super) async fn project(
        &self,
        session: &Session,
        project: &str,
    ) -> Result<Project, Failure> {
        let call = Call {
            op: "projects.get",
            family: CallFamily::Account,
            query: team(session),
            ..Call::get("/v9/projects/{project}", vec![project])
        };
        self.http.call(Some(session), call, json).await
    }

    /// The environments that a project made for itself.
    pub(super) async fn custom_environments(
        &self,
        session: &Session,
        project: &str,
    ) -> Result<CustomEnvironments, Failure> {
        let call = Call {
            op: "environments.list",
            family: CallFamily::Account,
            query: team(session),
            ..Call::get("/v9/projects/{project}/custom-environments", vec![project])
        };
        self.http.call(Some(session), call, json).await
    }

    /// Whose token it is.
    pub(super) async fn user(&self, session: &Session) -> Result<UserAnswer, Failure> {
        let call = Call {
            op: "user.get",
            family: CallFamily::Account,
            ..Call::get("/v2/user", vec![])
        };
        self.http.call(Some(session), call, json).await
    }

    /// A team.
    pub(super) async fn team(&self, session: &Session, id: &str) -> Result<Team, Failure> {
        let call = Call {
            op: "teams.get",
            family: CallFamily::Account,
            ..Call::get("/v2/teams/{team}", vec![id])
        };
        self.http.call(Some(session), call, json).await
    }

    /// Removes an installation of the integration. The answer is empty.
    pub(super) async fn remove_configuration(
        &self,
        session: &Session,
        id: &str,
    ) -> Result<(), Failure> {
        let call = Call {
            op: "configuration.delete",
            family: CallFamily::OAuth,
            verb: Verb::Delete,
            route: "/v1/integrations/configuration/{id}",
            segments: vec![id],
            query: team(session),
            headers: Vec::new(),
            body: Body::None,
        };
        self.http
            .call(Some(session), call, |answer| {
                if answer.is_success() {
                    Ok(())
                } else {
                    Err(refusal(answer))
                }
            })
            .await
    }

    /// Exchanges a code. `judge` reads refusals in the manner of OAuth as well.
    pub(super) async fn access_token(
        &self,
        form: Vec<(&'static str, Secret)>,
        judge: impl FnOnce(&Answer) -> Result<AccessToken, ProviderError> + Send,
    ) -> Result<AccessToken, ProviderError> {
        let call = Call {
            op: "oauth.exchange",
            family: CallFamily::OAuth,
            verb: Verb::Post,
            route: "/v2/oauth/access_token",
            segments: vec![],
            query: Query::new(),
            headers: Vec::new(),
            body: Body::Form(form),
        };
        self.http.call(None, call, judge).await
    }
}

/// A page of variables.
#[derive(Debug)]
pub(super) struct EnvPage {
    pub rows: Vec<Env>,
    pub next: Option<String>,
    /// Rows are known to have been held back.
    pub hidden: bool,
}

/// The team that a token of a user's, or of an installation at a team, is used for.
fn team(session: &Session) -> Query {
    session
        .credential
        .team_id
        .iter()
        .map(|id| ("teamId", id.clone()))
        .collect()
}

pub(super) fn json<T: DeserializeOwned>(answer: &Answer) -> Result<T, Failure> {
    if answer.is_success() {
        Ok(answer.json()?)
    } else {
        Err(refusal(answer))
    }
}

/// Two forms of a list are described, and a third: a variable by itself. That one cannot be told
/// from a list that was cut, so it counts as one.
pub(super) fn env_page(answer: &Answer) -> Result<EnvPage, Failure> {
    let list: EnvList = json(answer)?;
    if let Some(rows) = list.envs {
        return Ok(EnvPage {
            rows,
            next: list.pagination.and_then(|page| page.next),
            hidden: list.hidden_production_env_count.is_some_and(|n| n > 0.0),
        });
    }
    let row: Env = json(answer)?;
    if row.key.is_none() {
        return Err(answer.unreadable().into());
    }
    Ok(EnvPage {
        rows: vec![row],
        next: None,
        hidden: true,
    })
}

/// A page, or a bare list.
pub(super) fn project_page(answer: &Answer) -> Result<ProjectList, Failure> {
    let bare = answer.is_success() && answer.body.trim_ascii_start().starts_with(b"[");
    let list = if bare {
        ProjectList {
            projects: Some(json(answer)?),
            pagination: None,
        }
    } else {
        json(answer)?
    };
    if list.projects.is_none() {
        return Err(answer.unreadable().into());
    }
    Ok(list)
}
