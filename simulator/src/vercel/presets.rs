//! Worlds to start with.

use serde_json::json;

use super::Shared;
use super::model::{EnvSeed, Token};

/// The token that works from the start, for the user's own account and for the team.
pub const TOKEN: &str = "simulated-vercel-token";
/// The user's id.
pub const USER: &str = "usr_simulated";
/// The team's id.
pub const TEAM: &str = "team_simulated";
/// Of the integration, for OAuth.
pub const CLIENT_ID: &str = "oac_simulated";
/// Of the integration, for OAuth.
pub const CLIENT_SECRET: &str = "simulated-client-secret";
/// Of the integration, as its page's address has it.
pub const SLUG: &str = "keyway";

/// When everything was made that is there at the start.
pub(super) const BEGINNING: u64 = 1_700_000_000_000;

/// What is there at the start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Preset {
    /// A user, a team, and 24 projects with `my-app` (`prj_myapp`) among them, which has a variable
    /// in each environment.
    Starter,
    /// The same, and `my-app` has been edited by hand for years.
    LivedIn,
}

pub(super) fn fill(shared: &Shared, preset: Preset) {
    let mut state = shared.state();
    state.users.insert(USER.to_owned(), "ada".to_owned());
    state.teams.insert(TEAM.to_owned(), "Acme".to_owned());
    state.tokens.insert(
        TOKEN.to_owned(),
        Token {
            user: USER.to_owned(),
            team: None,
            installation: None,
            revoked: false,
        },
    );
    let my_app = state.add_project("my-app", None);
    for n in 1..=20 {
        state.add_project(&format!("site-{n:02}"), None);
    }
    state.add_project("gitlab-app", None);
    state.add_project("bitbucket-app", None);
    state.add_project("team-app", Some(TEAM));
    for (project, link) in [
        (
            "my-app",
            json!({"type": "github", "org": "acme", "repo": "my-app", "repoId": 1,
                "productionBranch": "main", "gitCredentialId": "cred_1", "deployHooks": []}),
        ),
        (
            "gitlab-app",
            json!({"type": "gitlab", "projectId": "1", "projectName": "app",
                "projectNamespace": "acme", "projectNameWithNamespace": "acme / app",
                "projectUrl": "https://gitlab.com/acme/app", "productionBranch": "main",
                "gitCredentialId": "cred_2", "deployHooks": []}),
        ),
        (
            "bitbucket-app",
            json!({"type": "bitbucket", "owner": "acme", "slug": "app", "name": "app",
                "uuid": "{1}", "workspaceUuid": "{2}", "productionBranch": "main",
                "gitCredentialId": "cred_3", "deployHooks": []}),
        ),
    ] {
        if let Some(project) = state.project_mut(project) {
            project.link = Some(link);
        }
    }
    let mut seeds = vec![
        EnvSeed::new("DATABASE_URL", "postgres://preview", &["preview"]),
        EnvSeed::new("DATABASE_URL", "postgres://development", &["development"]),
    ];
    if preset == Preset::LivedIn {
        let staging = state.add_custom_environment(&my_app, "staging");
        seeds.extend(lived_in(&staging));
    }
    for seed in seeds {
        let at = shared.clock.tick();
        state.add_env(&my_app, &seed, at);
    }
}

fn lived_in(staging: &str) -> Vec<EnvSeed> {
    let mut legacy = EnvSeed::new("OLD_FLAG", "on", &["production"]).kind("plain");
    legacy.legacy = true;
    let mut integration = EnvSeed::new("POSTGRES_URL", "postgres://neon", &["production"]);
    integration.configuration_id = Some("icfg_neon".to_owned());
    vec![
        EnvSeed::new(
            "API_URL",
            "https://api.acme.dev",
            &["production", "preview"],
        ),
        EnvSeed::new(
            "SENTRY_DSN",
            "https://sentry.example/1",
            &["production", "preview", "development"],
        ),
        EnvSeed::new("FEATURE", "off", &["preview"]).kind("plain"),
        EnvSeed::new("FEATURE", "on", &["preview"]).branch("feature/login"),
        EnvSeed::new("FEATURE", "maybe", &["preview"]).branch("fix/header"),
        EnvSeed::new("STAGING_ONLY", "1", &[]).custom(staging),
        EnvSeed::new("API_URL", "https://staging.acme.dev", &[]).custom(staging),
        EnvSeed::new("STRIPE_SECRET_KEY", "sk_live_1", &["production"]).kind("sensitive"),
        EnvSeed::new("STRIPE_SECRET_KEY", "sk_test_1", &["preview"]).kind("sensitive"),
        EnvSeed::new("VERCEL_URL", "", &["production", "preview"]).kind("system"),
        EnvSeed::new("EMPTY", "", &["production"]),
        integration,
        legacy,
    ]
}
