//! Members and what their roles let them do.

use keyway_tests::app::TestApp;
use keyway_tests::database::Profile;
use serde_json::json;

use crate::vaults::create;

keyway_tests::on_both_profiles!(
    members_come_change_and_go,
    a_vault_keeps_an_admin,
    a_role_bounds_what_a_member_may_do,
);

async fn members_come_change_and_go(profile: Profile) {
    let app = TestApp::start(profile).await;
    let (ada, bob) = (app.user("ada").await, app.user("bob").await);
    create(&ada, "acme/web").await;
    let members = "/v1/vaults/acme/web/members";

    bob.get("/v1/vaults/acme/web")
        .await
        .problem(404, "not-found");
    let body = json!({ "username": "BOB", "role": "read" });
    let added = ada.post(members, body).await.data(201)["member"].clone();
    assert_eq!(added["username"], "bob");
    assert_eq!(added["role"], "read");
    let vault = bob.get("/v1/vaults/acme/web").await.data(200);
    assert_eq!(vault["permission"], "read");

    let body = json!({ "username": "bob", "role": "write" });
    let changed = ada.post(members, body).await.data(200)["member"].clone();
    assert_eq!(changed["role"], "write");
    assert_eq!(changed["createdAt"], added["createdAt"]);
    let listed = bob.get(members).await.data(200)["members"].clone();
    assert_eq!(listed[0]["username"], "ada");
    assert_eq!(listed[1], changed);

    ada.post(members, json!({ "username": "nobody", "role": "read" }))
        .await
        .problem(404, "not-found");
    ada.post(members, json!({ "username": "bob", "role": "owner" }))
        .await
        .refuses(&["role"]);

    // Everybody may leave; nobody but an admin may remove another.
    bob.delete(&format!("{members}/ada"))
        .await
        .problem(403, "forbidden");
    bob.delete(&format!("{members}/bob")).await.empty();
    bob.get("/v1/vaults/acme/web")
        .await
        .problem(404, "not-found");
    ada.delete(&format!("{members}/bob"))
        .await
        .problem(404, "not-found");
}

async fn a_vault_keeps_an_admin(profile: Profile) {
    let app = TestApp::start(profile).await;
    let (ada, bob) = (app.user("ada").await, app.user("bob").await);
    create(&ada, "acme/web").await;
    let members = "/v1/vaults/acme/web/members";

    ada.delete(&format!("{members}/ada"))
        .await
        .problem(409, "conflict");
    ada.post(members, json!({ "username": "ada", "role": "write" }))
        .await
        .problem(409, "conflict");
    ada.post(members, json!({ "username": "ada", "role": "admin" }))
        .await
        .data(200);
    ada.post(members, json!({ "username": "bob", "role": "admin" }))
        .await
        .data(201);
    ada.delete(&format!("{members}/ada")).await.empty();
    bob.delete(&format!("{members}/bob"))
        .await
        .problem(409, "conflict");
}

async fn a_role_bounds_what_a_member_may_do(profile: Profile) {
    let app = TestApp::start(profile).await;
    let ada = app.user("ada").await;
    create(&ada, "acme/web").await;
    let vault = "/v1/vaults/acme/web";
    let secret = json!({ "key": "A", "value": "1", "environment": "production" });
    let secrets = format!("{vault}/secrets");
    let id = ada.post(&secrets, secret.clone()).await.data(201)["id"].clone();
    let one = format!("{secrets}/{}", id.as_str().unwrap());

    for role in ["read", "write"] {
        let other = app.user(role).await;
        ada.post(
            &format!("{vault}/members"),
            json!({ "username": role, "role": role }),
        )
        .await
        .data(201);
        other.get(&secrets).await.data(200);
        other.get(&format!("{one}/value")).await.data(200);
        let write = other.post(&secrets, secret.clone()).await;
        let push = json!({
            "repoFullName": "acme/web", "environment": "production", "secrets": { "A": "1" },
        });
        let push = other.post("/v1/secrets/push", push).await;
        if role == "read" {
            let detail = write.problem(403, "forbidden")["detail"].clone();
            assert_eq!(
                detail,
                "This needs the role write in the vault; your role is read"
            );
            push.problem(403, "forbidden");
            other.delete(&one).await.problem(403, "forbidden");
            other
                .patch(&one, json!({ "value": "2" }))
                .await
                .problem(403, "forbidden");
            other
                .delete(&format!("{vault}/trash"))
                .await
                .problem(403, "forbidden");
        } else {
            write.data(200);
            push.data(200);
        }
        let environments = format!("{vault}/environments");
        let members = format!("{vault}/members");
        for refused in [
            other.post(&environments, json!({ "name": "qa" })).await,
            other
                .patch(
                    &format!("{environments}/staging"),
                    json!({ "newName": "qa" }),
                )
                .await,
            other
                .patch(
                    &format!("{environments}/staging/type"),
                    json!({ "type": "standard" }),
                )
                .await,
            other
                .patch(
                    &format!("{environments}/development/type"),
                    json!({ "type": "protected" }),
                )
                .await,
            other.delete(&format!("{environments}/staging")).await,
            other
                .post(&members, json!({ "username": role, "role": "admin" }))
                .await,
            other.delete(vault).await,
        ] {
            refused.problem(403, "forbidden");
        }
    }
}
