//! Signing in and out: sessions, and what a browser keeps of them.

mod browser;
pub(crate) mod cookies;
mod device;
mod local;
pub(crate) mod logout;
pub(crate) mod roles;
mod session;
pub(crate) mod sessions;
pub(crate) mod test_keys;
pub(crate) mod validate_token;

use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use crate::error::ApiError;
use crate::state::ApiState;

/// The number of a user's account at GitHub; `None` in local mode.
pub(crate) async fn github_id(state: &ApiState, user: Uuid) -> Result<Option<String>, ApiError> {
    if state.roles.is_none() {
        return Ok(None);
    }
    let mut tx = state.store.begin_read_statement().await?;
    let account = tx.github_account(user).await?;
    tx.commit().await?;
    Ok(account.map(|account| account.github_id.to_string()))
}

pub(crate) fn routes() -> OpenApiRouter<ApiState> {
    OpenApiRouter::new()
        .routes(routes!(device::start::start_device_sign_in))
        .routes(routes!(device::poll::poll_device_sign_in))
        .routes(routes!(
            device::verify::show_device_sign_in,
            device::verify::answer_device_sign_in
        ))
        .routes(routes!(browser::start::start_browser_sign_in))
        .routes(routes!(browser::key::sign_in_with_key))
        .routes(routes!(browser::callback::finish_sign_in))
        .routes(routes!(logout::log_out))
        .routes(routes!(validate_token::validate_token))
        .routes(routes!(sessions::list::list_sessions))
        .routes(routes!(sessions::revoke::revoke_session))
}
