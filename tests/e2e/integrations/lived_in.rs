//! The story of docs/sync.md, on a project that people have edited for years.

use std::collections::BTreeMap;

use keyway_simulator::vercel::{Place, Shown};
use keyway_tests::database::Profile;
use keyway_tests::on_both_profiles;
use serde_json::{Value, json};

use super::whole::start;
use super::world::{SYNC, World};

type Snapshot = BTreeMap<Place, Shown>;

/// `-KEY value` and `+KEY value` of production; nothing else may differ.
fn difference(before: &Snapshot, after: &Snapshot) -> Vec<String> {
    let line = |sign: char, place: &Place, shown: &Shown| {
        assert_eq!((place.scope.as_str(), &place.branch), ("production", &None));
        format!("{sign}{} {} {}", place.key, shown.kind, shown.value)
    };
    let gone = before
        .iter()
        .filter(|(place, shown)| after.get(place) != Some(shown))
        .map(|(place, shown)| (place.key.clone(), line('-', place, shown)));
    let new = after
        .iter()
        .filter(|(place, shown)| before.get(place) != Some(shown))
        .map(|(place, shown)| (place.key.clone(), line('+', place, shown)));
    let mut lines: Vec<_> = gone.chain(new).collect();
    lines.sort_by(|a, b| a.0.cmp(&b.0));
    lines.into_iter().map(|(_, line)| line).collect()
}

async fn set(world: &World, flag: &str) {
    let secrets = json!({ "API_URL": "https://api.acme.com", "STRIPE_SECRET_KEY": "sk_live_2",
        "NEW_FLAG": flag, "EMPTY": "", "TZ": "UTC" });
    let push = json!({ "repoFullName": "acme/my-app", "environment": "production",
        "secrets": secrets });
    world.me.post("/v1/secrets/push", push).await.data(200);
}

/// created, updated, deleted, skipped, failed, calls.
fn counts(report: &Value) -> [u64; 6] {
    assert_eq!(report["status"], "success", "{report}");
    [
        "created",
        "updated",
        "deleted",
        "skipped",
        "failed",
        "providerCalls",
    ]
    .map(|name| report[name].as_u64().expect("a count"))
}

async fn the_guide_is_true(profile: Profile) {
    let world = start(profile).await;
    let me = &world.me;
    let preview = async |more: &str| {
        let path = format!("{}{more}", world.query("preview"));
        me.get(&path).await.data(200)
    };
    set(&world, "on").await;
    let at_first = world.vercel.snapshot("prj_myapp");

    let shown = preview("").await;
    assert_eq!(shown["toCreate"], json!(["NEW_FLAG"]));
    assert_eq!(shown["toUpdate"], json!(["API_URL", "STRIPE_SECRET_KEY"]));
    assert_eq!(shown["toDelete"], json!([]));
    assert_eq!(
        shown["reasons"],
        json!({ "API_URL": "changed", "EMPTY": "unchanged", "NEW_FLAG": "missing",
            "STRIPE_SECRET_KEY": "unverifiable", "TZ": "reserved", "VERCEL_URL": "reserved" })
    );
    assert_eq!(shown["providerCalls"], 3);
    assert_eq!(shown["warnings"].as_array().map(Vec::len), Some(1));
    assert_eq!(shown["warnings"][0]["code"], "reserved");
    assert_eq!(shown["warnings"][0]["keys"], json!(["TZ"]));

    let plan = json!({ "planId": shown["planId"] });
    let report = me.post(SYNC, plan).await.data(200);
    assert_eq!(counts(&report), [1, 2, 0, 3, 0, 3]);
    let pushed = world.vercel.snapshot("prj_myapp");
    assert_eq!(
        difference(&at_first, &pushed),
        [
            "-API_URL encrypted https://api.acme.dev",
            "+API_URL encrypted https://api.acme.com",
            "+NEW_FLAG encrypted on",
            "-STRIPE_SECRET_KEY sensitive sk_live_1",
            "+STRIPE_SECRET_KEY sensitive sk_live_2",
        ]
    );

    let managed = preview("&allowDelete=true&deleteScope=managed").await;
    assert_eq!(managed["toDelete"], json!([]));
    for key in ["OLD_FLAG", "SENTRY_DSN"] {
        assert_eq!(managed["reasons"][key], "not-managed");
    }
    let shown = preview("&allowDelete=true").await;
    assert_eq!(shown["toDelete"], json!(["OLD_FLAG", "SENTRY_DSN"]));
    assert_eq!(shown["reasons"]["POSTGRES_URL"], "protected");
    set(&world, "off").await;
    let stale = me.post(SYNC, json!({ "planId": shown["planId"] })).await;
    assert!(
        stale
            .text
            .contains("Changed since the preview: NEW_FLAG. Nothing was written; preview again.")
    );
    stale.problem(409, "plan-stale");
    let mut fields = world.fields();
    fields["allowDelete"] = json!(true);
    let report = me.post(SYNC, fields).await.data(200);
    assert_eq!(counts(&report), [0, 1, 2, 6, 0, 4]);
    assert_eq!(
        difference(&pushed, &world.vercel.snapshot("prj_myapp")),
        [
            "-NEW_FLAG encrypted on",
            "+NEW_FLAG encrypted off",
            "-OLD_FLAG plain on",
            "-SENTRY_DSN encrypted https://sentry.example/1",
        ]
    );

    let pull = "&keywayEnvironment=staging&providerEnvironment=preview&direction=pull";
    let shown = preview(pull).await;
    let keys = json!(["API_URL", "DATABASE_URL", "FEATURE", "SENTRY_DSN"]);
    assert_eq!(shown["toCreate"], keys);
    assert_eq!(shown["toSkip"], json!(["STRIPE_SECRET_KEY", "VERCEL_URL"]));
    assert_eq!(shown["reasons"]["STRIPE_SECRET_KEY"], "unreadable");
    assert_eq!(shown["warnings"], json!([]));
    let plan = json!({ "planId": shown["planId"] });
    let report = me.post(SYNC, plan).await.data(200);
    assert_eq!(counts(&report)[..5], [4, 0, 0, 2, 0]);
    assert_eq!(report["providerCalls"], shown["providerCalls"]);
    let pulled = me
        .get("/v1/secrets/pull?repo=acme/my-app&environment=staging")
        .await
        .data(200);
    assert_eq!(
        pulled["content"],
        "API_URL=https://api.acme.dev\nDATABASE_URL=postgres://preview\nFEATURE=off\n\
         SENTRY_DSN=https://sentry.example/1\n"
    );
}

async fn environments_are_told_apart_by_name_and_branch(profile: Profile) {
    let world = start(profile).await;
    let me = &world.me;
    let push = json!({ "repoFullName": "acme/my-app", "environment": "staging",
        "secrets": { "API_URL": "https://staging.acme.com", "FEATURE": "yes" } });
    me.post("/v1/secrets/push", push).await.data(200);
    let before = world.vercel.snapshot("prj_myapp");
    let fields = |environment: &str, branch: Option<&str>| {
        let mut fields = world.fields();
        fields["keywayEnvironment"] = json!("staging");
        fields["providerEnvironment"] = json!(environment);
        if let Some(branch) = branch {
            fields["gitBranch"] = json!(branch);
        }
        fields
    };
    let report = me
        .post(SYNC, fields("preview", Some("feature/login")))
        .await
        .data(200);
    assert_eq!(counts(&report)[..3], [1, 1, 0]);
    let report = me.post(SYNC, fields("staging", None)).await.data(200);
    assert_eq!(counts(&report)[..3], [1, 1, 0]);
    let after = world.vercel.snapshot("prj_myapp");
    for (place, shown) in &before {
        let ours = place.branch.as_deref() == Some("feature/login")
            || (place.scope.starts_with("env_") && place.key == "API_URL");
        assert_eq!(after.get(place) == Some(shown), !ours, "{place:?}");
    }
    let unknown = me.post(SYNC, fields("prod", None)).await;
    for known in ["production", "preview", "development", "staging"] {
        assert!(unknown.text.contains(known), "{}", unknown.text);
    }
    unknown.refuses(&["providerEnvironment"]);
}

on_both_profiles!(
    the_guide_is_true,
    environments_are_told_apart_by_name_and_branch,
);
