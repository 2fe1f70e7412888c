//! Integrations: providers, connections with them, and the syncs of vaults.

mod connect;
mod connections;
mod links;
mod notices;
mod oauth;
pub(crate) mod outside;
mod providers;
pub(crate) mod sync;

use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::state::ApiState;

/// The routes, to be merged into the one table.
pub(crate) fn routes() -> OpenApiRouter<ApiState> {
    OpenApiRouter::new()
        .routes(routes!(providers::list_providers))
        .routes(routes!(connect::connect_provider))
        .routes(routes!(oauth::ticket::create_authorize_ticket))
        .routes(routes!(
            oauth::authorize::authorize_provider,
            oauth::authorize::confirm_authorization
        ))
        .routes(routes!(oauth::callback::finish_authorization))
        .routes(routes!(
            oauth::pending::show_pending_connection,
            oauth::pending::answer_pending_connection
        ))
        .routes(routes!(notices::receive_notice))
        .routes(routes!(connections::list::list_connections))
        .routes(routes!(connections::delete::delete_connection))
        .routes(routes!(connections::projects::list_connection_projects))
        .routes(routes!(connections::all_projects::list_provider_projects))
        .routes(routes!(sync::status::get_sync_status))
        .routes(routes!(sync::preview::preview_sync))
        .routes(routes!(sync::diff::diff_sync))
        .routes(routes!(sync::run::run_sync))
        .routes(routes!(links::create::create_link))
        .routes(routes!(links::list::list_links))
        .routes(routes!(
            links::get::get_link,
            links::update::update_link,
            links::delete::delete_link
        ))
        .routes(routes!(links::heal::heal_link))
}
