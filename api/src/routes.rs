//! The one route table. A route that is not documented is not served.

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware::from_fn_with_state;
use axum::routing::get;
use tower_http::catch_panic::CatchPanicLayer;
use utoipa::openapi::OpenApi;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::bounds::bounds;
use crate::error::ApiError;
use crate::idempotency::once;
use crate::limit::limit;
use crate::middleware::{Observed, Operations, cors, observe, on_panic};
use crate::state::ApiState;
use crate::{
    activity, api_keys, auth, bulk, environments, github, integrations, jobs, members, operations,
    orgs, pauses, schema, secrets, users, vaults, webhooks,
};

fn table() -> OpenApiRouter<ApiState> {
    OpenApiRouter::with_openapi(schema::base())
        .merge(vault_routes())
        .merge(secret_routes())
        .merge(account_routes())
        .merge(auth::routes())
        .merge(github::routes())
        .merge(integrations::routes())
        .merge(jobs::routes())
        .merge(webhooks::routes())
        .merge(operation_routes())
        .merge(pauses::routes())
}

fn vault_routes() -> OpenApiRouter<ApiState> {
    OpenApiRouter::new()
        .routes(routes!(
            vaults::list::list_vaults,
            vaults::create::create_vault
        ))
        .routes(routes!(
            vaults::get::get_vault,
            vaults::delete::delete_vault
        ))
        .routes(routes!(
            members::list::list_members,
            members::add::add_member
        ))
        .routes(routes!(members::remove::remove_member))
        .routes(routes!(members::contributors::list_contributors))
        .routes(routes!(
            environments::list::list_environments,
            environments::create::create_environment
        ))
        .routes(routes!(
            environments::rename::rename_environment,
            environments::delete::delete_environment
        ))
        .routes(routes!(environments::set_type::set_environment_type))
        .routes(routes!(environments::set_rules::set_environment_rules))
}

fn secret_routes() -> OpenApiRouter<ApiState> {
    OpenApiRouter::new()
        .routes(routes!(
            secrets::list::list_secrets,
            secrets::create::create_secret
        ))
        .routes(routes!(
            secrets::update::update_secret,
            secrets::delete::delete_secret
        ))
        .routes(routes!(secrets::value::get_secret_value))
        .routes(routes!(secrets::versions::list_secret_versions))
        .routes(routes!(secrets::version_value::get_secret_version_value))
        .routes(routes!(secrets::version_restore::restore_secret_version))
        .routes(routes!(
            secrets::trash_list::list_trash,
            secrets::trash_empty::empty_trash
        ))
        .routes(routes!(secrets::trash_delete::delete_trashed_secret))
        .routes(routes!(secrets::trash_restore::restore_secret))
        .routes(routes!(bulk::push::push_secrets))
        .routes(routes!(bulk::pull::pull_secrets))
        .routes(routes!(bulk::view::view_secret))
}

fn account_routes() -> OpenApiRouter<ApiState> {
    OpenApiRouter::new()
        .routes(routes!(
            api_keys::list::list_api_keys,
            api_keys::create::create_api_key
        ))
        .routes(routes!(
            api_keys::get::get_api_key,
            api_keys::revoke::revoke_api_key
        ))
        .routes(routes!(users::me::get_me))
        .routes(routes!(users::usage::get_usage))
        .routes(routes!(orgs::list::list_orgs))
        .routes(routes!(activity::list::list_activity))
        .routes(routes!(activity::export::export_activity))
}

fn operation_routes() -> OpenApiRouter<ApiState> {
    OpenApiRouter::new()
        .routes(routes!(operations::health::get_liveness))
        .routes(routes!(operations::health::get_version))
        .routes(routes!(operations::health::get_health))
        .routes(routes!(operations::ready::get_readiness))
        .routes(routes!(operations::metrics::get_metrics))
        .routes(routes!(operations::openapi::get_openapi))
        .routes(routes!(operations::docs::get_docs))
}

/// What the reference's pages are made of: files, not operations, so not in the document.
fn pages() -> Router<ApiState> {
    Router::new()
        .route("/docs/", get(operations::docs::index))
        .route("/docs/{*path}", get(operations::docs::asset))
}

/// The OpenAPI document of every route.
pub fn openapi() -> OpenApi {
    schema::complete(table().into_openapi())
}

/// The API, ready to be served.
pub fn router(state: ApiState) -> Router {
    let (router, openapi) = table().split_for_parts();
    let observed = Observed {
        state: state.clone(),
        operations: Operations::of(&openapi),
    };
    router
        .merge(pages())
        .fallback(|| async { ApiError::NotFound("There is nothing at this path".into()) })
        .method_not_allowed_fallback(|| async { ApiError::MethodNotAllowed })
        .layer(from_fn_with_state(state.clone(), once))
        .layer(from_fn_with_state(state.clone(), limit))
        .layer(from_fn_with_state(state.clone(), auth::cookies::tidy))
        .layer(DefaultBodyLimit::max(state.options.max_body))
        .layer(from_fn_with_state(state.clone(), bounds))
        .layer(CatchPanicLayer::custom(on_panic))
        .layer(cors(&state.options.cors_origins))
        .layer(from_fn_with_state(observed, observe))
        .with_state(state)
}
