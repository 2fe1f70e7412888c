//! `GET` and `POST /v1/auth/device/verify`

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use keyway_shared::crypto::tokens::{hash_token, typed_user_code};
use keyway_shared::github::SignIn;
use keyway_shared::secret::Secret;
use keyway_shared::store::DeviceSignIn;
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};

use super::VERIFY;
use crate::auth::browser::send_away;
use crate::auth::browser::start::not_set_up;
use crate::auth::{cookies, local};
use crate::error::ApiError;
use crate::extract::{ClientInfo, Form, Query};
use crate::pages::{self, Field, Page, Sign};
use crate::schema::{Invalid, Open};
use crate::state::ApiState;

const UNKNOWN: &str = "This code is not known, was used already, or is older than 15 minutes. Ask the \
                       device for a new one.";

/// The code, when the address bears it.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct VerifyFields {
    /// As the device shows it.
    user_code: Option<String>,
}

/// What the page sends.
#[derive(Deserialize, ToSchema)]
pub(crate) struct VerifyForm {
    user_code: String,
    /// `approve` or `deny`; without it the page asks.
    decision: Option<String>,
    /// In local mode: whose device it is.
    #[schema(value_type = Option<String>)]
    api_key: Option<Secret>,
}

/// Show a device's sign-in
///
/// The page on which somebody types the code of a device, and approves or refuses it.
#[utoipa::path(get, path = "/v1/auth/device/verify", operation_id = "show_device_sign_in", tag = "auth",
    security(()), params(VerifyFields),
    responses(
        (status = 200, description = "The page.", body = String, content_type = "text/html"),
        (status = 404, description = "The code is not known.", body = String, content_type = "text/html"),
        Invalid, Open
    ))]
pub(crate) async fn show_device_sign_in(
    State(state): State<ApiState>,
    Query(fields): Query<VerifyFields>,
) -> Result<Response, ApiError> {
    match fields.user_code.as_deref() {
        None | Some("") => Ok(ask_for_code(&state, StatusCode::OK, None)),
        Some(typed) => match find(&state, typed).await? {
            Some((code, device)) => Ok(ask(&state, StatusCode::OK, &code, &device, None)),
            None => Ok(ask_for_code(&state, StatusCode::NOT_FOUND, Some(UNKNOWN))),
        },
    }
}

/// Approve or refuse a device's sign-in
///
/// What the page sends. To approve, the browser is sent to GitHub; in local mode the form bears an API
/// key.
#[utoipa::path(post, path = "/v1/auth/device/verify", operation_id = "answer_device_sign_in", tag = "auth",
    security(()),
    request_body(content = VerifyForm, content_type = "application/x-www-form-urlencoded"),
    responses(
        (status = 200, description = "Approved, refused, or asked.", body = String, content_type = "text/html"),
        (status = 303, description = "To GitHub.", headers(("Location" = String), ("Set-Cookie" = String))),
        (status = 400, description = "The form is not what the page sends.", body = String, content_type = "text/html"),
        (status = 401, description = "The key is not taken.", body = String, content_type = "text/html"),
        (status = 403, description = "The form does not come from our page.", body = String, content_type = "text/html"),
        (status = 404, description = "The code is not known.", body = String, content_type = "text/html"),
        (status = 409, description = "Sign-in through GitHub is not set up.", body = String, content_type = "text/html"),
        Open
    ))]
pub(crate) async fn answer_device_sign_in(
    State(state): State<ApiState>,
    headers: HeaderMap,
    client: ClientInfo,
    form: Result<Form<VerifyForm>, ApiError>,
) -> Result<Response, ApiError> {
    let tell = |status, sign, title, text| Page::new(status, sign, title, text).answer(&state);
    if !cookies::is_from_own_page(&state.options, &headers) {
        let text = "The form was not sent from our own page. Please open it again.";
        return Ok(tell(
            StatusCode::FORBIDDEN,
            Sign::Failed,
            "Not signed in",
            text,
        ));
    }
    let Ok(Form(form)) = form else {
        let text = "The form is not complete. Please open the page again.";
        return Ok(tell(
            StatusCode::BAD_REQUEST,
            Sign::Failed,
            "Not signed in",
            text,
        ));
    };
    let Some((code, device)) = find(&state, &form.user_code).await? else {
        return Ok(ask_for_code(&state, StatusCode::NOT_FOUND, Some(UNKNOWN)));
    };
    let mut user = None;
    match form.decision.as_deref() {
        Some("deny") => {}
        Some("approve") => {
            if let Some(roles) = &state.roles {
                let Some(sign_in) = roles.sign_in() else {
                    return Ok(not_set_up(&state));
                };
                let mut tx = state.store.begin().await?;
                let now = tx.now().await?;
                return send_away(tx, &state, sign_in, Some(device.id), None, now).await;
            }
            let key = form.api_key.unwrap_or_else(|| Secret::new(""));
            match local::user_of(&state, key.expose(), &client).await? {
                Ok(found) => user = Some(found),
                Err(text) => {
                    let status = StatusCode::UNAUTHORIZED;
                    return Ok(ask(&state, status, &code, &device, Some(&text)));
                }
            }
        }
        _ => return Ok(ask(&state, StatusCode::OK, &code, &device, None)),
    }
    let mut tx = state.store.begin().await?;
    let now = tx.now().await?;
    let id = user.as_ref().map(|user| user.id);
    let answered = tx.answer_device_sign_in(device.id, id, now).await?;
    tx.commit().await?;
    if !answered {
        return Ok(ask_for_code(&state, StatusCode::NOT_FOUND, Some(UNKNOWN)));
    }
    Ok(match user {
        Some(user) => {
            let text = format!(
                "The device is signed in as {}. You can close this page and go back to it.",
                user.username
            );
            tell(StatusCode::OK, Sign::Done, "You are all set", &text)
        }
        None => tell(
            StatusCode::OK,
            Sign::Done,
            "Refused",
            "The device was not signed in, and its code does not work any more.",
        ),
    })
}

/// The question that somebody typed the code of.
async fn find(state: &ApiState, typed: &str) -> Result<Option<(String, DeviceSignIn)>, ApiError> {
    let Some(code) = typed_user_code(typed) else {
        return Ok(None);
    };
    let mut tx = state.store.begin_read().await?;
    let now = tx.now().await?;
    let device = tx.find_device_sign_in(&hash_token(&code), now).await?;
    tx.commit().await?;
    Ok(device.map(|device| (code, device)))
}

fn ask_for_code(state: &ApiState, status: StatusCode, problem: Option<&str>) -> Response {
    let (sign, text) = match problem {
        Some(problem) => (Sign::Failed, problem),
        None => (Sign::Question, "Type the code that your device shows."),
    };
    let mut page = Page::new(status, sign, "Sign in a device", text);
    page.form = Some(pages::Form {
        action: VERIFY,
        fields: vec![Field {
            name: "user_code",
            label: "Code",
            example: "XXXXX-XXXXX",
            is_secret: false,
        }],
        submit: "Continue",
        ..pages::Form::default()
    });
    page.answer(state)
}

fn ask(
    state: &ApiState,
    status: StatusCode,
    code: &str,
    device: &DeviceSignIn,
    problem: Option<&str>,
) -> Response {
    let sign_in = state.roles.as_ref().and_then(|roles| roles.sign_in());
    let sign = if problem.is_some() {
        Sign::Failed
    } else {
        Sign::Question
    };
    let text = problem.unwrap_or(
        "A device wants to sign in as you, and could then do whatever you may. Go on only if you \
         started this yourself a moment ago, and if it shows this code:",
    );
    let asked = device.created_at.format("%H:%M:%S UTC").to_string();
    let mut page = Page::new(status, sign, "Is this your device?", text);
    page.code = Some(code);
    page.facts = vec![
        ("Client", device.platform.as_str()),
        ("Address", device.ip.as_deref().unwrap_or("unknown")),
        ("Asked at", &asked),
    ];
    page.form = Some(pages::Form {
        action: VERIFY,
        hidden: vec![("user_code", code)],
        fields: if state.roles.is_some() {
            Vec::new()
        } else {
            vec![local::FIELD]
        },
        submit: if state.roles.is_some() {
            "Continue with GitHub"
        } else {
            "Sign in the device"
        },
        refuse: Some("This was not me"),
        leads_to: sign_in.map(SignIn::origin),
    });
    page.answer(state)
}
