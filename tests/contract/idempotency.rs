//! Requests with an idempotency key.

use std::time::Duration;

use keyway_shared::domain::access::Access;
use keyway_shared::domain::account::Scope;
use keyway_shared::domain::vault::Role;
use keyway_shared::store::{Authority, KeptAnswer, Keyed, KeyedRequest};
use serde_json::json;
use uuid::Uuid;

use crate::world::World;

const LOCK: Duration = Duration::from_mins(2);
const KEEP: Duration = Duration::from_hours(24);

/// Gives the record's id with what is known.
async fn begin(world: &World, user_id: Uuid, path: &str, body: &str) -> (Uuid, Keyed) {
    let id = world.ambient.new_id();
    let mut tx = world.tx().await;
    let known = tx
        .begin_keyed(&KeyedRequest {
            id,
            user_id,
            method: "POST",
            path,
            key: "key",
            content: [b"", body.as_bytes()],
            lock: LOCK,
            keep: KEEP,
        })
        .await
        .unwrap();
    tx.commit().await.unwrap();
    (id, known)
}

pub(crate) async fn a_key_is_its_callers_for_a_path_and_a_body(world: &World) {
    let (ada, eve) = (world.user("ada").await.id, world.user("eve").await.id);
    assert_eq!(begin(world, ada, "/a", "{}").await.1, Keyed::New);
    assert_eq!(begin(world, ada, "/a", "{}").await.1, Keyed::UnderWay);
    assert_eq!(begin(world, ada, "/a", "{ }").await.1, Keyed::Mismatch);
    assert_eq!(begin(world, ada, "/b", "{ }").await.1, Keyed::New);
    assert_eq!(begin(world, eve, "/a", "{ }").await.1, Keyed::New);
}

pub(crate) async fn of_two_at_once_one_begins(world: &World) {
    let ada = world.user("ada").await.id;
    for path in ["/a", "/b", "/c"] {
        let (one, two) = tokio::join!(begin(world, ada, path, ""), begin(world, ada, path, ""));
        let known = (one.1, two.1);
        assert!(
            matches!(
                known,
                (Keyed::New, Keyed::UnderWay) | (Keyed::UnderWay, Keyed::New)
            ),
            "{known:?}"
        );
    }
}

pub(crate) async fn a_key_leads_to_its_job(world: &World) {
    let acme = world.place("acme").await;
    let ada = acme.user.id;
    let (id, _) = begin(world, ada, "/a", "").await;
    let job = world.new_job(&acme, None);
    // In one unit of work: neither is there without the other.
    let mut tx = world.tx().await;
    tx.insert_job(&job).await.unwrap();
    assert!(tx.bind_keyed(id, job.id).await.unwrap());
    drop(tx);
    assert_eq!(begin(world, ada, "/a", "").await.1, Keyed::UnderWay);
    let mut tx = world.tx().await;
    tx.insert_job(&job).await.unwrap();
    assert!(tx.bind_keyed(id, job.id).await.unwrap());
    tx.commit().await.unwrap();
    assert_eq!(begin(world, ada, "/a", "").await.1, Keyed::Job(job.id));
    assert_eq!(begin(world, ada, "/a", "x").await.1, Keyed::Mismatch);
    // Not even by a failure that came after.
    let mut tx = world.tx().await;
    tx.forget_keyed(id).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(begin(world, ada, "/a", "").await.1, Keyed::Job(job.id));
}

pub(crate) async fn an_answer_is_kept_and_a_failure_is_not(world: &World) {
    let ada = world.user("ada").await.id;
    let answer = KeptAnswer {
        status: 201,
        data: json!({ "id": 1 }),
        location: Some("/there".to_owned()),
        authority: Authority {
            scopes: vec![Scope::WriteSecrets],
            vaults: vec![(world.ambient.new_id(), Role::Write)],
            environments: vec![(
                world.ambient.new_id(),
                world.ambient.new_id(),
                Access::Write,
            )],
        },
    };
    let keep = async |path: &str, answer: Option<&KeptAnswer>| {
        let (id, known) = begin(world, ada, path, "").await;
        assert_eq!(known, Keyed::New);
        let mut tx = world.tx().await;
        tx.answer_keyed(id, answer).await.unwrap();
        tx.commit().await.unwrap();
        begin(world, ada, path, "").await.1
    };
    assert_eq!(
        keep("/a", Some(&answer)).await,
        Keyed::Answered(answer.clone())
    );
    assert_eq!(keep("/secret", None).await, Keyed::Unkept);
    let (id, _) = begin(world, ada, "/failed", "").await;
    let mut tx = world.tx().await;
    tx.forget_keyed(id).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(begin(world, ada, "/failed", "x").await.1, Keyed::New);
}

pub(crate) async fn what_is_carried_out_is_not_begun_again(world: &World) {
    let ada = world.user("ada").await.id;
    let (id, _) = begin(world, ada, "/a", "").await;
    // Undone with the change that it is about.
    let mut tx = world.tx().await;
    assert!(tx.mark_keyed(id).await.unwrap());
    drop(tx);
    let mut tx = world.tx().await;
    tx.forget_keyed(id).await.unwrap();
    tx.commit().await.unwrap();
    let (id, known) = begin(world, ada, "/a", "").await;
    assert_eq!(known, Keyed::New);
    let mut tx = world.tx().await;
    assert!(tx.mark_keyed(id).await.unwrap());
    tx.commit().await.unwrap();
    // Its answer is still to come, or not.
    assert_eq!(begin(world, ada, "/a", "").await.1, Keyed::UnderWay);
    let mut tx = world.tx().await;
    tx.forget_keyed(id).await.unwrap();
    tx.commit().await.unwrap();
    world.advance(121);
    assert_eq!(begin(world, ada, "/a", "").await.1, Keyed::Unkept);
    // Somebody else has the key by now.
    let (slow, _) = begin(world, ada, "/b", "").await;
    world.advance(121);
    assert_eq!(begin(world, ada, "/b", "").await.1, Keyed::New);
    let mut tx = world.tx().await;
    assert!(!tx.mark_keyed(slow).await.unwrap());
}

pub(crate) async fn a_request_that_died_on_its_way_is_begun_again(world: &World) {
    let acme = world.place("acme").await;
    let ada = acme.user.id;
    let (dead, _) = begin(world, ada, "/a", "").await;
    world.advance(121);
    let (alive, known) = begin(world, ada, "/a", "").await;
    assert_eq!(known, Keyed::New);
    assert_eq!(begin(world, ada, "/a", "").await.1, Keyed::UnderWay);
    // Should it live after all, it makes no job.
    let mut tx = world.tx().await;
    assert!(!tx.bind_keyed(dead, alive).await.unwrap());
}

pub(crate) async fn keys_are_forgotten_after_their_time(world: &World) {
    let ada = world.user("ada").await.id;
    begin(world, ada, "/a", "").await;
    begin(world, ada, "/b", "").await;
    world.advance(24 * 3600);
    assert_eq!(begin(world, ada, "/a", "x").await.1, Keyed::New);
    let mut tx = world.tx().await;
    assert_eq!(tx.prune_keyed(world.now(), 10).await.unwrap(), 1);
    assert_eq!(tx.prune_keyed(world.now(), 10).await.unwrap(), 0);
}
