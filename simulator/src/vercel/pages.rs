//! The pages that a person sees: where they allow the integration, whether they were sent here or
//! found it here by themselves, and where they are in the end.

use std::fmt::Write;
use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, Query, State as Extract};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{Html, IntoResponse, Redirect, Response};
use axum::routing::get;
use serde::Deserialize;

use super::Shared;
use super::presets::{SLUG, USER};
use super::state::State;

const STYLE: &str = "\
:root{color-scheme:light dark;--ink:#111;--soft:#666;--line:#e2e2e2;--ground:#fafafa;--card:#fff}\
@media(prefers-color-scheme:dark){:root{--ink:#ededed;--soft:#a1a1a1;--line:#333;--ground:#000;--card:#0a0a0a}}\
*{box-sizing:border-box}body{margin:0;min-height:100vh;padding:2rem 1rem;display:flex;align-items:center;\
justify-content:center;background:var(--ground);color:var(--ink);font:16px/1.5 system-ui,sans-serif}\
main{width:100%;max-width:27rem;padding:2rem;background:var(--card);border:1px solid var(--line);\
border-radius:12px}small{color:var(--soft)}h1{margin:.25rem 0 .5rem;font-size:1.3rem;line-height:1.3}\
h2{margin:1.5rem 0 .25rem;font-size:1rem}p{margin:.5rem 0;color:var(--soft)}\
a{display:block;margin-top:.6rem;padding:.65rem 1rem;border:1px solid var(--line);border-radius:8px;\
color:var(--ink);text-align:center;text-decoration:none;font-weight:500;overflow-wrap:anywhere}\
a.main{background:var(--ink);border-color:var(--ink);color:var(--card)}";

pub(super) fn routes() -> Router<Arc<Shared>> {
    Router::new()
        .route("/integrations/{slug}", get(market))
        .route("/integrations/{slug}/new", get(authorize))
        .route("/integrations/{slug}/add", get(add))
        .route("/integrations/{slug}/done", get(done))
}

#[derive(Deserialize)]
struct Choice {
    /// What the browser brought along; not there when nobody sent it.
    state: Option<String>,
    /// Of the start without a state: `marketplace` or `deploy-button`.
    source: Option<String>,
    /// The account that the person chose: a user's or a team's id. Empty: none.
    scope: Option<String>,
}

type Handle = Extract<Arc<Shared>>;

/// Where our own pages send a browser: it asks which account, and sends it back with the state.
async fn authorize(shared: Handle, slug: Path<String>, choice: Query<Choice>) -> Response {
    if *slug != SLUG {
        return StatusCode::NOT_FOUND.into_response();
    }
    let mut state = shared.state();
    let given = choice.state.as_deref().unwrap_or_default();
    let Some(scope) = choice.scope.as_deref() else {
        let fields = [("state", given)];
        let accounts = accounts(&state, "new", &fields, true);
        let cancel = link("new", &fields, "", "Cancel", false);
        let text = "Keyway asks to read and change the environment variables of your projects.";
        return page("Add Keyway", text, &format!("{accounts}{cancel}"));
    };
    let mut fields = match scope {
        "" => vec![("error", "access_denied".to_owned())],
        scope => install(&mut state, scope),
    };
    fields.push(("state", given.to_owned()));
    fields.push(("source", "external".to_owned()));
    back(&state, &fields)
}

/// The integration's page in the marketplace, and a deploy button: whoever begins here was sent by
/// nobody, and goes on without a state.
async fn market(shared: Handle, slug: Path<String>) -> Response {
    if *slug != SLUG {
        return StatusCode::NOT_FOUND.into_response();
    }
    let state = shared.state();
    let market = accounts(&state, "add", &[("source", "marketplace")], true);
    let deploy = accounts(&state, "add", &[("source", "deploy-button")], false);
    let text = "Keeps the environment variables of your projects in step with Keyway.";
    let body = format!(
        "{market}<h2>Deploy a project with it</h2><p>As a deploy button does, which brings its \
         integrations along.</p>{deploy}"
    );
    page("Keyway", text, &body)
}

async fn add(
    shared: Handle,
    slug: Path<String>,
    choice: Query<Choice>,
    headers: HeaderMap,
) -> Response {
    let (Some(scope), Some(source)) = (&choice.scope, &choice.source) else {
        return StatusCode::BAD_REQUEST.into_response();
    };
    let host = headers.get(header::HOST);
    let host = host.and_then(|host| host.to_str().ok()).unwrap_or_default();
    let mut state = shared.state();
    let mut fields = install(&mut state, scope);
    fields.push(("source", source.clone()));
    if source == "deploy-button" {
        fields.push(("currentProjectId", "prj_myapp".to_owned()));
    }
    let next = format!("http://{host}/integrations/{}/done", *slug);
    fields.push(("next", next));
    back(&state, &fields)
}

async fn done() -> Response {
    let text = "You are back at Vercel, where you began. You can close this page.";
    page("Keyway was added", text, "")
}

/// Gives the account its installation, which it keeps when it is added again, and a code for it.
fn install(state: &mut State, scope: &str) -> Vec<(&'static str, String)> {
    let team = (scope != USER).then(|| scope.to_owned());
    let known = state.installations.get(scope).cloned();
    let installation = known.unwrap_or_else(|| state.id("icfg_"));
    state
        .installations
        .insert(scope.to_owned(), installation.clone());
    let code = state.id("code");
    let grant = (installation.clone(), team.clone());
    state.codes.insert(code.clone(), grant);
    let mut fields = vec![("code", code), ("configurationId", installation)];
    fields.extend(team.map(|team| ("teamId", team)));
    fields
}

fn back(state: &State, fields: &[(&str, String)]) -> Response {
    let Some(callback) = &state.callback else {
        let text = "No callback address is set: see `keyway simulate vercel --callback`.";
        return (StatusCode::BAD_REQUEST, text).into_response();
    };
    let query = form_urlencoded::Serializer::new(String::new())
        .extend_pairs(fields)
        .finish();
    // As the vendor does; axum's own answer to a GET would be 303.
    let mut response = Redirect::to(&format!("{callback}?{query}")).into_response();
    *response.status_mut() = StatusCode::FOUND;
    response
}

/// A link for each account of the user.
fn accounts(state: &State, to: &str, fields: &[(&str, &str)], main: bool) -> String {
    let user = state.users.get(USER).map_or(USER, String::as_str);
    let mut links = link(to, fields, USER, &format!("Add to {user}"), main);
    for (id, name) in &state.teams {
        let words = format!("Add to the team {name}");
        links += &link(to, fields, id, &words, main);
    }
    links
}

fn link(to: &str, fields: &[(&str, &str)], scope: &str, words: &str, main: bool) -> String {
    let query = form_urlencoded::Serializer::new(String::new())
        .extend_pairs(fields)
        .append_pair("scope", scope)
        .finish();
    let class = if main { " class=\"main\"" } else { "" };
    let query = query.replace('&', "&amp;");
    let mut html = String::new();
    // Writing to a text cannot fail.
    let _ = write!(
        html,
        "<a{class} href=\"/integrations/{SLUG}/{to}?{query}\">{}</a>",
        words.replace('&', "&amp;").replace('<', "&lt;")
    );
    html
}

fn page(title: &str, text: &str, body: &str) -> Response {
    Html(format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" \
         content=\"width=device-width,initial-scale=1\"><title>{title} · Simulated Vercel</title>\
         <style>{STYLE}</style></head><body><main><small>▲ Simulated Vercel</small><h1>{title}</h1>\
         <p>{text}</p>{body}</main></body></html>\n"
    ))
    .into_response()
}
