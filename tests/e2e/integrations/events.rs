//! Jobs that are followed by Server-Sent Events.

use keyway_shared::domain::job::{ErrorCode, JobState};
use keyway_tests::client::Events;
use keyway_tests::database::Profile;
use keyway_tests::on_both_profiles;
use serde_json::{Value, json};

use super::world::{SYNC, World};

const JOBS: &str = "/v1/integrations/jobs";

async fn ask(world: &World) -> String {
    let me = world.me.clone().with("prefer", "respond-async");
    let job = me.post(SYNC, world.fields()).await.data(202);
    job["id"].as_str().unwrap_or_default().to_owned()
}

async fn until(events: &mut Events, state: &str) -> (String, Value) {
    loop {
        let (name, job) = events.next().await.expect("one more event");
        if job["state"] == state {
            return (name, job);
        }
    }
}

async fn a_job_is_followed_to_its_end(profile: Profile) {
    let world = World::start(profile).await;
    let id = ask(&world).await;
    // From another process than the one that accepted it, where there can be two.
    let elsewhere = world.app.another().await.client(&world.account.token);
    let mut events = elsewhere.events(&format!("{JOBS}/{id}/events")).await;
    let (name, first) = events.next().await.expect("the job as it stands");
    assert_eq!((name.as_str(), &first["state"]), ("job", &json!("queued")));
    assert_eq!(first["id"], id);
    let job = world.take().await;
    world.app.queue.announce(job.id).await;
    assert_eq!(until(&mut events, "running").await.0, "job");
    let lease = job.lease_id.expect("a lease");
    let mut tx = world.app.store.begin().await.expect("begins");
    tx.set_progress(job.id, lease, 1, 3)
        .await
        .expect("progress");
    tx.commit().await.expect("commits");
    // Nobody tells of progress: the stream looks for itself.
    let (_, running) = until(&mut events, "running").await;
    assert_eq!(running["progress"], json!({ "done": 1, "total": 3 }));
    let why = (ErrorCode::NotFound, "There is no such project.");
    world.settle(&job, JobState::Failed, Some(why), None).await;
    let (name, last) = until(&mut events, "failed").await;
    assert_eq!(
        (name.as_str(), &last["errorCode"]),
        ("end", &json!("not-found"))
    );
    assert_eq!(events.next().await, None);
    // What has ended is told at once.
    let mut events = world.me.events(&format!("{JOBS}/{id}/events")).await;
    assert_eq!(events.next().await.expect("the end").0, "end");
    assert_eq!(events.next().await, None);
}

async fn who_may_no_longer_see_it_is_told_no_more(profile: Profile) {
    let world = World::start(profile).await;
    let path = format!("{JOBS}/{}/events", ask(&world).await);
    let eve = world.app.user("eve").await;
    eve.get(&path).await.problem(404, "not-found");
    let members = "/v1/vaults/acme/my-app/members";
    let invite = json!({ "username": "eve", "role": "read" });
    assert!(world.me.post(members, invite).await.status < 300);
    let mut events = eve.events(&path).await;
    assert!(events.next().await.is_some());
    let left = world.me.delete(&format!("{members}/eve")).await;
    assert!(left.status < 300);
    assert_eq!(events.next().await, None);
    let mut events = world.me.events(&path).await;
    assert!(events.next().await.is_some());
    let revoked = format!("/v1/api-keys/{}", world.account.key.id);
    assert!(world.me.delete(&revoked).await.status < 300);
    assert_eq!(events.next().await, None);
}

async fn a_stop_ends_the_stream(profile: Profile) {
    let world = World::start(profile).await;
    let path = format!("{JOBS}/{}/events", ask(&world).await);
    let mut events = world.me.events(&path).await;
    assert!(events.next().await.is_some());
    world.app.lifecycle.soft.cancel();
    assert_eq!(events.next().await, None);
}

on_both_profiles!(
    a_job_is_followed_to_its_end,
    who_may_no_longer_see_it_is_told_no_more,
    a_stop_ends_the_stream,
);
