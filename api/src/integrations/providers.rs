//! `GET /v1/integrations`

use axum::extract::State;
use keyway_shared::providers::Descriptor;
use serde::Serialize;
use utoipa::ToSchema;

use crate::envelope::{Data, Envelope};
use crate::schema::Open;
use crate::state::ApiState;

/// What a provider can do.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Capabilities {
    /// Environments that every project has.
    environments: Vec<&'static str>,
    /// Whether projects have environments of their own making as well.
    custom_environments: bool,
    /// The environment that `gitBranch` may narrow.
    branch_environment: Option<&'static str>,
    /// Whether values apply only after a new deployment.
    needs_redeploy: bool,
    /// Most variables in one environment.
    max_variables: usize,
}

/// A provider.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Provider)]
pub(crate) struct ProviderBody {
    /// Its name in paths.
    #[schema(example = "vercel")]
    name: &'static str,
    /// Its name for people.
    display_name: &'static str,
    /// Whether a user can connect right now.
    configured: bool,
    /// How a user can connect right now.
    #[schema(example = json!(["oauth", "token"]))]
    auth_methods: Vec<&'static str>,
    /// Whether this service can sync with it.
    #[schema(pattern = "^(available|coming-soon)$")]
    status: &'static str,
    /// What it can do.
    capabilities: Capabilities,
}

impl From<Descriptor> for ProviderBody {
    fn from(provider: Descriptor) -> Self {
        Self {
            name: provider.name.as_str(),
            display_name: provider.display_name,
            configured: provider.available && !provider.auth_methods.is_empty(),
            auth_methods: provider
                .auth_methods
                .iter()
                .map(|method| method.as_str())
                .collect(),
            status: if provider.available {
                "available"
            } else {
                "coming-soon"
            },
            capabilities: Capabilities {
                environments: provider.environments.to_vec(),
                custom_environments: provider.custom_environments,
                branch_environment: provider.branch_environment,
                needs_redeploy: provider.needs_redeploy,
                max_variables: provider.limits.max_variables,
            },
        }
    }
}

/// The providers.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Providers {
    providers: Vec<ProviderBody>,
}

/// List providers
///
/// Every provider, whether it can be connected right now, and what it can do. Open to everyone.
#[utoipa::path(
    get,
    path = "/v1/integrations",
    operation_id = "list_providers",
    tag = "integrations",
    security(()),
    responses((status = 200, description = "The providers.", body = Envelope<Providers>), Open)
)]
pub(crate) async fn list_providers(State(state): State<ApiState>) -> Data<Providers> {
    let providers = state.providers.descriptors();
    Data(Providers {
        providers: providers.into_iter().map(ProviderBody::from).collect(),
    })
}
