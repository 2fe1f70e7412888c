//! Signing in and out: sessions, and what a browser keeps of them.

pub(crate) mod cookies;
pub(crate) mod logout;
pub(crate) mod roles;
pub(crate) mod sessions;
pub(crate) mod validate_token;

use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::state::ApiState;

pub(crate) fn routes() -> OpenApiRouter<ApiState> {
    OpenApiRouter::new()
        .routes(routes!(logout::log_out))
        .routes(routes!(validate_token::validate_token))
        .routes(routes!(sessions::list::list_sessions))
        .routes(routes!(sessions::revoke::revoke_session))
}
