//! Secrets: what is seen of them, and what is asked of them.

use keyway_simulator::netlify::{FREE_ACCOUNT, Preset, SITE, SecretValues};
use serde_json::json;

use super::{World, assert_refused, env, pairs, secret, variable};

const LONG: &str = "sk_live_0123456789";

#[tokio::test]
async fn only_the_value_of_dev_can_be_read() {
    let world = World::starter().await;
    let body = json!([secret(
        "KEY",
        &[
            ("production", LONG),
            ("dev", "local"),
            ("branch:a", "short")
        ]
    )]);
    let made = world.create(&body).await;
    assert_eq!(made.status, 201);
    let masked = |first: &str, branch: &str| {
        pairs(&[
            ("production", first),
            ("dev", "local"),
            ("branch:a", branch),
        ])
    };
    let seen = masked("****************6789", "****************");
    assert_eq!(super::values(&made.body[0]), seen);
    assert_eq!(world.read("KEY").await.values(), seen);
    assert!(!world.get(&env("")).await.text.contains(LONG));
    for (how, text) in [(SecretValues::Empty, ""), (SecretValues::Absent, "(none)")] {
        world.netlify.set(|options| options.secret_values = how);
        assert_eq!(world.read("KEY").await.values(), masked(text, text));
    }
    // It is there all the same.
    let value = world.netlify.value(SITE, "KEY", "production", None);
    assert_eq!(value.as_deref(), Some(LONG));
}

#[tokio::test]
async fn a_patch_sets_what_cannot_be_read() {
    let world = World::new(Preset::LivedIn).await;
    let before = world.netlify.snapshot(SITE);
    let patched = world
        .set("STRIPE_SECRET_KEY", "production", "sk_live_2")
        .await;
    assert_eq!(patched.status, 201);
    assert!(!patched.text.contains("sk_live_2"));
    let value = |context| {
        world
            .netlify
            .value(SITE, "STRIPE_SECRET_KEY", context, None)
    };
    assert_eq!(value("production").as_deref(), Some("sk_live_2"));
    assert_eq!(
        value("branch-deploy").as_deref(),
        Some("sk_test_0123456789abcdef")
    );
    assert_eq!(world.netlify.snapshot(SITE).len(), before.len());
}

#[tokio::test]
async fn sending_back_what_was_read_destroys_it() {
    let world = World::new(Preset::LivedIn).await;
    let read = world.read("STRIPE_SECRET_KEY").await.body;
    let body = json!({ "key": read["key"], "values": read["values"] });
    let put = world.call("PUT", &env("STRIPE_SECRET_KEY"), &body).await;
    assert_eq!(put.status, 200);
    let value = world
        .netlify
        .value(SITE, "STRIPE_SECRET_KEY", "production", None);
    assert_eq!(value.as_deref(), Some("****************cdef"));
}

#[tokio::test]
async fn a_secret_is_of_explicit_contexts() {
    let world = World::starter().await;
    let of_all = json!([secret("KEY", &[("all", "1")])]);
    assert_refused(&world.create(&of_all).await, 422, "explicit contexts");
    world
        .create(&json!([secret("KEY", &[("production", "1")])]))
        .await;
    assert_refused(
        &world.set("KEY", "all", "2").await,
        422,
        "explicit contexts",
    );
    world.make("PLAIN", &[("all", "1")]).await;
    let of_all = secret("PLAIN", &[("all", "1")]);
    let refused = world.call("PUT", &env("PLAIN"), &of_all).await;
    assert_refused(&refused, 422, "explicit contexts");
    let explicit = secret("PLAIN", &[("production", "1"), ("dev", "1")]);
    let turned = world.call("PUT", &env("PLAIN"), &explicit).await;
    assert_eq!(
        (turned.status, &turned.body["is_secret"]),
        (200, &json!(true))
    );
}

#[tokio::test]
async fn a_secret_is_of_scopes_without_post_processing() {
    let world = World::starter().await;
    let mut body = secret("KEY", &[("production", "1")]);
    // In both spellings; the one of the answers is not described.
    for scope in ["post-processing", "post_processing"] {
        body["scopes"] = json!(["builds", scope]);
        let refused = world.create(&json!([body])).await;
        assert_refused(&refused, 422, "'post_processing' scopes");
    }
    body.as_object_mut().unwrap().remove("scopes");
    let refused = world.create(&json!([body])).await;
    assert_refused(&refused, 422, "'post_processing' scopes");
    world
        .netlify
        .set(|options| options.secret_needs_scopes = false);
    let made = world.create(&json!([body])).await;
    assert_eq!(
        made.body[0]["scopes"],
        json!(["builds", "functions", "runtime"])
    );
}

#[tokio::test]
async fn a_secret_stays_one() {
    let world = World::starter().await;
    world
        .create(&json!([secret("KEY", &[("production", "1")])]))
        .await;
    let mut body = variable("KEY", &[("production", "2")]);
    let put = world.call("PUT", &env("KEY"), &body).await;
    assert_eq!((put.status, &put.body["is_secret"]), (200, &json!(true)));
    body["is_secret"] = json!(false);
    let refused = world.call("PUT", &env("KEY"), &body).await;
    assert_refused(&refused, 422, "readable again");
    world.netlify.set(|options| options.refuse_unsecret = false);
    let put = world.call("PUT", &env("KEY"), &body).await;
    assert_eq!((put.status, &put.body["is_secret"]), (200, &json!(true)));
    // Who wants to read it again deletes it first.
    world.delete(&env("KEY")).await;
    world.make("KEY", &[("production", "3")]).await;
    assert_eq!(
        world.read("KEY").await.values(),
        pairs(&[("production", "3")])
    );
}

#[tokio::test]
async fn teams_that_do_not_pay_name_the_scopes_of_secrets_or_of_nothing() {
    let world = World::starter().await;
    let hobby = world.get("/sites?name=hobby").await.body[0]["id"].clone();
    let path = format!(
        "/accounts/{FREE_ACCOUNT}/env?site_id={}",
        hobby.as_str().unwrap()
    );
    let mut scoped = variable("KEY", &[("all", "1")]);
    scoped["scopes"] = json!(["builds"]);
    let refused = world.call("POST", &path, &json!([scoped])).await;
    assert_eq!(refused.status, 403);
    assert_eq!(
        refused.body["message"],
        "Upgrade your Netlify account to set specific scopes"
    );
    let plain = json!([variable("KEY", &[("all", "1")])]);
    assert_eq!(world.call("POST", &path, &plain).await.status, 201);
    let body = json!([secret("SECRET", &[("production", "1")])]);
    world
        .netlify
        .set(|options| options.free_secret_scopes = false);
    assert_refused(&world.call("POST", &path, &body).await, 403, "Upgrade");
    world
        .netlify
        .set(|options| options.free_secret_scopes = true);
    assert_eq!(world.call("POST", &path, &body).await.status, 201);
}
