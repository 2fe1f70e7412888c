//! What is refused before there is a job.

use keyway_shared::domain::account::Scope;
use keyway_tests::database::Profile;
use keyway_tests::on_both_profiles;
use serde_json::{Value, json};

use super::world::{SYNC, World, connect};

/// Says at once that a job was accepted.
const ASYNC: (&str, &str) = ("prefer", "respond-async");

fn with(mut fields: Value, name: &str, value: Value) -> Value {
    fields[name] = value;
    fields
}

async fn fields_that_do_not_fit_are_named(profile: Profile) {
    let world = World::start(profile).await;
    let me = &world.me;
    let fields = |name: &str, value: Value| with(world.fields(), name, value);
    for (name, value) in [
        ("connectionId", json!("nonsense")),
        ("connectionId", json!(null)),
        ("projectId", json!("..")),
        ("projectId", json!("")),
        ("projectId", json!("a b")),
        ("providerEnvironment", json!("")),
        ("gitBranch", json!("a\nb")),
        ("serviceId", json!("srv")),
        ("direction", json!("sideways")),
        ("allowDelete", json!("yes")),
        ("deleteScope", json!("some")),
        ("onConflict", json!("ask")),
        ("variableType", json!("plain")),
        ("confirmEmptySource", json!(1)),
        ("planId", json!("nonsense")),
        // A list of nothing is a mistake that must not widen the write.
        ("include", json!([])),
        ("include", json!(["A["])),
        ("exclude", json!("A_*")),
        ("exclude", json!([""])),
        ("prefix", json!("")),
        ("verify", json!("yes")),
        // Misspelt: a filter that is not heeded would widen the write.
        ("exlcude", json!(["A_*"])),
    ] {
        me.post(SYNC, fields(name, value)).await.refuses(&[name]);
    }
    let missing = me.post(SYNC, json!({ "projectId": "x" })).await;
    missing.refuses(&["connectionId"]);
    let missing = me.post(SYNC, json!({})).await;
    missing.refuses(&["connectionId", "projectId"]);
    // Only preview can be narrowed to a branch.
    me.post(SYNC, fields("gitBranch", json!("main")))
        .await
        .refuses(&["gitBranch"]);
    let preview = world.query("preview");
    for (more, name) in [
        ("&exclude=", "exclude"),
        ("&exclude=A&exclude=%7BB", "exclude"),
        ("&prefix=", "prefix"),
        ("&verify=maybe", "verify"),
        ("&exlcude=A", "exlcude"),
        ("&planId=0197a0ab-0000-7000-8000-000000000000", "planId"),
        ("&direction=sideways", "direction"),
        ("&allowDelete=maybe", "allowDelete"),
        ("&serviceId=srv", "serviceId"),
    ] {
        me.get(&format!("{preview}{more}")).await.refuses(&[name]);
    }
    me.get(&format!("{}&direction=push", world.query("diff")))
        .await
        .refuses(&["direction"]);
    let nonsense = format!("{SYNC}/status?connectionId=nonsense&projectId=x");
    me.get(&nonsense).await.refuses(&["connectionId"]);
    let malformed = me
        .clone()
        .with("content-type", "application/json")
        .send(reqwest::Method::POST, SYNC, Some(b"{".to_vec()))
        .await;
    malformed.problem(400, "bad-request");
}

async fn what_is_not_there_is_not_found(profile: Profile) {
    let world = World::start(profile).await;
    let (me, unknown) = (&world.me, world.app.unknown_id());
    let fields = |name: &str, value: Value| with(world.fields(), name, value);
    me.post(SYNC, fields("connectionId", json!(unknown)))
        .await
        .problem(404, "not-found");
    let answer = me
        .post(SYNC, fields("keywayEnvironment", json!("prod")))
        .await;
    answer.problem(404, "not-found");
    assert!(answer.text.contains("development, staging, production"));
    me.post("/v1/integrations/vaults/acme/nothing/sync", world.fields())
        .await
        .problem(404, "not-found");
    // Another's vault and another's connection are not there either.
    let eve = world.app.user("eve").await;
    eve.post(
        SYNC,
        json!({ "connectionId": connect(&eve).await, "projectId": "prj_myapp" }),
    )
    .await
    .problem(404, "not-found");
    eve.post("/v1/vaults", json!({ "repoFullName": "eve/app" }))
        .await
        .data(201);
    let theirs = "/v1/integrations/vaults/eve/app/sync";
    eve.post(theirs, world.fields())
        .await
        .problem(404, "not-found");
    for call in ["preview", "diff", "status"] {
        eve.get(&world.query(call)).await.problem(404, "not-found");
    }
    let jobs = me.get("/v1/integrations/jobs").await;
    assert_eq!(jobs.json["meta"]["pagination"]["total"], 0);
}

async fn scopes_and_roles_bound_what_may_be_asked(profile: Profile) {
    let world = World::start(profile).await;
    let (read, write, delete) = (
        Scope::ReadSecrets,
        Scope::WriteSecrets,
        Scope::DeleteSecrets,
    );
    let push = world.fields();
    let pull = with(world.fields(), "direction", json!("pull"));
    let deleting = |fields: &Value| with(fields.clone(), "allowDelete", json!(true));
    for (scopes, fields, allowed) in [
        (vec![read], push.clone(), true),
        (vec![write], push.clone(), false),
        (vec![write], pull.clone(), true),
        (vec![read], pull.clone(), false),
        (vec![read, write], deleting(&push), false),
        (vec![read, write], deleting(&pull), false),
        (vec![read, delete], deleting(&push), true),
        (vec![write, delete], deleting(&pull), true),
    ] {
        let key = world.app.key(&world.account.user, &scopes, None).await;
        let client = world.app.client(&key.token).with(ASYNC.0, ASYNC.1);
        let answer = client.post(SYNC, fields).await;
        if allowed {
            answer.data(202);
        } else {
            answer.problem(403, "forbidden");
        }
    }
    let key = world.app.key(&world.account.user, &[write], None).await;
    let client = world.app.client(&key.token);
    for call in ["preview", "diff", "status"] {
        client
            .get(&world.query(call))
            .await
            .problem(403, "forbidden");
    }

    let eve = world.app.user("eve").await.with(ASYNC.0, ASYNC.1);
    let connection = connect(&eve).await;
    let members = "/v1/vaults/acme/my-app/members";
    let invite = json!({ "username": "eve", "role": "read" });
    assert!(world.me.post(members, invite).await.status < 300);
    let fields = json!({ "connectionId": connection, "projectId": "prj_myapp" });
    eve.post(SYNC, fields.clone()).await.data(202);
    let pull = with(fields.clone(), "direction", json!("pull"));
    eve.post(SYNC, pull).await.problem(403, "forbidden");
    eve.post(SYNC, deleting(&fields))
        .await
        .problem(403, "forbidden");
    let anonymous = world.app.anonymous();
    anonymous
        .post(SYNC, fields)
        .await
        .problem(401, "unauthorized");
}

on_both_profiles!(
    fields_that_do_not_fit_are_named,
    what_is_not_there_is_not_found,
    scopes_and_roles_bound_what_may_be_asked,
);
