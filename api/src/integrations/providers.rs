//! `GET /v1/integrations`

use std::collections::BTreeMap;

use axum::extract::State;
use keyway_shared::domain::gate::CallFamily;
use keyway_shared::providers::Descriptor;
use keyway_shared::providers::capabilities::{Budgets, Reading, Rollout, TokenKind};
use serde::Serialize;
use utoipa::ToSchema;

use crate::envelope::{Data, Envelope};
use crate::schema::Open;
use crate::state::ApiState;

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
    #[schema(pattern = "^available$")]
    status: &'static str,
    /// What OAuth with it is like; `null`: it has none for services like this one.
    oauth: Option<OAuthBody>,
    /// The tokens that can be pasted, the recommended kind first.
    tokens: Vec<TokenBody>,
    /// What it can do.
    capabilities: Capabilities,
}

/// OAuth with a provider.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = ProviderOAuth)]
pub(crate) struct OAuthBody {
    /// The operator has set it up.
    configured: bool,
    /// The code is bound to who began (RFC 7636).
    pkce: bool,
    /// Its tokens end and are renewed.
    renews: bool,
}

/// A kind of token.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = ProviderToken)]
pub(crate) struct TokenBody {
    /// Its name.
    kind: &'static str,
    /// The provider's own name for it.
    display_name: &'static str,
    /// What can be reached with it.
    reach: &'static str,
}

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
    /// Whether one value can be that of several environments at once.
    shares_values: bool,
    /// The environment to suggest for vault environments of usual names. For others there is none to
    /// suggest: least of all production.
    suggested_environments: BTreeMap<&'static str, &'static str>,
    /// Whether projects have services, each with values of its own, that `serviceId` names.
    services: bool,
    /// Whether values can be pulled.
    pull: bool,
    /// How values are known: a list shows them, each is read by itself, or only a digest tells whether a
    /// value is the one that was written last.
    #[schema(pattern = "^(listed|single|digest)$")]
    reading: &'static str,
    /// Whether a value that was written here is known to be still there without reading it.
    stamps_writes: bool,
    /// Its word for variables that nobody can read again, where others can be read.
    write_only_type: Option<&'static str>,
    /// Whether a sync can make such variables (`variableType: sensitive`).
    can_make_write_only: bool,
    /// What begins a reference to another variable inside of a value, where it resolves them.
    reference: Option<&'static str>,
    /// Most variables that one call creates; `null`: any number.
    creates_per_call: Option<u32>,
    /// Most that one call updates.
    updates_per_call: Option<u32>,
    /// Most that one call deletes.
    deletes_per_call: Option<u32>,
    /// What creates and updates set off by themselves: nothing, so that deployments to come get them; a
    /// deployment; or nothing until somebody rolls out what is staged.
    #[schema(pattern = "^(next-deployment|deploys|staged)$")]
    write_effect: &'static str,
    /// What deletes set off by themselves.
    #[schema(pattern = "^(next-deployment|deploys|staged)$")]
    delete_effect: &'static str,
    /// What a sync does when asked to put into effect what it wrote (`rollout`): one new deployment of the
    /// service, an update of each machine, or a build; `null`: there is nothing to ask for.
    #[schema(pattern = "^(redeploy|machines|build)$")]
    rollout: Option<&'static str>,
    /// Whether values apply only after a new deployment.
    needs_redeploy: bool,
    /// Most variables in one environment; `null`: no limit is known.
    max_variables: Option<usize>,
    /// Names that belong to the platform and are left out.
    reserved_names: Vec<&'static str>,
    /// Beginnings of such names.
    reserved_prefixes: Vec<&'static str>,
    /// How many calls an account may make, as far as the provider says.
    rate_budgets: Vec<RateBudget>,
}

/// So many calls in a time.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct RateBudget {
    /// The kinds of calls that are counted together.
    calls: Vec<&'static str>,
    /// How many.
    limit: u32,
    /// In which time.
    window_seconds: u64,
}

impl From<&Descriptor> for ProviderBody {
    fn from(provider: &Descriptor) -> Self {
        let methods = provider.sign_in.methods();
        Self {
            name: provider.name.as_str(),
            display_name: provider.display_name,
            configured: !methods.is_empty(),
            auth_methods: methods.iter().map(|method| method.as_str()).collect(),
            status: "available",
            oauth: provider.sign_in.oauth.map(|oauth| OAuthBody {
                configured: oauth.is_configured,
                pkce: oauth.pkce,
                renews: oauth.renews,
            }),
            tokens: provider.sign_in.tokens.iter().map(token).collect(),
            capabilities: capabilities(provider),
        }
    }
}

fn token(kind: &TokenKind) -> TokenBody {
    TokenBody {
        kind: kind.name,
        display_name: kind.display_name,
        reach: kind.reach,
    }
}

fn capabilities(provider: &Descriptor) -> Capabilities {
    let (environments, values) = (provider.environments, provider.values);
    let writes = provider.writes;
    Capabilities {
        environments: environments.fixed.to_vec(),
        custom_environments: environments.named,
        branch_environment: environments.branches,
        shares_values: environments.share_values,
        suggested_environments: environments.suggested.iter().copied().collect(),
        services: provider.services,
        pull: values.reading != Reading::Digest,
        reading: values.reading.as_str(),
        stamps_writes: values.stamps_writes,
        write_only_type: values.write_only.map(|of| of.kind),
        can_make_write_only: values.write_only.is_some_and(|of| of.can_be_made),
        reference: values.reference,
        creates_per_call: writes.creates_per_call,
        updates_per_call: writes.updates_per_call,
        deletes_per_call: writes.deletes_per_call,
        write_effect: writes.effect.as_str(),
        delete_effect: writes.delete_effect.as_str(),
        rollout: writes.rollout.map(Rollout::as_str),
        needs_redeploy: true,
        max_variables: provider.limits.max_variables,
        reserved_names: provider.reserved.names.to_vec(),
        reserved_prefixes: provider.reserved.prefixes.to_vec(),
        rate_budgets: rate_budgets(&provider.budgets),
    }
}

fn rate_budgets(budgets: &Budgets) -> Vec<RateBudget> {
    let families = CallFamily::ALL.iter().copied();
    let mut shown: BTreeMap<CallFamily, RateBudget> = BTreeMap::new();
    for (family, budget) in families.filter_map(|family| Some((family, budgets.of(family)?))) {
        let entry = shown.entry(budgets.counted_as(family));
        let entry = entry.or_insert_with(|| RateBudget {
            calls: Vec::new(),
            limit: budget.calls,
            window_seconds: budget.window.as_secs(),
        });
        entry.calls.push(family.as_str());
    }
    shown.into_values().collect()
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
    let providers = state.providers.all();
    Data(Providers {
        providers: providers
            .map(|provider| ProviderBody::from(provider.descriptor()))
            .collect(),
    })
}
