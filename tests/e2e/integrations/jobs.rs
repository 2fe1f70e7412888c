//! The documents of jobs, and who may see them.

use keyway_shared::domain::job::{ErrorCode, JobState};
use keyway_tests::database::Profile;
use keyway_tests::on_both_profiles;
use serde_json::{Value, json};

use super::world::{SYNC, World, connect};

const JOBS: &str = "/v1/integrations/jobs";

/// Asks for a sync and does not wait.
async fn ask(world: &World) -> String {
    ask_of(world, "prj_myapp").await
}

async fn ask_of(world: &World, project: &str) -> String {
    let me = world.me.clone().with("prefer", "respond-async");
    let fields = json!({ "connectionId": world.connection, "projectId": project });
    let data = me.post(SYNC, fields).await.data(202);
    data["id"].as_str().unwrap_or_default().to_owned()
}

async fn a_job_tells_its_story(profile: Profile) {
    let world = World::start(profile).await;
    let path = format!("{JOBS}/{}", ask(&world).await);
    let queued = world.me.get(&path).await.data(200);
    let names: Vec<_> = queued
        .as_object()
        .into_iter()
        .flatten()
        .map(|(name, _)| name.as_str())
        .collect();
    let mut expected = vec![
        "id",
        "kind",
        "class",
        "state",
        "attempt",
        "vault",
        "connectionId",
        "projectId",
        "createdAt",
        "startedAt",
        "finishedAt",
        "waitingUntil",
        "waitingReason",
        "progress",
        "outcomes",
        "result",
        "errorCode",
        "retryOf",
        "requests",
        "cancelRequested",
        "error",
        "attempts",
    ];
    expected.sort_unstable();
    let mut sorted = names.clone();
    sorted.sort_unstable();
    assert_eq!(sorted, expected);
    assert_eq!(queued["state"], "queued");
    assert_eq!(queued["class"], "interactive");
    assert_eq!(queued["vault"], "acme/my-app");
    assert_eq!(queued["outcomes"], json!([]));
    assert_eq!(queued["progress"], json!({ "done": 0, "total": 0 }));
    assert_eq!(queued["attempts"], json!([]));

    let job = world.take().await;
    let running = world.me.get(&path).await.data(200);
    assert_eq!(
        (&running["state"], &running["attempt"]),
        (&json!("running"), &json!(1))
    );
    assert!(running["startedAt"].is_string());
    let result = json!({ "status": "success" });
    world
        .settle(&job, JobState::Succeeded, None, Some(result.clone()))
        .await;
    let ended = world.me.get(&path).await.data(200);
    assert_eq!(ended["state"], "succeeded");
    assert!(ended["finishedAt"].is_string());
    assert_eq!(ended["result"], result);
    assert_eq!(ended["outcomes"][0]["key"], "A");
    assert_eq!(ended["progress"], json!({ "done": 1, "total": 1 }));
    assert_eq!(ended["attempts"][0]["outcome"], "succeeded");

    let path = format!("{JOBS}/{}", ask(&world).await);
    let job = world.take().await;
    let why = (ErrorCode::NotFound, "There is no such project.");
    world.settle(&job, JobState::Failed, Some(why), None).await;
    let failed = world.me.get(&path).await.data(200);
    assert_eq!(failed["errorCode"], "not-found");
    assert_eq!(failed["error"], why.1);
}

async fn jobs_are_listed_newest_first(profile: Profile) {
    let world = World::start(profile).await;
    let mut ids = Vec::new();
    for number in 0..5 {
        ids.push(ask_of(&world, &format!("prj_{number}")).await);
    }
    ids.reverse();
    let of = |data: &Value| -> Vec<String> {
        data.as_array()
            .into_iter()
            .flatten()
            .map(|job| job["id"].as_str().unwrap_or_default().to_owned())
            .collect()
    };
    let all = world.me.get(JOBS).await;
    assert_eq!(of(&all.data(200)), ids);
    assert_eq!(
        all.json["meta"]["pagination"],
        json!({ "total": 5, "limit": 25, "offset": 0, "hasMore": false })
    );
    // From page to page by cursor.
    let (mut seen, mut cursor) = (Vec::new(), None);
    loop {
        let more = cursor.map_or_else(String::new, |cursor: String| format!("&cursor={cursor}"));
        let page = world.me.get(&format!("{JOBS}?limit=2{more}")).await;
        seen.extend(of(&page.data(200)));
        let pagination = &page.json["meta"]["pagination"];
        assert_eq!(pagination["total"], 5);
        match pagination["nextCursor"].as_str() {
            Some(next) => {
                assert_eq!(pagination["hasMore"], true);
                cursor = Some(next.to_owned());
            }
            None => break,
        }
    }
    assert_eq!(seen, ids);

    let connection = world.connection;
    for (query, count) in [
        ("vault=acme/my-app&state=queued&kind=sync".to_owned(), 5),
        ("vault=ACME/My-App".to_owned(), 5),
        (format!("connectionId={connection}"), 5),
        ("kind=preview".to_owned(), 0),
        ("state=failed".to_owned(), 0),
    ] {
        let data = world.me.get(&format!("{JOBS}?{query}")).await.data(200);
        assert_eq!(data.as_array().map(Vec::len), Some(count), "{query}");
    }
    for (query, field) in [
        ("kind=dance", "kind"),
        ("state=tired", "state"),
        ("vault=nonsense", "vault"),
        ("connectionId=nonsense", "connectionId"),
        ("cursor=nonsense", "cursor"),
        ("limit=0", "limit"),
        ("limit=101", "limit"),
    ] {
        world
            .me
            .get(&format!("{JOBS}?{query}"))
            .await
            .refuses(&[field]);
    }
    world
        .me
        .get(&format!("{JOBS}?vault=acme/nothing"))
        .await
        .problem(404, "not-found");
}

async fn jobs_are_shown_to_members_only(profile: Profile) {
    let world = World::start(profile).await;
    let path = format!("{JOBS}/{}", ask(&world).await);
    let eve = world.app.user("eve").await;
    connect(&eve).await;
    eve.get(&path).await.problem(404, "not-found");
    assert_eq!(eve.get(JOBS).await.data(200), json!([]));
    eve.get(&format!("{JOBS}?vault=acme/my-app"))
        .await
        .problem(404, "not-found");
    eve.get(&format!("{JOBS}/nonsense"))
        .await
        .problem(404, "not-found");
    let invite = json!({ "username": "eve", "role": "read" });
    let members = "/v1/vaults/acme/my-app/members";
    assert!(world.me.post(members, invite).await.status < 300);
    eve.get(&path).await.data(200);
    assert_eq!(
        eve.get(JOBS).await.data(200).as_array().map(Vec::len),
        Some(1)
    );
}

on_both_profiles!(
    a_job_tells_its_story,
    jobs_are_listed_newest_first,
    jobs_are_shown_to_members_only,
);
