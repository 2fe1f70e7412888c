//! `GET /v1/integrations/{provider}/callback`

use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use keyway_shared::crypto::tokens::hash_token;
use keyway_shared::domain::activity::{Action, Activity, Platform};
use keyway_shared::domain::connection::{AuthMethod, Credential, ProviderAccount, ProviderName};
use keyway_shared::domain::names::is_provider_ref;
use keyway_shared::providers::{Grant, Provider, ProviderError, Session};
use keyway_shared::store::OAuthState;
use serde::Deserialize;
use url::Url;
use utoipa::IntoParams;

use super::{callback_url, cookies, set_cookie};
use crate::context::request_id;
use crate::error::ApiError;
use crate::extract::{Path, Query};
use crate::integrations::connections::new_connection;
use crate::integrations::outside;
use crate::pages::redirect::same_origin;
use crate::pages::{Page, Sign, private};
use crate::schema::Open;
use crate::state::ApiState;

/// What the provider says. What is not needed to finish is not read: `teamId` comes with the token.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(rename_all = "camelCase")]
#[into_params(parameter_in = Query)]
pub(crate) struct CallbackFields {
    /// Proves that the user agreed.
    code: Option<String>,
    /// Tells which authorization this ends.
    state: Option<String>,
    /// The installation at the provider.
    configuration_id: Option<String>,
    /// A page of the provider's to go on to.
    next: Option<String>,
    /// Why the user did not agree.
    error: Option<String>,
}

/// Why an authorization ended without a connection, for the page.
struct Refusal(StatusCode, &'static str);

impl From<ApiError> for Refusal {
    fn from(error: ApiError) -> Self {
        match error.status() {
            StatusCode::NOT_FOUND => Self(StatusCode::NOT_FOUND, "There is no such provider."),
            StatusCode::CONFLICT => Self(
                StatusCode::CONFLICT,
                "This provider cannot be connected yet.",
            ),
            status => Self(
                status,
                "Something went wrong on our side. Please try again.",
            ),
        }
    }
}

/// Finish an authorization
///
/// Where the provider sends the browser back to. Saves the connection, then sends the browser to the
/// `redirect_uri` of its start, or shows a page.
#[utoipa::path(
    get,
    path = "/v1/integrations/{provider}/callback",
    operation_id = "finish_authorization",
    tag = "integrations",
    security(()),
    params(("provider" = String, Path, description = "The provider.", example = "vercel"), CallbackFields),
    responses(
        (status = 200, description = "Connected.", body = String, content_type = "text/html"),
        (status = 302, description = "Connected; to `redirect_uri`.", headers(("Location" = String))),
        (status = 400, description = "The authorization is declined, spent or too old.", body = String, content_type = "text/html"),
        (status = 403, description = "Another browser began it.", body = String, content_type = "text/html"),
        (status = 404, description = "There is no such provider.", body = String, content_type = "text/html"),
        (status = 409, description = "The provider cannot be connected yet.", body = String, content_type = "text/html"),
        (status = 422, description = "A parameter appears twice."),
        (status = 502, description = "The provider did not answer as it should.", body = String, content_type = "text/html"),
        Open
    )
)]
pub(crate) async fn finish_authorization(
    State(state): State<ApiState>,
    Path(provider): Path<String>,
    headers: HeaderMap,
    Query(fields): Query<CallbackFields>,
) -> Response {
    let mut response = match finish(&state, &provider, &headers, &fields).await {
        Ok(response) => response,
        Err(Refusal(status, text)) => {
            Page::new(status, Sign::Failed, "Not connected", text).answer(&state)
        }
    };
    private(&mut response);
    // The cookie has done its work.
    if let Ok(cookie) = HeaderValue::from_str(&set_cookie(&state.options, "")) {
        response.headers_mut().insert(header::SET_COOKIE, cookie);
    }
    response
}

async fn finish(
    state: &ApiState,
    provider: &str,
    headers: &HeaderMap,
    fields: &CallbackFields,
) -> Result<Response, Refusal> {
    let name = outside::provider_name(provider)?;
    let provider = outside::provider(state, name)?;
    let started = take(state, name, headers, fields.state.as_deref()).await?;
    if fields.error.is_some() {
        return Err(Refusal(
            StatusCode::BAD_REQUEST,
            "The provider says that the authorization was declined. Nothing was saved.",
        ));
    }
    let code = fields.code.as_deref().filter(|code| !code.is_empty());
    let code = code.ok_or(Refusal(
        StatusCode::BAD_REQUEST,
        "The provider sent no code. Please start again.",
    ))?;
    let (grant, account) = ask(state, &*provider, name, code).await?;
    let title = format!("Connected with {}", provider.descriptor().display_name);
    let text = format!(
        "{} is connected. You can close this page.",
        account.display_name()
    );
    let installation = fields.configuration_id.clone();
    save(state, &started, grant, &account, installation).await?;

    let back = started.redirect_uri.or_else(|| {
        // Only a page of the provider itself: anybody can write the address of this one.
        let home = provider.authorize_url("x", "x")?;
        same_origin(&home, fields.next.as_deref()?).map(Url::into)
    });
    Ok(
        match back.and_then(|back| HeaderValue::from_str(&back).ok()) {
            Some(back) => (StatusCode::FOUND, [(header::LOCATION, back)]).into_response(),
            None => Page::new(StatusCode::OK, Sign::Done, &title, &text).answer(state),
        },
    )
}

/// Takes the state out, which works once, and sees that this is the browser that began.
async fn take(
    state: &ApiState,
    name: ProviderName,
    headers: &HeaderMap,
    state_token: Option<&str>,
) -> Result<OAuthState, Refusal> {
    let spent = Refusal(
        StatusCode::BAD_REQUEST,
        "This authorization is unknown, was used already, or took too long. Please start again \
         from Keyway.",
    );
    let Some(token) = state_token else {
        return Err(spent);
    };
    let unit = async {
        let mut tx = state.store.begin().await?;
        let now = tx.now().await?;
        let found = tx.take_oauth_state(&hash_token(token), now).await?;
        tx.commit().await?;
        Ok::<_, ApiError>(found)
    };
    let Some(started) = unit.await?.filter(|started| started.provider == name) else {
        return Err(spent);
    };
    if cookies(headers).any(|cookie| hash_token(cookie) == started.browser_hash) {
        Ok(started)
    } else {
        Err(Refusal(
            StatusCode::FORBIDDEN,
            "This authorization was begun in another browser. Please start again in this one.",
        ))
    }
}

/// Exchanges the code and asks whose account it is.
async fn ask(
    state: &ApiState,
    provider: &dyn Provider,
    name: ProviderName,
    code: &str,
) -> Result<(Grant, ProviderAccount), Refusal> {
    let callback = callback_url(&state.options, name);
    let answer = async {
        let grant = provider.exchange_code(code, &callback).await?;
        let session = Session::unguarded(Credential {
            token: grant.token.clone(),
            team_id: grant.team_id.clone(),
            installation_id: grant.installation_id.clone(),
        });
        let account = provider.account(&session).await?;
        Ok((grant, account))
    };
    answer.await.map_err(|error: ProviderError| {
        tracing::warn!(provider = %name, outcome = error.outcome(), "an authorization failed");
        match error {
            ProviderError::Invalid { .. } => Refusal(
                StatusCode::BAD_REQUEST,
                "The provider did not accept the authorization; it works once and not for long. \
                 Please start again. If this happens again, the integration's client id and \
                 secret need the operator's care.",
            ),
            ProviderError::RateLimited { .. } => Refusal(
                StatusCode::SERVICE_UNAVAILABLE,
                "The provider limits requests. Please try again later.",
            ),
            ProviderError::Unauthorized | ProviderError::Forbidden | ProviderError::NotFound => {
                Refusal(
                    StatusCode::BAD_REQUEST,
                    "The provider gave a credential that does not work. Please start again.",
                )
            }
            _ => Refusal(
                StatusCode::BAD_GATEWAY,
                "The provider did not answer as it should. Please try again.",
            ),
        }
    })
}

async fn save(
    state: &ApiState,
    started: &OAuthState,
    grant: Grant,
    account: &ProviderAccount,
    configuration_id: Option<String>,
) -> Result<(), ApiError> {
    let mut tx = state.store.begin().await?;
    let now = tx.now().await?;
    let user = tx.find_user(started.user_id).await?;
    let user = user.ok_or_else(|| ApiError::not_found("user"))?;
    let installation = grant
        .installation_id
        .or(configuration_id.filter(|id| is_provider_ref(id)));
    let connection = new_connection(
        state.ambient.new_id(),
        user.id,
        started.provider,
        account,
        AuthMethod::OAuth,
        installation,
        now,
    );
    tx.upsert_connection(&connection, &grant.token).await?;
    tx.insert_activity(&Activity {
        id: state.ambient.new_id(),
        at: now,
        action: Action::IntegrationConnected,
        user_id: Some(user.id),
        username: user.username,
        vault_id: None,
        repo_full_name: None,
        platform: Platform::Web,
        ip: None,
        api_key_id: None,
        session_id: None,
        request_id: Some(request_id().as_ref().to_owned()),
        metadata: serde_json::json!({ "provider": started.provider, "method": AuthMethod::OAuth }),
    })
    .await?;
    tx.commit().await?;
    Ok(())
}
