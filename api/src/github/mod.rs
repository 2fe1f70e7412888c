//! What existing clients ask about GitHub before they begin.

pub(crate) mod check_installation;
pub(crate) mod repo_ids;

use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::state::ApiState;

pub(crate) fn routes() -> OpenApiRouter<ApiState> {
    OpenApiRouter::new()
        .routes(routes!(repo_ids::get_repo_ids))
        .routes(routes!(check_installation::check_installation))
}
