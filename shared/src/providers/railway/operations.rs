//! What is asked of Railway, in its own language. A test holds each against the vendor's schema.

/// The parts of a project that are shown. What deploys a service by itself names its repository; to
/// ask each environment for its instances would cost a call for each project.
macro_rules! with_project {
    ($operation:literal) => {
        concat!(
            $operation,
            " fragment parts on Project { id name deletedAt \
               environments(first: 100) { \
                 edges { node { id name canAccess deletedAt } } \
                 pageInfo { hasNextPage endCursor } } \
               services(first: 100) { \
                 edges { node { id name deletedAt \
                   repoTriggers(first: 1) { edges { node { repository } } } } } \
                 pageInfo { hasNextPage endCursor } } }"
        )
    };
}

/// Values as they were written, and what there is to know of all variables of the environment. Without
/// `unrendered` references come resolved, and what was written back would be their values of now. A
/// variable's `service` is not asked for: it cannot be null by the schema, and is for what is shared.
/// `projectId` beside the environment's: one of another project is refused.
pub(super) const VARIABLES: &str = "query($projectId: String!, $environmentId: String!, \
    $serviceId: String, $first: Int!) { \
    variables(projectId: $projectId, environmentId: $environmentId, serviceId: $serviceId, \
      unrendered: true) \
    environment(id: $environmentId, projectId: $projectId) { variables(first: $first) { \
      edges { node { id name isSealed serviceId updatedAt } } \
      pageInfo { hasNextPage endCursor } } } }";

/// A further page of the latter.
pub(super) const MORE_VARIABLES: &str = "query($projectId: String!, $environmentId: String!, \
    $first: Int!, $after: String!) { \
    environment(id: $environmentId, projectId: $projectId) { \
      variables(first: $first, after: $after) { \
        edges { node { id name isSealed serviceId updatedAt } } \
        pageInfo { hasNextPage endCursor } } } }";

/// Creates and updates.
pub(super) const UPSERT: &str =
    "mutation($input: VariableCollectionUpsertInput!) { variableCollectionUpsert(input: $input) }";

/// Deletes one.
pub(super) const DELETE: &str =
    "mutation($input: VariableDeleteInput!) { variableDelete(input: $input) }";

/// Deploys what a service runs once more, with the values of now.
pub(super) const REDEPLOY: &str = "mutation($environmentId: String!, $serviceId: String!) { \
    serviceInstanceRedeploy(environmentId: $environmentId, serviceId: $serviceId) }";

/// What a user sees: `projects` alone is not everything.
pub(super) const ALL_PROJECTS: &str = with_project!(
    "query { \
       me { workspaces { id projects(first: 100) { \
         edges { node { ...parts } } pageInfo { hasNextPage endCursor } } } } \
       externalWorkspaces { projects { ...parts } } }"
);

/// The projects of a workspace.
pub(super) const WORKSPACE_PROJECTS: &str = with_project!(
    "query($id: String!, $after: String) { \
       workspace(workspaceId: $id) { id projects(first: 100, after: $after) { \
         edges { node { ...parts } } pageInfo { hasNextPage endCursor } } } }"
);

/// One project.
pub(super) const PROJECT: &str =
    with_project!("query($id: String!) { project(id: $id) { ...parts } }");

/// The one that a project token is for.
pub(super) const PROJECT_OF_TOKEN: &str = with_project!(
    "query { projectToken { projectId environmentId project { ...parts } environment { name } } }"
);

/// Further pages of a project's parts.
pub(super) const MORE_PARTS: &str = "query($id: String!, $environments: String, \
    $services: String) { project(id: $id) { \
      environments(first: 100, after: $environments) { \
        edges { node { id name canAccess deletedAt } } pageInfo { hasNextPage endCursor } } \
      services(first: 100, after: $services) { \
        edges { node { id name deletedAt \
          repoTriggers(first: 1) { edges { node { repository } } } } } \
        pageInfo { hasNextPage endCursor } } } }";

/// Whose an account's token is.
pub(super) const ME: &str = "query { me { id name email workspaces { id name } } }";

/// What any token but a project's is for.
pub(super) const API_TOKEN: &str = "query { apiToken { workspaces { id name } } }";

/// What a project's token is for.
pub(super) const PROJECT_TOKEN: &str = "query { projectToken { \
    projectId environmentId project { name } environment { name } } }";
