//! What goes over the wire. The schema says which fields are there, so that nothing else is read; an
//! answer that does not keep to it counts as none.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize, Serializer};

use crate::secret::Secret;

/// The part of an answer that bears data.
#[derive(Debug, Deserialize)]
pub(super) struct Reply<T> {
    pub data: Option<T>,
}

/// The part that bears errors. Their messages may hold values.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Errors {
    pub errors: Option<Vec<ErrorDetail>>,
}

/// One error.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct ErrorDetail {
    pub message: Option<Secret>,
    pub extensions: Option<Extensions>,
}

/// What stands beside its message.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Extensions {
    pub code: Option<String>,
}

/// A page of a list.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Connection<T> {
    pub edges: Vec<Edge<T>>,
    #[serde(default)]
    pub page_info: PageInfo,
}

impl<T> Connection<T> {
    /// What is on it.
    pub(super) fn into_nodes(self) -> impl Iterator<Item = T> {
        self.edges.into_iter().map(|edge| edge.node)
    }
}

/// An entry of a page.
#[derive(Debug, Deserialize)]
pub(super) struct Edge<T> {
    pub node: T,
}

/// Where a page ends.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct PageInfo {
    pub has_next_page: bool,
    pub end_cursor: Option<String>,
}

/// Values of a place, and the first page of what its environment says of all variables.
#[derive(Debug, Deserialize)]
pub(super) struct Variables {
    pub variables: BTreeMap<String, Option<Secret>>,
    pub environment: EnvironmentVariables,
}

/// A further page.
#[derive(Debug, Deserialize)]
pub(super) struct MoreVariables {
    pub environment: EnvironmentVariables,
}

/// The variables of an environment, whatever their service.
#[derive(Debug, Deserialize)]
pub(super) struct EnvironmentVariables {
    pub variables: Connection<Variable>,
}

/// A variable without its value.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Variable {
    pub id: String,
    pub name: String,
    pub is_sealed: bool,
    pub service_id: Option<String>,
    pub updated_at: Option<String>,
}

/// Whether a write was made.
#[derive(Debug, Deserialize)]
pub(super) struct Upserted {
    #[serde(rename = "variableCollectionUpsert")]
    pub done: bool,
}

/// Whether a deletion was made.
#[derive(Debug, Deserialize)]
pub(super) struct Deleted {
    #[serde(rename = "variableDelete")]
    pub done: bool,
}

/// Whether a service is deployed once more.
#[derive(Debug, Deserialize)]
pub(super) struct Redeployed {
    #[serde(rename = "serviceInstanceRedeploy")]
    pub done: bool,
}

/// Everything that a user sees.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct AllProjects {
    pub me: Workspaces<WorkspaceProjects>,
    pub external_workspaces: Vec<ExternalWorkspace>,
}

/// A workspace's projects.
#[derive(Debug, Deserialize)]
pub(super) struct WorkspaceAnswer {
    pub workspace: WorkspaceProjects,
}

/// Workspaces of a user or a token.
#[derive(Debug, Deserialize)]
pub(super) struct Workspaces<T> {
    pub workspaces: Vec<T>,
}

/// A workspace with a page of its projects.
#[derive(Debug, Deserialize)]
pub(super) struct WorkspaceProjects {
    pub id: String,
    pub projects: Connection<Project>,
}

/// A workspace that the user is not of, with the projects that are shared with them.
#[derive(Debug, Deserialize)]
pub(super) struct ExternalWorkspace {
    pub projects: Vec<Project>,
}

/// One project.
#[derive(Debug, Deserialize)]
pub(super) struct ProjectAnswer {
    pub project: Project,
}

/// A project, with the first page of each of its parts.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Project {
    pub id: String,
    pub name: String,
    pub deleted_at: Option<String>,
    pub environments: Connection<Environment>,
    pub services: Connection<Service>,
}

/// More of a project's parts.
#[derive(Debug, Deserialize)]
pub(super) struct PartsAnswer {
    pub project: Parts,
}

/// A further page of each.
#[derive(Debug, Deserialize)]
pub(super) struct Parts {
    pub environments: Connection<Environment>,
    pub services: Connection<Service>,
}

/// An environment.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Environment {
    pub id: String,
    pub name: String,
    pub can_access: bool,
    pub deleted_at: Option<String>,
}

/// A service.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Service {
    pub id: String,
    pub name: String,
    pub deleted_at: Option<String>,
    pub repo_triggers: Connection<Trigger>,
}

/// What deploys a service by itself.
#[derive(Debug, Deserialize)]
pub(super) struct Trigger {
    pub repository: String,
}

/// Who a user is.
#[derive(Debug, Deserialize)]
pub(super) struct MeAnswer {
    pub me: User,
}

/// A user.
#[derive(Debug, Deserialize)]
pub(super) struct User {
    pub id: String,
    pub name: Option<String>,
    pub email: Option<String>,
    pub workspaces: Vec<Workspace>,
}

/// A workspace.
#[derive(Debug, Deserialize)]
pub(super) struct Workspace {
    pub id: String,
    pub name: String,
}

/// What a token that is no project's is for.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ApiTokenAnswer {
    pub api_token: Workspaces<Workspace>,
}

/// What a project token is for.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ProjectTokenAnswer<P> {
    pub project_token: ProjectToken<P>,
}

/// One environment of one project.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ProjectToken<P> {
    pub project_id: String,
    pub environment_id: String,
    pub project: P,
    pub environment: Named,
}

/// Something with a name.
#[derive(Debug, Deserialize)]
pub(super) struct Named {
    pub name: String,
}

/// Values for a place. `replace` is sent although false is what the schema says goes without saying: it
/// would delete whatever is not named.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Collection<'a> {
    pub project_id: &'a str,
    pub environment_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service_id: Option<&'a str>,
    pub variables: BTreeMap<&'a str, Exposed<'a>>,
    pub replace: bool,
    pub skip_deploys: bool,
}

/// A variable to delete.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Deletion<'a> {
    pub project_id: &'a str,
    pub environment_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service_id: Option<&'a str>,
    pub name: &'a str,
}

/// A value on its way into a body: the only place where it leaves its wrapper.
#[derive(Debug, Clone, Copy)]
pub(super) struct Exposed<'a>(pub &'a Secret);

impl Serialize for Exposed<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(self.0.expose())
    }
}
