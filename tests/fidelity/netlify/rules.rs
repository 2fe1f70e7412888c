//! What is refused as a variable.

use serde_json::{Value, json};

use super::{World, assert_refused, env, variable};

async fn refused(world: &World, body: &Value, part: &str) {
    let before = world.netlify.snapshot(keyway_simulator::netlify::SITE);
    assert_refused(&world.create(&json!([body])).await, 422, part);
    assert_eq!(
        world.netlify.snapshot(keyway_simulator::netlify::SITE),
        before
    );
}

#[tokio::test]
async fn contexts_are_known_and_given_once() {
    let world = World::starter().await;
    for (values, part) in [
        (json!([{ "context": "preview", "value": "1" }]), "not known"),
        (
            json!([{ "context": "branch", "value": "1" }]),
            "context_parameter",
        ),
        (
            json!([{ "context": "dev", "context_parameter": "a", "value": "1" }]),
            "context_parameter",
        ),
        (json!([{ "value": "1" }]), "Context"),
        (json!([{ "context": "dev" }]), "Value"),
        (
            json!([{ "context": "dev", "value": "1" }, { "context": "dev", "value": "2" }]),
            "twice",
        ),
        (json!([]), "Values"),
    ] {
        refused(&world, &json!({ "key": "KEY", "values": values }), part).await;
    }
    let branches = [("branch:a", "1"), ("branch:b", "2"), ("branch-deploy", "3")];
    world.make("KEY", &branches).await;
    let contexts = [
        ("production", "1"),
        ("deploy-preview", "1"),
        ("branch-deploy", "1"),
        ("dev", "1"),
        ("dev-server", "1"),
    ];
    world.make("EACH", &contexts).await;
}

#[tokio::test]
async fn keys_are_of_the_safe_set_unless_it_is_told_otherwise() {
    let world = World::starter().await;
    for key in ["1A", "A-B", "A.B", "_A", "Ä"] {
        refused(
            &world,
            &variable(key, &[("dev", "1")]),
            "invalid characters",
        )
        .await;
    }
    refused(&world, &variable("", &[("dev", "1")]), "blank").await;
    for key in ["a", "A_1", "NETLIFY_DATABASE_URL", "URL", "NETLIFY"] {
        world.make(key, &[("dev", "1")]).await;
    }
    world.netlify.set(|options| {
        options.safe_keys = false;
        options.refuse_read_only_keys = true;
    });
    world.make("A-B", &[("dev", "1")]).await;
    refused(&world, &variable("COMMIT_REF", &[("dev", "1")]), "reserved").await;
    // No prefix is reserved.
    world
        .make("NETLIFY_NEXT_PLUGIN_SKIP", &[("dev", "true")])
        .await;
}

#[tokio::test]
async fn limits_are_set_by_who_tests() {
    let world = World::starter().await;
    let long = "x".repeat(100_000);
    world.make("LONG", &[("dev", &long)]).await;
    world.make("EMPTY", &[("dev", "")]).await;
    world.netlify.set(|options| {
        options.max_key = Some(3);
        options.max_value = Some(4);
        options.max_variables = Some(4);
        options.empty_values = false;
    });
    refused(
        &world,
        &variable("LONG", &[("dev", "1")]),
        "Key is too long",
    )
    .await;
    refused(
        &world,
        &variable("KEY", &[("dev", "12345")]),
        "Value is too long",
    )
    .await;
    refused(
        &world,
        &variable("KEY", &[("dev", "")]),
        "Value can't be blank",
    )
    .await;
    world.make("KEY", &[("dev", "1234")]).await;
    refused(&world, &variable("TOO", &[("dev", "1")]), "Too many").await;
    // What is there can be changed.
    assert_eq!(world.set("KEY", "dev", "2").await.status, 201);
}

#[tokio::test]
async fn scopes_are_known_in_both_spellings() {
    let world = World::starter().await;
    let mut body = variable("KEY", &[("dev", "1")]);
    body["scopes"] = json!(["builds", "edge"]);
    refused(&world, &body, "edge is not known").await;
    let world = World {
        // Requests are described with one of them only.
        undescribed: true,
        ..world
    };
    for (key, scope) in [("A", "post_processing"), ("B", "post-processing")] {
        let mut body = variable(key, &[("dev", "1")]);
        body["scopes"] = json!([scope]);
        let made = world.create(&json!([body])).await;
        assert_eq!(made.body[0]["scopes"], json!(["post_processing"]));
    }
    world
        .netlify
        .set(|options| options.underscored_scopes = false);
    let read = world.read("A").await;
    assert_eq!(read.body["scopes"], json!(["post-processing"]));
}

#[tokio::test]
async fn bodies_are_json_as_described() {
    let world = World::starter().await;
    for (method, path) in [
        ("POST", env("")),
        ("PUT", env("DATABASE_URL")),
        ("PATCH", env("DATABASE_URL")),
    ] {
        for body in ["", "{", "7", "{\"value\": 1, \"values\": 1}"] {
            let request = world
                .request(method, &format!("/api/v1{path}"))
                .header("content-type", "application/json")
                .body(body);
            assert_refused(&world.send(request).await, 400, "as described");
        }
    }
}
