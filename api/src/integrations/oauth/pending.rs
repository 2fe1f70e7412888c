//! `GET` and `POST /v1/integrations/{provider}/pending/{id}`
//!
//! Who adds the integration in the provider's marketplace, or with a button that deploys a project,
//! comes here with a code and without a state. The code is exchanged at once: it works once and for
//! half an hour, signing in takes its time, and only the token tells whose account it is, which is
//! what somebody has to see before they say yes. The parameters beside the code could be anybody's.
//! The token waits sealed, bound to its row, for a quarter of an hour; the row is bound to the browser
//! that brought it, and taken out by whatever is answered.
//!
//! Who says no leaves the installation at the provider as it is. To remove it there would remove the
//! variables that it wrote, and adding an integration again leads here with the installation that is
//! in use already.

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use chrono::TimeDelta;
use keyway_shared::crypto::tokens::{hash_token, random_token};
use keyway_shared::domain::account::User;
use keyway_shared::domain::connection::{InstallSource, ProviderName, TokenPair};
use keyway_shared::providers::Provider;
use keyway_shared::store::PendingConnection;
use serde::Deserialize;
use url::Url;
use utoipa::ToSchema;
use uuid::Uuid;

use super::callback::CallbackFields;
use super::connected::{Connecting, connect};
use super::exchange::{Exchanged, exchange};
use super::{PENDING, Refusal, SIGN_IN, origin, provider_page};
use crate::auth::cookies;
use crate::error::ApiError;
use crate::extract::{ClientInfo, Form, Path};
use crate::integrations::outside;
use crate::pages::{self, Link, Page, Sign, send_to};
use crate::schema::{Conflicting, Missing, Open};
use crate::state::ApiState;

/// Keeps what the browser brought, and sends it to the page that asks: the code is gone from the
/// address then, and the page can be loaded again.
pub(super) async fn begin(
    state: &ApiState,
    provider: &dyn Provider,
    name: ProviderName,
    fields: &CallbackFields,
) -> Result<Response, Refusal> {
    let exchanged = exchange(state, provider, name, fields, None).await?;
    let browser = random_token(&state.ambient);
    let mut tx = state.store.begin().await?;
    let pending = PendingConnection {
        id: state.ambient.new_id(),
        browser_hash: hash_token(browser.expose()),
        provider: name,
        account: exchanged.account,
        installation_id: exchanged.installation_id,
        source: fields.source.as_deref().and_then(|word| word.parse().ok()),
        next: provider_page(provider, fields.next.as_deref()),
        expires_at: tx.now().await? + TimeDelta::seconds(PENDING.lasts),
    };
    // Without what would renew it: whose tokens are renewed, with them nothing begins that comes here.
    let token = &exchanged.token.access;
    tx.insert_pending_connection(&pending, token).await?;
    tx.commit().await?;
    let mut response = send_to(&path(&pending)).ok_or(ApiError::Internal)?;
    PENDING.set(&state.options, &mut response, browser.expose());
    Ok(response)
}

/// Show a pending connection
///
/// The page on which the user who is signed in says whether an account that was connected at the
/// provider is theirs. Only for the browser that brought it.
#[utoipa::path(
    get,
    path = "/v1/integrations/{provider}/pending/{id}",
    operation_id = "show_pending_connection",
    tag = "integrations",
    security(()),
    params(
        ("provider" = String, Path, description = "The provider.", example = "vercel"),
        ("id" = Uuid, Path, description = "The pending connection.")
    ),
    responses(
        (status = 200, description = "The page.", body = String, content_type = "text/html"),
        (status = 400, description = "It was answered already, or is too old.", body = String, content_type = "text/html"),
        (status = 401, description = "A page that leads to sign-in.", body = String, content_type = "text/html"),
        (status = 403, description = "Another browser brought it.", body = String, content_type = "text/html"),
        Missing, Conflicting, Open
    )
)]
pub(crate) async fn show_pending_connection(
    State(state): State<ApiState>,
    Path((provider, id)): Path<(String, Uuid)>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let name = outside::provider_name(&provider)?;
    let provider = outside::provider(&state, name)?;
    let shown = async {
        let pending = find(&state, &headers, name, id).await?;
        Ok(match cookies::signed_in(&state, &headers).await? {
            Some((_, user)) => ask(&state, &*provider, &pending, &user, None),
            None => ask_to_sign_in(&state, provider.descriptor().display_name, &pending),
        })
    };
    Ok(shown
        .await
        .unwrap_or_else(|refusal: Refusal| refusal.answer(&state)))
}

/// What the page sends.
#[derive(Deserialize, ToSchema)]
pub(crate) struct PendingForm {
    /// `approve` or `deny`.
    decision: Decision,
    /// Whom the page named.
    user_id: Uuid,
}

#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum Decision {
    Approve,
    Deny,
}

/// Answer a pending connection
///
/// What the page sends. Connects the account with the user who is signed in, and sends the browser to
/// the provider's page that it came for, or shows one. Works once.
#[utoipa::path(
    post,
    path = "/v1/integrations/{provider}/pending/{id}",
    operation_id = "answer_pending_connection",
    tag = "integrations",
    security(()),
    params(
        ("provider" = String, Path, description = "The provider.", example = "vercel"),
        ("id" = Uuid, Path, description = "The pending connection.")
    ),
    request_body(content = PendingForm, content_type = "application/x-www-form-urlencoded"),
    responses(
        (status = 200, description = "Connected, or declined.", body = String, content_type = "text/html"),
        (status = 302, description = "Connected; to the provider's page.", headers(("Location" = String))),
        (status = 400, description = "It was answered already, or is too old, or the form is not what the page sends.", body = String, content_type = "text/html"),
        (status = 401, description = "A page that leads to sign-in.", body = String, content_type = "text/html"),
        (status = 403, description = "The form does not come from our page, or another browser brought it.", body = String, content_type = "text/html"),
        (status = 409, description = "Another user is signed in than the page named: a page that asks again.", body = String, content_type = "text/html"),
        Missing, Open
    )
)]
pub(crate) async fn answer_pending_connection(
    State(state): State<ApiState>,
    Path((provider, id)): Path<(String, Uuid)>,
    headers: HeaderMap,
    client: ClientInfo,
    form: Result<Form<PendingForm>, ApiError>,
) -> Result<Response, ApiError> {
    let name = outside::provider_name(&provider)?;
    let provider = outside::provider(&state, name)?;
    let answered = async {
        if !cookies::is_from_own_page(&state.options, &headers) {
            return Err(Refusal::not_our_form());
        }
        let Ok(Form(form)) = form else {
            return Err(Refusal::broken_form());
        };
        let pending = find(&state, &headers, name, id).await?;
        match form.decision {
            Decision::Approve => {
                let Some((session, user)) = cookies::signed_in(&state, &headers).await? else {
                    let display = provider.descriptor().display_name;
                    return Ok(ask_to_sign_in(&state, display, &pending));
                };
                if user.id != form.user_id {
                    let text = "This browser is signed in as somebody else than a moment ago. Please \
                                look again.";
                    return Ok(ask(&state, &*provider, &pending, &user, Some(text)));
                }
                let who = Connecting {
                    user: &user,
                    provider: name,
                    client: &client,
                    session_id: Some(session.id),
                    source: pending.source,
                };
                approve(&state, &*provider, &who, &pending).await
            }
            Decision::Deny => deny(&state, &*provider, &pending).await,
        }
    };
    Ok(answered
        .await
        .unwrap_or_else(|refusal| refusal.answer(&state)))
}

async fn approve(
    state: &ApiState,
    provider: &dyn Provider,
    who: &Connecting<'_>,
    pending: &PendingConnection,
) -> Result<Response, Refusal> {
    let mut tx = state.store.begin().await?;
    let now = tx.now().await?;
    let taken = tx.take_pending_connection(pending.id, now).await?;
    let (taken, token) = taken.ok_or_else(spent)?;
    let exchanged = Exchanged {
        token: TokenPair::lasting(token),
        account: taken.account,
        installation_id: taken.installation_id,
    };
    let connected = connect(&mut tx, state, who, exchanged, now).await?;
    tx.commit().await?;
    let next = taken.next.as_deref().and_then(send_to);
    let display = provider.descriptor().display_name;
    let mut response = next.unwrap_or_else(|| connected.page(state, display, who.user));
    PENDING.remove(&state.options, &mut response);
    Ok(response)
}

async fn deny(
    state: &ApiState,
    provider: &dyn Provider,
    pending: &PendingConnection,
) -> Result<Response, Refusal> {
    let mut tx = state.store.begin().await?;
    let now = tx.now().await?;
    let taken = tx.take_pending_connection(pending.id, now).await?;
    tx.commit().await?;
    taken.ok_or_else(spent)?;
    let display = provider.descriptor().display_name;
    let refusal = Refusal::wanted(
        StatusCode::OK,
        "Nothing was connected, and what Keyway was given is forgotten.",
        &format!(
            "The integration is still installed at {display}. If you do not want it, remove it there."
        ),
    );
    let mut response = refusal.answer(state);
    PENDING.remove(&state.options, &mut response);
    Ok(response)
}

/// The one that this browser brought.
async fn find(
    state: &ApiState,
    headers: &HeaderMap,
    name: ProviderName,
    id: Uuid,
) -> Result<PendingConnection, Refusal> {
    let mut tx = state.store.begin_read().await?;
    let now = tx.now().await?;
    let found = tx.find_pending_connection(id, now).await?;
    tx.commit().await?;
    let pending = found
        .filter(|pending| pending.provider == name)
        .ok_or_else(spent)?;
    if PENDING.is_in(headers, &pending.browser_hash) {
        Ok(pending)
    } else {
        Err(Refusal::another_browser())
    }
}

fn spent() -> Refusal {
    Refusal::new(
        StatusCode::BAD_REQUEST,
        "This link no longer works",
        "It was answered already, or is older than a quarter of an hour. Nothing was connected by it \
         just now.",
        "To connect the account, start from Keyway, or add the integration once more.",
    )
}

fn path(pending: &PendingConnection) -> String {
    format!(
        "/v1/integrations/{}/pending/{}",
        pending.provider, pending.id
    )
}

/// The way through sign-in and back here.
fn sign_in(state: &ApiState, pending: &PendingConnection) -> String {
    let base = state.options.public_url.trim_end_matches('/');
    let back = form_urlencoded::Serializer::new(String::new())
        .append_pair("redirect_uri", &format!("{base}{}", path(pending)))
        .finish();
    format!("{SIGN_IN}?{back}")
}

/// Whoever sits before the browser may not have come by themselves. So the page says whose account it
/// is about and whose user, and what it means to put them together.
fn ask(
    state: &ApiState,
    provider: &dyn Provider,
    pending: &PendingConnection,
    user: &User,
    problem: Option<&str>,
) -> Response {
    let display = provider.descriptor().display_name;
    let (status, sign) = match problem {
        Some(_) => (StatusCode::CONFLICT, Sign::Notice),
        None => (StatusCode::OK, Sign::Question),
    };
    let title = format!("Connect this {display} account?");
    let (account, name) = (pending.account.display_name(), &user.username);
    let meaning = format!(
        "The Keyway user {name} could then read and change the variables of its projects. Whoever runs \
         the account would see the secrets that {name} sends there."
    );
    let warning = format!(
        "Go on only if you know this account, and {name} is you. If somebody sent you a link to this \
         page, do not connect."
    );
    let mut page = Page::new(status, sign, &title, &meaning);
    page.warning = Some(&warning);
    if let Some(problem) = problem {
        page.text.insert(0, problem);
    }
    let label = format!("{display} account");
    page.facts = vec![(&label, account)];
    if pending.account.team_name.is_some() {
        page.facts.push(("Added by", &pending.account.username));
    }
    if let Some(from) = pending.source.and_then(begun) {
        page.facts.push(("Added from", from));
    }
    page.facts.push(("Keyway user", name));
    let next = pending
        .next
        .as_deref()
        .and_then(|next| Url::parse(next).ok());
    let next = next.as_ref().and_then(Url::host_str);
    let back = next.map(|host| format!("back to {host}"));
    if let Some(back) = &back {
        page.facts.push(("Afterwards", back));
    }
    let (user_id, action, sign_in) = (user.id.to_string(), path(pending), sign_in(state, pending));
    let leads_to = next.and_then(|_| origin(provider));
    page.form = Some(pages::Form {
        action: &action,
        hidden: vec![("user_id", &user_id)],
        submit: "Connect",
        refuse: Some("Do not connect"),
        leads_to: leads_to.as_deref(),
        ..pages::Form::default()
    });
    let somebody_else = format!("I am not {name}: sign in as somebody else");
    page.link = Some(Link {
        to: &sign_in,
        words: &somebody_else,
        is_main: false,
    });
    page.answer(state)
}

const fn begun(source: InstallSource) -> Option<&'static str> {
    match source {
        InstallSource::External => None,
        InstallSource::Marketplace => Some("the marketplace"),
        InstallSource::DeployButton => Some("a deploy button"),
    }
}

fn ask_to_sign_in(state: &ApiState, display: &str, pending: &PendingConnection) -> Response {
    let account = pending.account.display_name();
    let text = format!(
        "Keyway was added to an account at {display}. Sign in to connect it. You are asked once more \
         before anything is connected."
    );
    let status = StatusCode::UNAUTHORIZED;
    let mut page = Page::new(status, Sign::Question, "Sign in to go on", &text);
    let until = pending.expires_at.format("%H:%M UTC").to_string();
    let label = format!("{display} account");
    page.facts = vec![(&label, account), ("Waits until", &until)];
    let sign_in = sign_in(state, pending);
    page.link = Some(Link {
        to: &sign_in,
        words: "Sign in to Keyway",
        is_main: true,
    });
    page.answer(state)
}
