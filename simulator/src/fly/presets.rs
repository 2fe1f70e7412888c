//! Worlds to start with.

use serde_json::{Value, json};

use super::model::{Grant, MachineSeed};
use super::state::State;

/// A token of the organization `acme`, which works from the start: as people get them, with the scheme
/// and in parts.
pub const TOKEN: &str = "FlyV1 fm2_simulated+org==,fm2_simulated/org+discharge";
/// A deploy token of `my-app`.
pub const DEPLOY_TOKEN: &str = "FlyV1 fm2_simulated+deploy==,fm2_simulated/deploy+discharge";
/// A token of the organization `acme` that may only read.
pub const READ_ONLY_TOKEN: &str = "FlyV1 fm2_simulated+readonly==,fm2_simulated/readonly+discharge";
/// A token of a user, who is in `acme` and has an organization alone. No macaroon, and so it is sent
/// as `Bearer`.
pub const USER_TOKEN: &str = "fo1_simulated-fly-user-token";
/// The user, as tokens name them.
pub const USER: &str = "ada@example.com";
/// Slug of the organization `Acme`.
pub const ORGANIZATION: &str = "acme";
/// Slug of the user's own organization, which goes by `personal` too.
pub const PERSONAL_ORGANIZATION: &str = "ada-lovelace";
/// Slug of an organization of others.
pub const OTHER_ORGANIZATION: &str = "globex";
/// The app in production.
pub const APP: &str = "my-app";
/// Its staging.
pub const STAGING_APP: &str = "my-app-staging";
/// An app without machines.
pub const BARE_APP: &str = "my-app-next";
/// An app of the other organization.
pub const OTHER_APP: &str = "globex-app";

/// What is there at the start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Preset {
    /// An organization with its tokens and the app `my-app`, which has one machine; nobody has set a
    /// secret. Another organization has an app too.
    Empty,
    /// More apps; `my-app` runs in several places and process groups, and its secrets have been set by
    /// hand for years, not all of them with a rollout.
    LivedIn,
}

pub(super) fn fill(state: &mut State, preset: Preset) {
    state.add_organization("Acme", ORGANIZATION, false);
    state.add_organization("Ada Lovelace", PERSONAL_ORGANIZATION, true);
    state.add_organization("Globex", OTHER_ORGANIZATION, false);
    let acme = || Grant::organization(ORGANIZATION);
    state.insert_token(TOKEN, acme(), None);
    state.insert_token(DEPLOY_TOKEN, acme().apps(&[APP]), None);
    state.insert_token(READ_ONLY_TOKEN, acme().read_only(), None);
    for organization in [ORGANIZATION, PERSONAL_ORGANIZATION] {
        let grant = Grant::organization(organization).user(USER);
        state.insert_token(USER_TOKEN, grant, None);
    }
    state.add_app(APP, ORGANIZATION);
    state.add_app(OTHER_APP, OTHER_ORGANIZATION);
    match preset {
        Preset::Empty => {
            let seed = MachineSeed::new("still-water-1", web_config("vol_simulated1"));
            state.add_machine(APP, &seed);
        }
        Preset::LivedIn => lived_in(state),
    }
}

fn lived_in(state: &mut State) {
    state.add_app(STAGING_APP, ORGANIZATION);
    state.add_app(BARE_APP, ORGANIZATION);
    state.add_app("hobby", PERSONAL_ORGANIZATION);
    for (name, value) in [
        (
            "DATABASE_URL",
            "postgres://app:hunter2@my-app-db.flycast:5432/app",
        ),
        // A secret of the user as any other, in spite of its name.
        ("FLY_API_TOKEN", "FlyV1 fm2_set-by-hand"),
        ("LOG_LEVEL", "debug"),
        ("OLD_FLAG", "on"),
        ("SENTRY_DSN", "https://sentry.example/1"),
        ("SESSION_SECRET", "0123456789abcdef"),
        // Of `[[files]]`, and so in base64.
        ("TLS_KEY", "LS0tLS1CRUdJTi0tLS0tCk1JSUU="),
        ("smtp_password", "lower case"),
    ] {
        state.put_secret(APP, name, Some(value));
    }
    for (number, region) in ["fra", "ams"].into_iter().enumerate() {
        let volume = format!("vol_simulated{number}");
        let seed = MachineSeed::new(&format!("still-water-{number}"), web_config(&volume));
        state.add_machine(APP, &seed.region(region));
    }
    state.add_machine(APP, &MachineSeed::new("wild-wind-1", worker_config()));
    let standby = MachineSeed::new("wild-wind-2", worker_config()).state("stopped");
    state.add_machine(APP, &standby);
    let release = json!({
        "image": "registry.fly.io/my-app:deployment-1", "auto_destroy": true,
        "metadata": { "fly_process_group": "fly_app_release_command" },
    });
    let release = MachineSeed::new("release-1", release).state("destroyed");
    state.add_machine(APP, &release);
    // Staged since, and not rolled out: changed, new, gone.
    state.put_secret(APP, "LOG_LEVEL", Some("warn"));
    state.put_secret(APP, "STRIPE_SECRET_KEY", Some("sk_live_0123456789abcdef"));
    state.put_secret(APP, "OLD_FLAG", None);

    state.put_secret(STAGING_APP, "DATABASE_URL", Some("postgres://staging"));
    state.put_secret(STAGING_APP, "LOG_LEVEL", Some("debug"));
    let staging = MachineSeed::new("calm-river-1", web_config("vol_simulated9"));
    state.add_machine(STAGING_APP, &staging);
    state.put_secret(BARE_APP, "DATABASE_URL", Some("postgres://next"));
    state.add_machine(
        "hobby",
        &MachineSeed::new("hobby-1", json!({ "image": "nginx" })),
    );
}

/// Of machines that serve: an update that forgot one of these parts would break them.
fn web_config(volume: &str) -> Value {
    json!({
        "image": "registry.fly.io/my-app:deployment-01J0000000000000000000000",
        "init": { "cmd": ["bin/server"], "swap_size_mb": 512 },
        "env": { "FLY_PROCESS_GROUP": "app", "PRIMARY_REGION": "fra", "PORT": "8080" },
        "guest": { "cpu_kind": "shared", "cpus": 2, "memory_mb": 1024 },
        "services": [{
            "protocol": "tcp", "internal_port": 8080, "autostop": "stop", "autostart": true,
            "min_machines_running": 1, "force_instance_key": null,
            "ports": [
                { "port": 80, "handlers": ["http"], "force_https": true },
                { "port": 443, "handlers": ["http", "tls"] },
            ],
            "concurrency": { "type": "requests", "hard_limit": 250, "soft_limit": 200 },
            "checks": [{ "type": "http", "path": "/health", "interval": "15s", "timeout": "2s" }],
        }],
        "checks": { "metrics": { "type": "tcp", "port": 9091, "interval": "30s" } },
        "metrics": { "port": 9091, "path": "/metrics" },
        "mounts": [{ "volume": volume, "path": "/data", "name": "data", "size_gb": 10,
            "encrypted": true }],
        "files": [{ "guest_path": "/etc/tls.key", "secret_name": "TLS_KEY" }],
        "metadata": { "fly_platform_version": "v2", "fly_process_group": "app",
            "fly_release_id": "simulatedrelease", "fly_release_version": "41",
            "team": "payments" },
        "restart": { "policy": "on-failure", "max_retries": 10 },
        "stop_config": { "timeout": "30s", "signal": "SIGTERM" },
        "dns": {},
        "an_option_that_nobody_knows": { "kept": [1, null, 2.5] },
    })
}

fn worker_config() -> Value {
    json!({
        "image": "registry.fly.io/my-app:deployment-01J0000000000000000000000",
        "init": { "cmd": ["bin/worker", "--queue", "default"] },
        "env": { "FLY_PROCESS_GROUP": "worker", "PRIMARY_REGION": "fra", "CONCURRENCY": "4" },
        "guest": { "cpu_kind": "performance", "cpus": 1, "memory_mb": 2048 },
        "metadata": { "fly_platform_version": "v2", "fly_process_group": "worker" },
        "restart": { "policy": "always" },
        "standbys": [],
    })
}
