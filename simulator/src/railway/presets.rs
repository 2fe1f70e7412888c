//! Worlds to start with.

use serde_json::json;

use super::Shared;
use super::model::{Cause, Role, Target, Token};
use super::state::State;

/// The account token that works from the start, for everything of the user.
pub const TOKEN: &str = "simulated-railway-token";
/// A token of the workspace `Acme`.
pub const WORKSPACE_TOKEN: &str = "simulated-railway-workspace-token";
/// A token of `production` in `my-app`.
pub const PROJECT_TOKEN: &str = "simulated-railway-project-token";
/// The user's id.
pub const USER: &str = "5e1f0000-0000-4000-8000-00000000ada0";
/// Of the web app, for OAuth.
pub const CLIENT_ID: &str = "rlwy_oaci_simulated";
/// Of the web app, for OAuth.
pub const CLIENT_SECRET: &str = "rlwy_oacs_simulated";
/// Of the native app, which has no secret.
pub const NATIVE_CLIENT_ID: &str = "rlwy_oaci_simulated_native";
/// Where browsers may be sent back to from the start.
pub const REDIRECT_URI: &str = "http://127.0.0.1:8080/v1/integrations/railway/callback";

/// What is there at the start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Preset {
    /// A user, the workspace `Acme` with 24 projects, among them `my-app`, which has the environments
    /// `production` and `staging` and the services `web` and `Postgres`, deployed, with a variable.
    Starter,
    /// The same, and `my-app` has been edited by hand for years: references, shared and sealed
    /// variables, an environment of a pull request and one that is closed to the user, changes that
    /// wait in the dashboard, a service that was never deployed, and a project of another workspace.
    LivedIn,
}

pub(super) fn fill(shared: &Shared, preset: Preset) {
    let mut state = shared.state();
    let state = &mut *state;
    state.oauth.redirect_uris.insert(REDIRECT_URI.to_owned());
    let acme = state.add_workspace("Acme", Some(Role::Admin));
    let my_app = state.add_project(&acme, "my-app", None);
    for n in 1..=23 {
        let project = state.add_project(&acme, &format!("site-{n:02}"), None);
        state.add_environment(&project, "production");
    }
    let production = state.add_environment(&my_app, "production");
    let staging = state.add_environment(&my_app, "staging");
    let web = state.add_service(&my_app, "web");
    let postgres = state.add_service(&my_app, "Postgres");
    for service in &mut state.services {
        if service.id == web {
            service.repo = Some(("acme/my-app".to_owned(), "main".to_owned()));
        } else if service.id == postgres {
            service.image = Some("ghcr.io/railwayapp-templates/postgres-ssl:17".to_owned());
        }
    }
    for environment in [&production, &staging] {
        for service in [&web, &postgres] {
            state.deploy(environment, service, Cause::Start);
        }
        let database = Target::service(environment, &postgres);
        let url = "postgres://postgres:5432/railway";
        state.set_variable(&database, "DATABASE_URL", url, false);
    }
    state.tokens.insert(TOKEN.to_owned(), Token::Account);
    let of_workspace = Token::Workspace(acme.clone());
    state
        .tokens
        .insert(WORKSPACE_TOKEN.to_owned(), of_workspace);
    let of_project = Token::Project {
        id: state.id(),
        name: "deploys".to_owned(),
        project: my_app.clone(),
        environment: production.clone(),
        created_at: state.tick(),
    };
    state.tokens.insert(PROJECT_TOKEN.to_owned(), of_project);
    if preset == Preset::LivedIn {
        live_in(state, &acme, &my_app, [&production, &staging], &web);
    }
}

fn live_in(
    state: &mut State,
    acme: &str,
    my_app: &str,
    [production, staging]: [&str; 2],
    web: &str,
) {
    let shared = Target::shared(production);
    state.set_variable(&shared, "SENTRY_DSN", "https://sentry.example/1", false);
    state.set_variable(&shared, "LICENCE_KEY", "licence-1", true);
    let own = Target::service(production, web);
    for (name, value) in [
        ("DATABASE_URL", "${{Postgres.DATABASE_URL}}"),
        ("SENTRY_DSN", "${{shared.SENTRY_DSN}}"),
        ("API_URL", "https://${{RAILWAY_PRIVATE_DOMAIN}}/api"),
        ("GONE", "before-${{Removed.URL}}-after"),
        ("EMPTY", ""),
        ("NIXPACKS_NODE_VERSION", "22"),
        ("RAILWAY_HEALTHCHECK_TIMEOUT_SEC", "120"),
    ] {
        state.set_variable(&own, name, value, false);
    }
    state.set_variable(&own, "STRIPE_SECRET_KEY", "sk_live_1", true);
    let elsewhere = Target::service(staging, web);
    state.set_variable(&elsewhere, "API_URL", "https://staging.acme.dev", false);
    let request = state.add_environment(my_app, "pr-17");
    let closed = state.add_environment(my_app, "closed");
    for environment in &mut state.environments {
        environment.ephemeral |= environment.id == request;
        environment.restricted |= environment.id == closed;
    }
    state.add_service(my_app, "worker");
    let services = json!({ web: { "variables": { "BEING_EDITED": { "value": "by hand" } } } });
    super::config::stage(state, staging, json!({ "services": services }), false);
    let deleted = state.add_project(acme, "old-app", None);
    let partner = state.add_workspace("Partner", None);
    let foreign = state.add_project(&partner, "partner-app", Some(Role::Member));
    state.add_environment(&foreign, "production");
    let removed = state.add_project(&partner, "partner-old", Some(Role::Viewer));
    let now = state.tick();
    for project in &mut state.projects {
        if project.id == deleted || project.id == removed {
            project.deleted_at = Some(now);
        }
    }
}
