//! The wall between tenants, walked along every operation that the OpenAPI document has: a new route
//! that nobody gave a rule here fails.

use keyway_shared::domain::account::Scope;
use keyway_tests::database::Profile;
use keyway_tests::on_both_profiles;

use super::tenant::{CANARY, Tenant};

on_both_profiles!(
    nobody_gets_through_without_a_token,
    another_user_gets_nothing_and_changes_nothing,
    a_key_for_keys_reaches_no_secret,
);

/// What only ever speaks of the caller: for somebody else it shows what is theirs, which is nothing.
const OF_THE_CALLER: &[&str] = &[
    "create_api_key",
    "create_authorize_ticket",
    "create_vault",
    "check_installation",
    "get_me",
    "get_usage",
    "export_activity",
    "list_activity",
    "list_api_keys",
    "list_connections",
    "list_jobs",
    "list_orgs",
    "list_provider_projects",
    "list_sessions",
    "list_vaults",
    "log_out",
    "validate_token",
    // Where a browser goes; asked before anything is known of it.
    "authorize_provider",
    "connect_provider",
];
/// What a key without any scope for secrets may ask.
const WITHOUT_SECRETS: &[&str] = &[
    "check_installation",
    "create_api_key",
    "get_api_key",
    "get_me",
    "list_api_keys",
    "list_orgs",
    "list_sessions",
    "log_out",
    "revoke_api_key",
    "revoke_session",
    "validate_token",
];
async fn nobody_gets_through_without_a_token(profile: Profile) {
    let tenant = Tenant::start(profile).await;
    let nobody = tenant.world.app.anonymous();
    for (id, method, path) in tenant.operations() {
        let answer = tenant.call(&nobody, &id, &method, &path).await;
        assert_eq!(answer.status, 401, "{id}: {}", answer.text);
    }
}

async fn another_user_gets_nothing_and_changes_nothing(profile: Profile) {
    let tenant = Tenant::start(profile).await;
    let before = tenant.state().await;
    let eve = tenant.world.app.user("eve").await;
    for (id, method, path) in tenant.operations() {
        let answer = tenant.call(&eve, &id, &method, &path).await;
        if !OF_THE_CALLER.contains(&id.as_str()) {
            assert!(
                [403, 404].contains(&answer.status),
                "{id}: {} {}",
                answer.status,
                answer.text
            );
        }
        assert!(!answer.text.contains(CANARY), "{id}");
        assert!(!answer.text.contains("\"ada\""), "{id}: {}", answer.text);
        for (below, theirs) in &tenant.ids {
            // The path of the request is repeated in a problem.
            let shown = answer.text.replace(&path, "");
            assert!(!shown.contains(theirs), "{id} shows {below}{theirs}");
        }
    }
    assert_eq!(tenant.state().await, before);
}

async fn a_key_for_keys_reaches_no_secret(profile: Profile) {
    let tenant = Tenant::start(profile).await;
    let before = tenant.state().await;
    let app = &tenant.world.app;
    let user = &tenant.world.account.user;
    let key = app.key(user, &[Scope::AdminApiKeys], None).await;
    let client = app.client(&key.token);
    for (id, method, path) in tenant.operations() {
        if WITHOUT_SECRETS.contains(&id.as_str()) {
            continue;
        }
        let answer = tenant.call(&client, &id, &method, &path).await;
        assert_eq!(answer.status, 403, "{id}: {}", answer.text);
        assert!(!answer.text.contains(CANARY), "{id}");
    }
    assert_eq!(tenant.state().await, before);
}
