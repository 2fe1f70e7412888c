//! `POST /v1/integrations/{provider}/webhook`

use axum::extract::{Request, State};
use axum::http::HeaderValue;
use keyway_shared::domain::connection::ProviderName;
use keyway_shared::domain::job::JobClass;
use keyway_shared::providers::notice::NOTICE_COUNTS;
use keyway_shared::providers::{Notice, NoticeError, NoticeKind};
use keyway_shared::store::StoreError;

use super::outside::provider_name;
use crate::envelope::NoContent;
use crate::error::ApiError;
use crate::extract::{Path, bytes};
use crate::schema::{Missing, Open, Signed};
use crate::state::ApiState;

/// Take a provider's notice
///
/// The address to give the provider for its webhook: at Vercel, that of the integration's console. When the
/// integration was removed there, its connections need to be made again at once. Each call has to bear the
/// provider's signature of its body (Vercel: `x-vercel-signature`); a notice that was here before, an old
/// one, and one of another type change nothing.
#[utoipa::path(
    post,
    path = "/v1/integrations/{provider}/webhook",
    operation_id = "receive_notice",
    tag = "integrations",
    params(("provider" = String, Path, description = "The provider.", example = "vercel")),
    request_body(content = String, description = "As the provider describes it: JSON, as the bytes that it signed.",
        content_type = "application/octet-stream"),
    responses(
        (status = 204, description = "It was taken."),
        Signed, Missing, Open
    ),
    security(())
)]
pub(crate) async fn receive_notice(
    State(state): State<ApiState>,
    Path(provider): Path<String>,
    request: Request,
) -> Result<NoContent, ApiError> {
    let name = provider_name(&provider)?;
    let none = || ApiError::not_found("webhook");
    let provider = state.providers.get(name).ok_or_else(none)?;
    let headers = request.headers().clone();
    let body = bytes(request, &state).await?;
    let header = |name: &str| headers.get(name).map(HeaderValue::as_bytes);
    let notice = provider
        .read_notice(&header, &body)
        .map_err(|error| match error {
            NoticeError::NotConfigured => none(),
            NoticeError::BadSignature => ApiError::Unauthorized("The signature does not fit"),
            NoticeError::Unreadable => ApiError::bad_request("The notice cannot be understood"),
        })?;
    act(&state, name, &notice).await?;
    Ok(NoContent)
}

/// Does what a notice asks for, once.
async fn act(state: &ApiState, provider: ProviderName, notice: &Notice) -> Result<(), StoreError> {
    let NoticeKind::InstallationRemoved { installation_id } = &notice.kind else {
        return Ok(());
    };
    let mut tx = state.store.begin().await?;
    let now = tx.now().await?;
    let is_old = notice.at + NOTICE_COUNTS < now;
    if is_old || !tx.receive_event(provider, &notice.id, now).await? {
        return tx.commit().await;
    }
    let mut told = Vec::new();
    let lost = tx.lose_installation(provider, installation_id, now).await?;
    for connection in &lost {
        told.extend(tx.publish_needs_reconnect(*connection, None).await?);
    }
    tx.commit().await?;
    tracing::info!(%provider, connections = lost.len(), "an installation was removed");
    // The sweeper hands out what is due now; a ring brings this forward.
    state.queue.ring_all(&told, JobClass::Background).await;
    Ok(())
}
