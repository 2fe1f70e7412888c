//! One function for each operation. No call follows another here.

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::json;

use super::errors::{judge, judge_delete, judge_redeploy, judge_told};
use super::operations;
use super::wire::{
    AllProjects, ApiTokenAnswer, Collection, Deleted, Deletion, MeAnswer, MoreVariables, Named,
    PartsAnswer, Project, ProjectAnswer, ProjectToken, ProjectTokenAnswer, Redeployed, Upserted,
    User, Variables, Workspace, WorkspaceAnswer, WorkspaceProjects,
};
use crate::providers::http::HttpClient;
use crate::providers::message::{Answer, Body, Call, Verb};
use crate::providers::{CallFamily, ProviderError, Session};
use crate::sync::remote::Destination;

/// The calls.
#[derive(Debug, Clone)]
pub(super) struct Client {
    pub http: HttpClient,
}

/// What GraphQL's one address is told.
#[derive(Serialize)]
struct Request<V> {
    query: &'static str,
    variables: V,
}

/// An operation, and how it is counted and traced.
struct Operation {
    op: &'static str,
    family: CallFamily,
    query: &'static str,
}

const fn read(op: &'static str, query: &'static str) -> Operation {
    Operation {
        op,
        family: CallFamily::Read,
        query,
    }
}

const fn account(op: &'static str, query: &'static str) -> Operation {
    Operation {
        op,
        family: CallFamily::Account,
        query,
    }
}

impl Client {
    /// Values of a place, and the first page of its environment's variables.
    pub(super) async fn variables(
        &self,
        session: &Session,
        place: &Destination,
        first: u32,
    ) -> Result<Variables, ProviderError> {
        let variables = json!({ "projectId": place.project_id, "environmentId": place.scope,
            "serviceId": place.service_id, "first": first });
        let operation = read("variables.list", operations::VARIABLES);
        self.ask_and(session, operation, variables, judge_told)
            .await
    }

    /// A further page of the latter.
    pub(super) async fn more_variables(
        &self,
        session: &Session,
        place: &Destination,
        first: u32,
        after: &str,
    ) -> Result<MoreVariables, ProviderError> {
        let variables = json!({ "projectId": place.project_id, "environmentId": place.scope,
            "first": first, "after": after });
        let operation = read("variables.page", operations::MORE_VARIABLES);
        self.ask(session, operation, variables).await
    }

    /// Gives variables values. Those that are there already get theirs.
    pub(super) async fn upsert(
        &self,
        session: &Session,
        input: &Collection<'_>,
    ) -> Result<bool, ProviderError> {
        #[derive(Serialize)]
        struct Input<'a> {
            input: &'a Collection<'a>,
        }
        let operation = Operation {
            op: "variables.put",
            family: CallFamily::Create,
            query: operations::UPSERT,
        };
        let answer: Upserted = self
            .ask_and(session, operation, Input { input }, judge_told)
            .await?;
        Ok(answer.done)
    }

    /// Deletes one variable. True also when it was gone.
    pub(super) async fn delete(
        &self,
        session: &Session,
        input: &Deletion<'_>,
    ) -> Result<bool, ProviderError> {
        let operation = Operation {
            op: "variables.delete",
            family: CallFamily::Delete,
            query: operations::DELETE,
        };
        let variables = json!({ "input": input });
        let answer: Option<Deleted> = self
            .ask_and(session, operation, variables, judge_delete)
            .await?;
        Ok(answer.is_none_or(|answer| answer.done))
    }

    /// Deploys a service once more. False when it was never deployed.
    pub(super) async fn redeploy(
        &self,
        session: &Session,
        environment: &str,
        service: &str,
    ) -> Result<bool, ProviderError> {
        let operation = Operation {
            op: "service.redeploy",
            family: CallFamily::Update,
            query: operations::REDEPLOY,
        };
        let variables = json!({ "environmentId": environment, "serviceId": service });
        let answer: Option<Redeployed> = self
            .ask_and(session, operation, variables, judge_redeploy)
            .await?;
        match answer {
            None => Ok(false),
            Some(answer) if answer.done => Ok(true),
            Some(_) => Err(ProviderError::OutcomeUnknown),
        }
    }

    /// Every project that a user sees, with the first page of each workspace's.
    pub(super) async fn all_projects(
        &self,
        session: &Session,
    ) -> Result<AllProjects, ProviderError> {
        let operation = account("projects.list", operations::ALL_PROJECTS);
        self.ask(session, operation, json!({})).await
    }

    /// A page of a workspace's projects.
    pub(super) async fn workspace_projects(
        &self,
        session: &Session,
        id: &str,
        after: Option<&str>,
    ) -> Result<WorkspaceProjects, ProviderError> {
        let operation = account("projects.page", operations::WORKSPACE_PROJECTS);
        let variables = json!({ "id": id, "after": after });
        let answer: WorkspaceAnswer = self.ask(session, operation, variables).await?;
        Ok(answer.workspace)
    }

    /// One project.
    pub(super) async fn project(
        &self,
        session: &Session,
        id: &str,
    ) -> Result<Project, ProviderError> {
        let operation = account("projects.get", operations::PROJECT);
        let answer: ProjectAnswer = self.ask(session, operation, json!({ "id": id })).await?;
        Ok(answer.project)
    }

    /// Further pages of its parts.
    pub(super) async fn more_parts(
        &self,
        session: &Session,
        id: &str,
        environments: Option<&str>,
        services: Option<&str>,
    ) -> Result<PartsAnswer, ProviderError> {
        let operation = account("projects.parts", operations::MORE_PARTS);
        let variables = json!({ "id": id, "environments": environments, "services": services });
        self.ask(session, operation, variables).await
    }

    /// The project of a project token.
    pub(super) async fn project_of_token(
        &self,
        session: &Session,
    ) -> Result<ProjectToken<Project>, ProviderError> {
        let operation = account("projects.own", operations::PROJECT_OF_TOKEN);
        let answer: ProjectTokenAnswer<Project> = self.ask(session, operation, json!({})).await?;
        Ok(answer.project_token)
    }

    /// Whose an account's token is.
    pub(super) async fn me(&self, session: &Session) -> Result<User, ProviderError> {
        let operation = account("user.get", operations::ME);
        let answer: MeAnswer = self.ask(session, operation, json!({})).await?;
        Ok(answer.me)
    }

    /// The workspaces of a token.
    pub(super) async fn workspaces(
        &self,
        session: &Session,
    ) -> Result<Vec<Workspace>, ProviderError> {
        let operation = account("token.get", operations::API_TOKEN);
        let answer: ApiTokenAnswer = self.ask(session, operation, json!({})).await?;
        Ok(answer.api_token.workspaces)
    }

    /// What a project token is for.
    pub(super) async fn project_token(
        &self,
        session: &Session,
    ) -> Result<ProjectToken<Named>, ProviderError> {
        let operation = account("token.get", operations::PROJECT_TOKEN);
        let answer: ProjectTokenAnswer<Named> = self.ask(session, operation, json!({})).await?;
        Ok(answer.project_token)
    }

    async fn ask<T: DeserializeOwned>(
        &self,
        session: &Session,
        operation: Operation,
        variables: impl Serialize,
    ) -> Result<T, ProviderError> {
        self.ask_and(session, operation, variables, judge).await
    }

    async fn ask_and<T>(
        &self,
        session: &Session,
        operation: Operation,
        variables: impl Serialize,
        judge: impl FnOnce(&Answer) -> Result<T, ProviderError> + Send,
    ) -> Result<T, ProviderError> {
        let call = Call {
            op: operation.op,
            family: operation.family,
            verb: Verb::Post,
            route: "/graphql/v2",
            segments: Vec::new(),
            query: Vec::new(),
            headers: Vec::new(),
            body: Body::json(&Request {
                query: operation.query,
                variables,
            })?,
        };
        self.http.call(Some(session), call, judge).await
    }
}
