//! What users see of jobs.

use keyway_shared::domain::access::EnvironmentRules;
use keyway_shared::domain::job::{JobKind, JobState};
use keyway_shared::domain::vault::Role;
use keyway_shared::store::{JobFilter, StoreError};

use crate::world::World;

pub(crate) async fn jobs_are_seen_by_requester_and_members(world: &World) {
    let acme = world.place("acme").await;
    let bob = world.user("bob").await;
    let id = world.queued(&acme, None).await;
    let mut tx = world.tx().await;
    let view = tx.find_job(acme.user.id, id).await.unwrap().unwrap();
    assert_eq!((view.job.id, &*view.vault_name), (id, "acme/app"));
    assert_eq!(view.job.request.project_id, "prj_1");
    assert_eq!(tx.find_job(bob.id, id).await.unwrap(), None);
    let all = JobFilter::default();
    assert_eq!(
        tx.list_jobs(bob.id, &all, 10, 0).await.unwrap(),
        (vec![], 0)
    );
    tx.commit().await.unwrap();
    world.join(&acme, &bob, Role::Read).await;
    let mut tx = world.tx().await;
    assert_eq!(tx.find_job(bob.id, id).await.unwrap(), Some(view.clone()));
    tx.remove_member(acme.vault.id, acme.user.id).await.unwrap();
    let own = tx.find_job(acme.user.id, id).await.unwrap();
    assert_eq!(own, Some(view), "asked for by this user");
}

pub(crate) async fn jobs_of_a_closed_environment_are_hidden(world: &World) {
    let acme = world.place("acme").await;
    let other = world.place("other").await;
    let (reader, writer) = (world.user("reader").await, world.user("writer").await);
    world.join(&acme, &reader, Role::Read).await;
    world.join(&acme, &writer, Role::Write).await;
    world.join(&other, &reader, Role::Admin).await;
    let closed = world.queued(&acme, None).await;
    let mut own = world.new_job(&acme, None);
    own.user_id = reader.id;
    let own = world.job(own).await;
    let mut staging = world.new_job(&acme, None);
    staging.environment_id = acme.staging.id;
    let staging = world.job(staging).await;
    // Its environment is gone, and its history is not.
    let mut gone = world.new_job(&acme, None);
    gone.environment_id = world.ambient.new_id();
    let gone = world.job(gone).await;
    let elsewhere = world.queued(&other, None).await;
    let mut tx = world.tx().await;
    for (read, for_reader, for_writer) in [
        (Role::Read, true, true),
        (Role::Write, false, true),
        (Role::Admin, false, false),
    ] {
        let rules = EnvironmentRules {
            read,
            write: Role::Admin,
        };
        tx.set_environment_rules(acme.vault.id, acme.production.id, rules)
            .await
            .unwrap();
        for (user, sees, mut expected) in [
            (&reader, for_reader, vec![own, staging, gone, elsewhere]),
            (&writer, for_writer, vec![staging, gone]),
            (&acme.user, true, vec![own, staging, gone]),
        ] {
            assert_eq!(tx.find_job(user.id, closed).await.unwrap().is_some(), sees);
            if sees {
                expected.push(closed);
                if *user == writer {
                    expected.push(own);
                }
            }
            expected.sort_unstable_by(|a, b| b.cmp(a));
            let (jobs, total) = tx
                .list_jobs(user.id, &JobFilter::default(), 10, 0)
                .await
                .unwrap();
            let found: Vec<_> = jobs.into_iter().map(|view| view.job.id).collect();
            assert_eq!((&found, total), (&expected, expected.len() as i64));
            for id in expected {
                assert!(tx.find_job(user.id, id).await.unwrap().is_some());
            }
        }
    }
}

pub(crate) async fn jobs_are_filtered_and_paged(world: &World) {
    let acme = world.place("acme").await;
    let mut ids = Vec::new();
    for kind in [JobKind::Sync, JobKind::Preview, JobKind::Sync] {
        world.advance(1);
        let mut job = world.new_job(&acme, None);
        job.kind = kind;
        ids.push(world.job(job).await);
    }
    world.taken(ids[0]).await;
    let mut tx = world.tx().await;
    let mut list = async |filter: &JobFilter, limit, offset| {
        let (page, total) = tx
            .list_jobs(acme.user.id, filter, limit, offset)
            .await
            .unwrap();
        let found: Vec<_> = page.into_iter().map(|view| view.job.id).collect();
        (found, total)
    };
    let mut filter = JobFilter::default();
    assert_eq!(list(&filter, 2, 0).await, (vec![ids[2], ids[1]], 3));
    assert_eq!(list(&filter, 2, 2).await, (vec![ids[0]], 3));
    filter.cursor = Some(ids[2]);
    assert_eq!(list(&filter, 10, 0).await, (vec![ids[1], ids[0]], 3));
    filter.kind = Some(JobKind::Sync);
    assert_eq!(list(&filter, 10, 0).await, (vec![ids[0]], 2));
    filter.state = Some(JobState::Running);
    filter.vault_id = Some(acme.vault.id);
    filter.connection_id = Some(acme.connection.id);
    filter.cursor = None;
    assert_eq!(list(&filter, 10, 0).await, (vec![ids[0]], 1));
    filter.connection_id = Some(acme.vault.id);
    assert_eq!(list(&filter, 10, 0).await, (vec![], 0));
}

pub(crate) async fn a_row_that_does_not_decode_is_named(world: &World) {
    let acme = world.place("acme").await;
    let id = world.queued(&acme, None).await;
    world
        .meddle(
            "UPDATE jobs SET request = '{\"direction\": 7}' WHERE id = $1",
            &[id],
        )
        .await;
    let mut tx = world.tx().await;
    assert!(matches!(
        tx.job_snapshot(id).await.unwrap_err(),
        StoreError::Inconsistent { table: "jobs", column: "request", id: named }
            if named == id.to_string()
    ));
}
