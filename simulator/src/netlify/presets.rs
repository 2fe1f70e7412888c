//! Worlds to start with.

use super::model::{EnvSeed, Plan, Repository, Role};
use super::state::State;

/// The token of the user, which works from the start.
pub const TOKEN: &str = "simulated-netlify-token";
/// The token of somebody who is in the team too, and does not own it.
pub const COLLABORATOR_TOKEN: &str = "simulated-netlify-collaborator-token";
/// The user's id.
pub const USER: &str = "5a0000000000000000000001";
/// The collaborator's id.
pub const COLLABORATOR: &str = "5a0000000000000000000002";
/// Id of the team `acme`, which pays.
pub const ACCOUNT: &str = "5b0000000000000000000001";
/// Its slug.
pub const ACCOUNT_SLUG: &str = "acme";
/// Id of the team `ada-lovelace`, which does not pay.
pub const FREE_ACCOUNT: &str = "5b0000000000000000000002";
/// Id of the team `globex`, in which the user is a guest.
pub const GUEST_ACCOUNT: &str = "5b0000000000000000000003";
/// Id of the site `my-app`.
pub const SITE: &str = "51b0a7ed-0000-4000-8000-000000000001";
/// Of the application, for OAuth.
pub const CLIENT_ID: &str = "simulated-netlify-client";
/// Of the application, for OAuth.
pub const CLIENT_SECRET: &str = "simulated-netlify-client-secret";

/// What is there at the start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Preset {
    /// A user with three teams, and 125 sites with `my-app` among them, which has a variable in each
    /// of two contexts.
    Starter,
    /// The same, and `my-app` and its team have been edited by hand for years.
    LivedIn,
}

pub(super) fn fill(state: &mut State, preset: Preset) {
    state.add_user(USER, "Ada Lovelace");
    state.add_user(COLLABORATOR, "Bob");
    state.insert_token(TOKEN, USER, None);
    state.insert_token(COLLABORATOR_TOKEN, COLLABORATOR, None);
    let (owner, guest) = (Role::Owner, Role::Collaborator);
    let members = [(USER, owner), (COLLABORATOR, guest)];
    state.add_account(ACCOUNT, "Acme", Plan::Pro, &members);
    state.add_account(FREE_ACCOUNT, "Ada Lovelace", Plan::Free, &[(USER, owner)]);
    let members = [(COLLABORATOR, owner), (USER, guest)];
    state.add_account(GUEST_ACCOUNT, "Globex", Plan::Pro, &members);

    let linked = |provider: &str, path: &str| {
        Some(Repository {
            provider: provider.to_owned(),
            path: path.to_owned(),
        })
    };
    let my_app = linked("github", "acme/my-app");
    state.add_site("my-app", ACCOUNT, my_app, Some("astro"));
    state.sites[0].custom_domain = Some("www.acme.example".to_owned());
    let gitlab = linked("gitlab", "acme/tools/gitlab-app");
    state.add_site("gitlab-app", ACCOUNT, gitlab, Some("next"));
    let bitbucket = linked("bitbucket", "acme/app");
    state.add_site("bitbucket-app", ACCOUNT, bitbucket, Some("nuxt"));
    // Files were dropped on a page; nothing is built.
    state.add_site("dropped", ACCOUNT, None, None);
    state.add_site("hobby", FREE_ACCOUNT, linked("github", "ada/hobby"), None);
    state.add_site("globex-app", GUEST_ACCOUNT, None, Some("remix"));
    for n in 1..=119 {
        state.add_site(&format!("site-{n:03}"), ACCOUNT, None, None);
    }

    let mut seeds = vec![EnvSeed::new(
        "DATABASE_URL",
        &[
            ("deploy-preview", "postgres://preview"),
            ("dev", "postgres://development"),
        ],
    )];
    if preset == Preset::LivedIn {
        seeds.extend(lived_in());
        for seed in shared() {
            state.put_env(ACCOUNT, &seed, COLLABORATOR);
        }
    }
    for seed in seeds {
        state.put_env(SITE, &seed, USER);
    }
}

fn lived_in() -> Vec<EnvSeed> {
    vec![
        EnvSeed::new("API_URL", &[("all", "https://api.acme.dev")]),
        EnvSeed::new(
            "SENTRY_DSN",
            &[
                ("production", "https://sentry.example/1"),
                ("deploy-preview", "https://sentry.example/1"),
                ("branch-deploy", "https://sentry.example/1"),
                ("dev", "https://sentry.example/1"),
                ("dev-server", "https://sentry.example/1"),
            ],
        ),
        EnvSeed::new(
            "FEATURE",
            &[
                ("deploy-preview", "off"),
                ("branch-deploy", "off"),
                ("branch:feature/login", "on"),
                ("branch:staging", "maybe"),
            ],
        ),
        // Made when one value was for all, and edited for production since.
        EnvSeed::new("LOG_LEVEL", &[("all", "debug"), ("production", "warn")]),
        EnvSeed::new(
            "STRIPE_SECRET_KEY",
            &[
                ("production", "sk_live_0123456789abcdef"),
                ("deploy-preview", "sk_test_0123456789abcdef"),
                ("branch-deploy", "sk_test_0123456789abcdef"),
                ("dev", "sk_test_local"),
            ],
        )
        .secret(),
        EnvSeed::new("NODE_VERSION", &[("all", "22")]).scopes(&["builds"]),
        EnvSeed::new("NETLIFY_NEXT_PLUGIN_SKIP", &[("all", "true")]),
        EnvSeed::new("EMPTY", &[("production", "")]),
        EnvSeed::new("PRIVATE_KEY", &[("production", "-----BEGIN-----\nMIIE\n")]),
    ]
}

/// Of the team.
fn shared() -> Vec<EnvSeed> {
    vec![
        EnvSeed::new("API_URL", &[("all", "https://api.acme.example")]),
        EnvSeed::new("NPM_TOKEN", &[("production", "npm_shared")]).scopes(&[
            "builds",
            "functions",
            "runtime",
        ]),
        EnvSeed::new("REGION", &[("all", "eu")]),
    ]
}
