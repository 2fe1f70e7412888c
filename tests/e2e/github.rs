//! GitHub mode: who somebody is and what they may do is GitHub's to say.

use chrono::TimeDelta;
use keyway_shared::secret::Secret;
use keyway_shared::store::github::KeptToken;
use keyway_simulator::fault::{Action, Fault};
use keyway_simulator::github::{GitHub, Permission};
use keyway_tests::app::TestApp;
use keyway_tests::client::Client;
use keyway_tests::database::Profile;
use serde_json::{Value, json};

keyway_tests::on_both_profiles!(
    a_role_is_that_in_the_repository,
    what_everybody_may_read_is_no_role,
    a_role_is_believed_for_a_minute,
    without_an_answer_there_is_no_access,
    while_github_limits_calls_none_is_made,
    a_name_that_somebody_else_took_opens_nothing,
    a_token_that_github_refuses_is_refused,
    nobody_here_gives_roles,
    a_key_asks_with_the_token_of_a_sign_in,
    lists_show_what_github_shows,
    roles_of_local_mode_do_not_count,
);

const VAULT: &str = "/v1/vaults/acme/web";

struct World {
    github: GitHub,
    app: TestApp,
}

impl World {
    async fn start(profile: Profile) -> Self {
        let github = GitHub::start().await.expect("a stand-in");
        github.add_repo("acme/web", true);
        let mut builder = TestApp::builder(profile);
        builder.github_url = Some(github.url());
        let app = builder.start().await;
        Self { github, app }
    }

    /// Somebody at GitHub, with what they may do in `acme/web`.
    fn somebody(&self, login: &str, permission: Option<Permission>) -> Client {
        let token = self.github.add_user(login);
        self.github.grant("acme/web", login, permission);
        self.app.client(&token)
    }

    async fn with_vault(profile: Profile) -> (Self, Client) {
        let world = Self::start(profile).await;
        let ada = world.somebody("ada", Some(Permission::Admin));
        ada.post("/v1/vaults", json!({ "repoFullName": "acme/web" }))
            .await
            .data(201);
        (world, ada)
    }
}

fn secret() -> Value {
    json!({ "key": "KEY", "value": "1", "environment": "production" })
}

async fn a_role_is_that_in_the_repository(profile: Profile) {
    let world = World::start(profile).await;
    let body = json!({ "repoFullName": "acme/web" });
    for (login, permission, status) in [
        ("stranger", None, 404),
        ("reader", Some(Permission::Pull), 403),
        ("triager", Some(Permission::Triage), 403),
        ("writer", Some(Permission::Push), 403),
        ("maintainer", Some(Permission::Maintain), 403),
        ("admin", Some(Permission::Admin), 201),
    ] {
        let answer = world
            .somebody(login, permission)
            .post("/v1/vaults", body.clone())
            .await;
        assert_eq!(answer.status, status, "{login}");
    }
    for (login, permission, role) in [
        ("ann", None, None),
        ("bea", Some(Permission::Pull), Some("read")),
        ("cat", Some(Permission::Triage), Some("read")),
        ("dan", Some(Permission::Push), Some("write")),
        ("eve", Some(Permission::Maintain), Some("write")),
        ("fay", Some(Permission::Admin), Some("admin")),
    ] {
        let client = world.somebody(login, permission);
        let me = client.get("/v1/users/me").await.data(200);
        assert_eq!(me["username"], login);
        let Some(role) = role else {
            client.get(VAULT).await.problem(404, "not-found");
            client
                .post(&format!("{VAULT}/secrets"), secret())
                .await
                .problem(404, "not-found");
            continue;
        };
        let vault = client.get(VAULT).await.data(200);
        assert_eq!(vault["permission"], role, "{login}");
        let written = client.post(&format!("{VAULT}/secrets"), secret()).await;
        assert_eq!(written.status == 403, role == "read", "{login}");
        if role != "admin" {
            client.delete(VAULT).await.problem(403, "forbidden");
        }
    }
}

async fn what_everybody_may_read_is_no_role(profile: Profile) {
    let world = World::start(profile).await;
    world.github.add_repo("acme/open", false);
    let ada = world.somebody("ada", None);
    world
        .github
        .grant("acme/open", "ada", Some(Permission::Admin));
    ada.post("/v1/vaults", json!({ "repoFullName": "acme/open" }))
        .await
        .data(201);
    let anybody = world.somebody("anybody", None);
    anybody
        .get("/v1/vaults/acme/open")
        .await
        .problem(404, "not-found");
    anybody
        .get("/v1/secrets/pull?repo=acme/open&environment=production")
        .await
        .problem(404, "not-found");
}

async fn a_role_is_believed_for_a_minute(profile: Profile) {
    let (world, _) = World::with_vault(profile).await;
    let bob = world.somebody("bob", Some(Permission::Push));
    bob.get(VAULT).await.data(200);
    let asked = (
        world.github.calls("/repositories/"),
        world.github.calls("/user"),
    );
    for _ in 0..5 {
        bob.get(VAULT).await.data(200);
    }
    let again = (
        world.github.calls("/repositories/"),
        world.github.calls("/user"),
    );
    assert_eq!(asked, again);

    world.github.grant("acme/web", "bob", None);
    world.app.advance(TimeDelta::seconds(60));
    bob.get(VAULT).await.problem(404, "not-found");
    world
        .github
        .grant("acme/web", "bob", Some(Permission::Pull));
    let vault = bob.get(VAULT).await.data(200);
    assert_eq!(vault["permission"], "read");
}

async fn without_an_answer_there_is_no_access(profile: Profile) {
    let (world, ada) = World::with_vault(profile).await;
    world.app.advance(TimeDelta::seconds(61));
    ada.get("/v1/users/me").await.data(200);
    for action in [
        Action::json(500, &json!({})),
        Action::json(200, &json!({ "id": "nonsense" })),
        Action::ResetBefore,
    ] {
        world
            .github
            .fault(Fault::next(action).path("/repositories/"));
        let answer = ada.get(VAULT).await;
        answer.problem(503, "unavailable");
        assert_eq!(answer.header("retry-after"), "5");
    }
    ada.get(VAULT).await.data(200);
}

async fn while_github_limits_calls_none_is_made(profile: Profile) {
    let (world, ada) = World::with_vault(profile).await;
    world.app.advance(TimeDelta::seconds(61));
    ada.get("/v1/users/me").await.data(200);
    let reset = (world.app.ambient.now() + TimeDelta::seconds(100)).timestamp();
    let limited = Action::Respond {
        status: 403,
        headers: [
            ("x-ratelimit-remaining".to_owned(), "0".to_owned()),
            ("x-ratelimit-reset".to_owned(), reset.to_string()),
        ]
        .into(),
        body: "{}".to_owned(),
    };
    world
        .github
        .fault(Fault::next(limited).path("/repositories/"));
    ada.get(VAULT).await.problem(503, "unavailable");
    let asked = world.github.calls("/");
    let answer = ada.get(VAULT).await;
    answer.problem(503, "unavailable");
    let wait: u64 = answer.header("retry-after").parse().unwrap();
    assert!((90..=100).contains(&wait), "{wait}");
    assert_eq!(world.github.calls("/"), asked);
    world.app.advance(TimeDelta::seconds(101));
    ada.get(VAULT).await.data(200);
}

async fn a_name_that_somebody_else_took_opens_nothing(profile: Profile) {
    let (world, ada) = World::with_vault(profile).await;
    // The login: whoever takes it is somebody else.
    world.github.rename_user("ada", "lovelace");
    let thief = world.somebody("ada", None);
    let (mine, theirs) = (
        ada.get("/v1/users/me").await.data(200),
        thief.get("/v1/users/me").await.data(200),
    );
    assert_ne!(mine["id"], theirs["id"]);
    thief.get(VAULT).await.problem(404, "not-found");
    thief
        .get("/v1/vaults")
        .await
        .data(200)
        .as_array()
        .map(|vaults| assert!(vaults.is_empty()))
        .unwrap();

    // The repository: the vault stays with the one that it was made for.
    world.github.rename_repo("acme/web", "site");
    world.github.add_repo("acme/web", true);
    world
        .github
        .grant("acme/web", "ada", Some(Permission::Admin));
    thief.get(VAULT).await.problem(404, "not-found");
    world.app.advance(TimeDelta::seconds(61));
    thief.get(VAULT).await.problem(404, "not-found");
    ada.get(VAULT).await.data(200);
}

async fn a_token_that_github_refuses_is_refused(profile: Profile) {
    let (world, _) = World::with_vault(profile).await;
    let wrong = world.app.client("ghp_wrong");
    for _ in 0..3 {
        let problem = wrong.get("/v1/users/me").await.problem(401, "unauthorized");
        assert_eq!(problem["detail"], "Invalid access token");
    }
    // Ada's, and the wrong one once.
    assert_eq!(world.github.calls("/user"), 2);
    for nonsense in ["ghs_app", "gho_", "ghp_a-b"] {
        world
            .app
            .client(nonsense)
            .get("/v1/users/me")
            .await
            .problem(401, "unauthorized");
    }
    assert_eq!(world.github.calls("/user"), 2);
}

async fn nobody_here_gives_roles(profile: Profile) {
    let (world, ada) = World::with_vault(profile).await;
    world
        .somebody("bob", None)
        .get("/v1/users/me")
        .await
        .data(200);
    let body = json!({ "username": "bob", "role": "admin" });
    ada.post(&format!("{VAULT}/members"), body)
        .await
        .problem(409, "conflict");
    ada.delete(&format!("{VAULT}/members/ada"))
        .await
        .problem(409, "conflict");
    let members = ada.get(&format!("{VAULT}/members")).await;
    assert_eq!(members.status, 200);
}

async fn a_key_asks_with_the_token_of_a_sign_in(profile: Profile) {
    let (world, ada) = World::with_vault(profile).await;
    let body = json!({ "name": "CI", "scopes": ["read:secrets"] });
    let key = ada.post("/v1/api-keys", body).await.data(200);
    let key = world.app.client(key["token"].as_str().unwrap());
    // What GitHub told a moment ago counts.
    key.get(VAULT).await.data(200);
    world.app.advance(TimeDelta::seconds(61));
    key.get(VAULT).await.problem(403, "forbidden");

    let me = ada.get("/v1/users/me").await.data(200);
    let id: uuid::Uuid = me["id"].as_str().unwrap().parse().unwrap();
    let tokens = world.github.tokens();
    let token = KeptToken {
        access: Secret::new(tokens.first().unwrap().as_str()),
        expires_at: None,
        refresh: None,
    };
    let mut tx = world.app.store.begin().await.unwrap();
    let now = tx.now().await.unwrap();
    tx.set_github_token(id, Some(&token), now).await.unwrap();
    tx.commit().await.unwrap();
    key.get(VAULT).await.data(200);

    // It is forgotten once GitHub does not take it any more.
    world.github.revoke_token(token.access.expose());
    world.app.advance(TimeDelta::seconds(61));
    key.get(VAULT).await.problem(403, "forbidden");
    let mut tx = world.app.store.begin_read().await.unwrap();
    let account = tx.github_account(id).await.unwrap().unwrap();
    assert!(account.token.is_none());
}

async fn lists_show_what_github_shows(profile: Profile) {
    let (world, _) = World::with_vault(profile).await;
    let bob = world.somebody("bob", Some(Permission::Pull));
    let list = bob.get("/v1/vaults").await;
    assert_eq!(list.data(200)[0]["repoFullName"], "acme/web");
    world.github.grant("acme/web", "bob", None);
    world.app.advance(TimeDelta::seconds(61));
    let list = bob.get("/v1/vaults").await;
    assert_eq!(list.json["meta"]["pagination"]["total"], 0);
    let list = bob.get("/v1/activity").await;
    assert_eq!(list.json["meta"]["pagination"]["total"], 0);
    bob.get("/v1/integrations/jobs?vault=acme/web")
        .await
        .problem(404, "not-found");
}

async fn roles_of_local_mode_do_not_count(profile: Profile) {
    let (world, ada) = World::with_vault(profile).await;
    let vault = ada.get(VAULT).await.data(200);
    let vault: uuid::Uuid = vault["id"].as_str().unwrap().parse().unwrap();
    let local = world.app.account("local").await;
    let mut tx = world.app.store.begin().await.unwrap();
    let now = tx.now().await.unwrap();
    tx.upsert_member(
        vault,
        local.user.id,
        keyway_shared::domain::vault::Role::Admin,
        now,
    )
    .await
    .unwrap();
    assert!(
        tx.find_vault_by_id(local.user.id, vault)
            .await
            .unwrap()
            .is_none()
    );
    tx.commit().await.unwrap();
    world
        .app
        .client(&local.token)
        .get(VAULT)
        .await
        .problem(403, "forbidden");
}
