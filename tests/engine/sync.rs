//! What a sync does to both sides.

use std::time::Duration;

use keyway_shared::domain::job::{ErrorCode, JobKind, JobState};
use keyway_shared::sync::options::{DeleteScope, Direction, SyncRequest};
use keyway_simulator::vercel::{EnvSeed, Options, Preset};
use keyway_simulator::{Action, Fault};
use keyway_tests::database::Profile;
use serde_json::json;

use super::leases::drive;
use super::world::{PROJECT, World};

keyway_tests::on_both_profiles!(
    a_push_creates_updates_and_then_finds_nothing_to_do,
    a_shared_row_is_taken_apart_and_other_environments_keep_their_value,
    the_type_that_came_back_is_told,
    a_partial_failure_is_told_as_partial,
    nothing_is_deleted_after_a_failure,
    a_pull_reads_real_values_and_keeps_what_it_cannot_read,
    a_managed_pull_deletes_what_a_pull_wrote,
    a_lost_answer_is_looked_up_before_anything_is_written_again,
    a_rate_limit_waits_and_does_not_count_as_an_attempt,
    what_fails_again_and_again_ends_with_a_clear_error,
    a_revoked_token_marks_the_connection,
    a_missing_right_is_no_dead_token,
    a_project_given_by_name_is_resolved_first,
    a_project_given_by_name_is_not_asked_for_again_while_it_is_busy,
    an_empty_vault_does_not_wipe_the_project,
    jobs_of_one_project_do_not_overlap,
    a_busy_project_holds_up_nobody_else,
    a_split_whose_owner_lost_access_gives_the_old_value_back,
);

async fn a_push_creates_updates_and_then_finds_nothing_to_do(profile: Profile) {
    let world = World::start(profile, Preset::Starter).await;
    world
        .vercel
        .add_env(PROJECT, &EnvSeed::new("OLD", "1", &["production"]));
    world
        .set_vault(&[("OLD", "2"), ("NEW", "x"), ("EMPTY", "")])
        .await;
    let before = world.vercel.snapshot(PROJECT);

    let preview = world
        .run(JobKind::Preview, world.request(Direction::Push))
        .await;
    assert_eq!(preview.result["toCreate"], json!(["EMPTY", "NEW"]));
    assert_eq!(preview.result["toUpdate"], json!(["OLD"]));

    world.vercel.reset_calls();
    let first = world.push().await;
    assert_eq!(first.job.state, JobState::Succeeded, "{}", first.result);
    assert_eq!(first.result["created"], 2);
    assert_eq!(first.result["updated"], 1);
    assert_eq!(first.result["redeployRequired"], true);
    // One list and one write: the preview had read the value already.
    assert_eq!(world.vercel.calls(), 2);
    assert_eq!(world.production("OLD").as_deref(), Some("2"));
    assert_eq!(world.production("EMPTY").as_deref(), Some(""));

    world.vercel.reset_calls();
    let second = world.push().await;
    assert_eq!(second.job.state, JobState::Succeeded);
    assert_eq!(second.result["skipped"], 3);
    assert_eq!(second.result["providerCalls"], 1);
    assert_eq!(world.vercel.calls(), 1);

    let mut after = world.vercel.snapshot(PROJECT);
    after.retain(|place, _| place.scope != "production");
    let mut expected = before;
    expected.retain(|place, _| place.scope != "production");
    assert_eq!(after, expected);
    world.stop().await;
}

async fn a_shared_row_is_taken_apart_and_other_environments_keep_their_value(profile: Profile) {
    let world = World::start(profile, Preset::LivedIn).await;
    let before = world.vercel.snapshot(PROJECT);
    world
        .set_vault(&[
            ("API_URL", "https://new"),
            ("STRIPE_SECRET_KEY", "sk_live_2"),
        ])
        .await;
    world.vercel.reset_calls();
    let pushed = world.push().await;
    assert_eq!(pushed.job.state, JobState::Succeeded, "{}", pushed.result);
    // List, one read (the stored value of API_URL), the edit that takes production off the shared
    // row, and one batch for the new row and the sensitive one.
    assert_eq!(world.vercel.calls(), 4);
    assert_eq!(world.production("API_URL").as_deref(), Some("https://new"));
    assert_eq!(
        world.production("STRIPE_SECRET_KEY").as_deref(),
        Some("sk_live_2")
    );
    let mut after = world.vercel.snapshot(PROJECT);
    let mut expected = before;
    for snapshot in [&mut after, &mut expected] {
        snapshot.retain(|place, _| {
            place.scope != "production"
                || !["API_URL", "STRIPE_SECRET_KEY"].contains(&place.key.as_str())
        });
    }
    assert_eq!(after, expected);

    world.vercel.reset_calls();
    let mut request = world.request(Direction::Push);
    request.allow_delete = true;
    let deleted = world.run(JobKind::Sync, request).await;
    assert_eq!(deleted.job.state, JobState::Succeeded, "{}", deleted.result);
    assert_eq!(world.production("SENTRY_DSN"), None);
    let preview = world.vercel.value(PROJECT, "SENTRY_DSN", "preview", None);
    assert_eq!(preview.as_deref(), Some("https://sentry.example/1"));
    // Owned by an integration: protected.
    assert!(world.production("POSTGRES_URL").is_some());
    world.stop().await;
}

async fn the_type_that_came_back_is_told(profile: Profile) {
    let world = World::start(profile, Preset::Starter).await;
    let old = EnvSeed::new("OLD", "1", &["production"]).kind("plain");
    world.vercel.add_env(PROJECT, &old);
    world.set_vault(&[("NEW", "1"), ("OLD", "2")]).await;
    // A team may have all that is new in production made sensitive.
    let promote = |options: &mut Options| options.promote_to_sensitive = true;
    world.vercel.set(promote);
    let pushed = world.push().await;
    assert_eq!(pushed.job.state, JobState::Succeeded, "{}", pushed.result);
    let mut tx = world.store.begin_read().await.unwrap();
    let report = tx.find_report(pushed.job.id).await.unwrap().unwrap();
    drop(tx);
    assert_eq!(
        report.outcomes.unwrap(),
        json!([
            {"key": "NEW", "action": "create", "reason": "missing", "variableType": "sensitive"},
            {"key": "OLD", "action": "update", "reason": "changed", "variableType": "sensitive"},
        ])
    );
    // What cannot be read any more is still known not to have changed.
    assert_eq!(world.push().await.result["skipped"], 2);
    world.stop().await;
}

async fn a_partial_failure_is_told_as_partial(profile: Profile) {
    let world = World::start(profile, Preset::Starter).await;
    world
        .set_vault(&[("A", "1"), ("B", "secret-value"), ("C", "3")])
        .await;
    world.vercel.fault(
        Fault::next(Action::FailKeys {
            keys: vec!["B".into()],
            code: "INVALID_VALUE".into(),
        })
        .method("POST"),
    );
    let pushed = world.push().await;
    assert_eq!(pushed.job.state, JobState::Partial);
    assert_eq!(pushed.result["status"], "partial");
    assert_eq!(pushed.result["success"], false);
    assert_eq!(pushed.result["created"], 2);
    assert_eq!(pushed.result["failures"][0]["key"], "B");
    assert_eq!(pushed.result["failures"][0]["code"], "rejected");
    // The stand-in repeats values in its messages, as the real one may; we do not.
    assert!(!pushed.result.to_string().contains("secret-value"));
    world.stop().await;
}

async fn nothing_is_deleted_after_a_failure(profile: Profile) {
    let world = World::start(profile, Preset::Starter).await;
    world
        .vercel
        .add_env(PROJECT, &EnvSeed::new("EXTRA", "1", &["production"]));
    world.set_vault(&[("A", "1")]).await;
    world.vercel.fault(
        Fault::next(Action::FailKeys {
            keys: vec!["A".into()],
            code: "KEY_RESERVED".into(),
        })
        .method("POST"),
    );
    let mut request = world.request(Direction::Push);
    request.allow_delete = true;
    let pushed = world.run(JobKind::Sync, request).await;
    assert_eq!(pushed.job.state, JobState::Failed);
    assert_eq!(pushed.result["status"], "error");
    assert_eq!(world.production("EXTRA").as_deref(), Some("1"));
    world.stop().await;
}

async fn a_pull_reads_real_values_and_keeps_what_it_cannot_read(profile: Profile) {
    let world = World::start(profile, Preset::LivedIn).await;
    world
        .set_vault(&[("API_URL", "old"), ("STRIPE_SECRET_KEY", "ours")])
        .await;
    let pulled = world
        .run(JobKind::Sync, world.request(Direction::Pull))
        .await;
    assert_eq!(pulled.job.state, JobState::Succeeded, "{}", pulled.result);
    let values = world.vault_values().await;
    assert_eq!(values["API_URL"], "https://api.acme.dev");
    assert_eq!(values["EMPTY"], "");
    assert_eq!(values["OLD_FLAG"], "on");
    assert_eq!(values["STRIPE_SECRET_KEY"], "ours");
    assert!(!values.contains_key("VERCEL_URL"));
    let again = world.push().await;
    assert_eq!(again.result["updated"], 1, "{}", again.result);
    world.stop().await;
}

async fn a_managed_pull_deletes_what_a_pull_wrote(profile: Profile) {
    let world = World::start(profile, Preset::Starter).await;
    let seed = |key| EnvSeed::new(key, "1", &["production"]);
    world.vercel.add_env(PROJECT, &seed("STAYS"));
    let gone = world.vercel.add_env(PROJECT, &seed("GOES"));
    world.set_vault(&[("OURS", "1")]).await;
    let mut request = world.request(Direction::Pull);
    request.allow_delete = true;
    request.delete_scope = DeleteScope::Managed;
    let pulled = world.run(JobKind::Sync, request.clone()).await;
    assert_eq!(pulled.job.state, JobState::Succeeded, "{}", pulled.result);
    assert_eq!(pulled.result["created"], 2);
    world.vercel.remove_env(PROJECT, &gone);
    for deleted in [1, 0] {
        let pulled = world.run(JobKind::Sync, request.clone()).await;
        assert_eq!(pulled.result["deleted"], deleted, "{}", pulled.result);
        let keys: Vec<_> = world.vault_values().await.into_keys().collect();
        assert_eq!(keys, ["OURS", "STAYS"]);
    }
    // What was only pulled is not ours to delete at the provider.
    let mut push = world.request(Direction::Push);
    push.allow_delete = true;
    push.delete_scope = DeleteScope::Managed;
    world.set_vault(&[("OURS", "1")]).await;
    let pushed = world.run(JobKind::Sync, push).await;
    assert_eq!(pushed.result["deleted"], 0, "{}", pushed.result);
    assert_eq!(world.production("STAYS").as_deref(), Some("1"));
    world.stop().await;
}

async fn a_lost_answer_is_looked_up_before_anything_is_written_again(profile: Profile) {
    let world = World::start(profile, Preset::Starter).await;
    world.set_vault(&[("A", "1"), ("B", "2")]).await;
    world.vercel.reset_calls();
    world
        .vercel
        .fault(Fault::next(Action::ResetAfter).method("POST"));
    let pushed = world.push().await;
    assert_eq!(pushed.job.state, JobState::Succeeded, "{}", pushed.result);
    // The first run wrote; the second found it done. The report covers the job.
    assert_eq!(pushed.result["created"], 2);
    let posts = world.vercel.requests();
    assert_eq!(posts.iter().filter(|call| call.method == "POST").count(), 1);
    assert_eq!(pushed.job.attempt, 2);
    world.stop().await;
}

async fn a_rate_limit_waits_and_does_not_count_as_an_attempt(profile: Profile) {
    let world = World::start(profile, Preset::Starter).await;
    world.set_vault(&[("A", "1")]).await;
    world.vercel.fault(
        Fault::next(Action::Respond {
            status: 429,
            headers: [("retry-after".to_owned(), "1".to_owned())].into(),
            body: r#"{"error":{"code":"rate_limited","message":"slow down"}}"#.into(),
        })
        .method("POST"),
    );
    let pushed = world.push().await;
    assert_eq!(pushed.job.state, JobState::Succeeded, "{}", pushed.result);
    assert_eq!(pushed.job.attempt, 1);
    assert_eq!(pushed.job.run, 2);
    assert!(pushed.result["rateLimitedMs"].as_i64().unwrap() >= 1000);
    world.stop().await;
}

async fn what_fails_again_and_again_ends_with_a_clear_error(profile: Profile) {
    let world = World::start(profile, Preset::Starter).await;
    world.set_vault(&[("A", "1")]).await;
    let answer = |status, body: &str| Action::Respond {
        status,
        headers: [].into(),
        body: body.into(),
    };
    for (method, action, code) in [
        // Its lists are answered: it is not an outage, which would be waited for.
        (
            "POST",
            answer(500, "<html>oops</html>"),
            ErrorCode::OutcomeUnknown,
        ),
        (
            "GET",
            answer(200, "<html>hello</html>"),
            ErrorCode::ProviderError,
        ),
        ("GET", Action::TruncateBody, ErrorCode::ProviderError),
        (
            "GET",
            answer(404, r#"{"error": {"code": "not_found", "message": "no"}}"#),
            ErrorCode::NotFound,
        ),
    ] {
        world.vercel.clear_faults();
        world
            .vercel
            .fault(Fault::next(action).method(method).times(99));
        let pushed = world.push().await;
        assert_eq!(pushed.job.state, JobState::Failed);
        assert_eq!(pushed.job.error_code, Some(code), "{}", pushed.result);
        assert_eq!(pushed.result["status"], "error");
        assert_eq!(pushed.result["success"], false);
    }
    assert_eq!(world.production("A"), None);
    // Something that passes is got over.
    world.vercel.clear_faults();
    let reset = Fault::next(Action::ResetBefore).method("GET");
    world.vercel.fault(reset.times(4));
    let pushed = world.push().await;
    assert_eq!(pushed.job.state, JobState::Succeeded, "{}", pushed.result);
    assert_eq!(pushed.job.attempt, 5);
    world.stop().await;
}

async fn a_revoked_token_marks_the_connection(profile: Profile) {
    let world = World::start(profile, Preset::Starter).await;
    world.set_vault(&[("A", "1")]).await;
    world.vercel.revoke(keyway_simulator::vercel::TOKEN);
    let pushed = world.push().await;
    assert_eq!(pushed.job.error_code, Some(ErrorCode::ReconnectRequired));
    let mut tx = world.store.begin_read().await.unwrap();
    let connection = tx
        .find_connection(world.user, world.connection)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(connection.status.as_str(), "needs-reconnect");
    drop(tx);
    world.stop().await;
}

async fn a_missing_right_is_no_dead_token(profile: Profile) {
    let world = World::start(profile, Preset::Starter).await;
    world.set_vault(&[("A", "1")]).await;
    let status = async || {
        let mut tx = world.store.begin_read().await.unwrap();
        let found = tx.find_connection(world.user, world.connection).await;
        found.unwrap().unwrap().status.as_str()
    };
    let forbidden = || {
        let body = json!({ "error": { "code": "forbidden", "message": "m" } });
        Action::json(403, &body)
    };
    // Of what was asked for only: whose token it is may still be asked.
    world.vercel.fault(Fault::next(forbidden()).path("/env"));
    let pushed = world.push().await;
    assert_eq!(pushed.job.error_code, Some(ErrorCode::Forbidden));
    assert_eq!(status().await, "active");
    // The provider is away when it is asked: nobody knows, and nobody is disconnected.
    world.vercel.fault(Fault::next(forbidden()).path("/env"));
    let away = Fault::next(Action::json(500, &json!({})));
    world.vercel.fault(away.path("/user"));
    let pushed = world.push().await;
    assert_eq!(pushed.job.error_code, Some(ErrorCode::Forbidden));
    assert_eq!(status().await, "active");
    // Of everything.
    world.vercel.fault(Fault::next(forbidden()).times(9));
    let pushed = world.push().await;
    assert_eq!(pushed.job.error_code, Some(ErrorCode::ReconnectRequired));
    assert_eq!(status().await, "needs-reconnect");
    world.vercel.clear_faults();
    world.stop().await;
}

async fn a_project_given_by_name_is_resolved_first(profile: Profile) {
    let world = World::start(profile, Preset::Starter).await;
    world.set_vault(&[("A", "1")]).await;
    let mut request = world.request(Direction::Push);
    request.project_id = "my-app".into();
    let pushed = world.run(JobKind::Sync, request.clone()).await;
    assert_eq!(pushed.job.state, JobState::Succeeded, "{}", pushed.result);
    let key = pushed.job.project_key.unwrap();
    assert!(key.ends_with("|prj_myapp"), "{key}");
    request.project_id = "nobody".into();
    let pushed = world.run(JobKind::Sync, request).await;
    assert_eq!(pushed.job.error_code, Some(ErrorCode::NotFound));
    world.stop().await;
}

async fn a_project_given_by_name_is_not_asked_for_again_while_it_is_busy(profile: Profile) {
    let world = World::start_manual(profile, Preset::Starter).await;
    let (one, two) = (
        world.manual_worker("one").await,
        world.manual_worker("two").await,
    );
    world.set_vault(&[("A", "1")]).await;
    let push = world.request(Direction::Push);
    let first = world.submit(JobKind::Sync, push.clone()).await;
    world.vercel.fault(Fault::next(Action::Hang).method("POST"));
    let mut holder = Box::pin(one.run(first));
    drive(&world, &mut holder, 2).await;
    world.advance(Duration::from_secs(1));
    let by_name = SyncRequest {
        project_id: "my-app".into(),
        ..push
    };
    let second = world.submit(JobKind::Sync, by_name).await;
    for _ in 0..5 {
        two.run(second).await;
        world.advance(Duration::from_secs(1));
    }
    let job = world.job(second).await;
    assert_eq!((job.state, job.attempt), (JobState::Queued, 0));
    assert_eq!(world.vercel.calls(), 3, "its name was asked for once");
    // The holder's process is dead. Then it is their turn, one after the other.
    drop(holder);
    world.advance(Duration::from_mins(1));
    two.sweep().await.unwrap();
    for id in [first, second] {
        two.run(id).await;
        assert_eq!(world.job(id).await.state, JobState::Succeeded);
    }
    world.stop().await;
}

async fn an_empty_vault_does_not_wipe_the_project(profile: Profile) {
    let world = World::start(profile, Preset::LivedIn).await;
    let before = world.vercel.snapshot(PROJECT);
    let mut request = world.request(Direction::Push);
    request.allow_delete = true;
    let pushed = world.run(JobKind::Sync, request.clone()).await;
    assert_eq!(pushed.job.error_code, Some(ErrorCode::EmptySource));
    assert_eq!(world.vercel.snapshot(PROJECT), before);
    request.confirm_empty_source = true;
    let pushed = world.run(JobKind::Sync, request).await;
    assert_eq!(pushed.job.state, JobState::Succeeded, "{}", pushed.result);
    assert_eq!(world.production("API_URL"), None);
    world.stop().await;
}

async fn jobs_of_one_project_do_not_overlap(profile: Profile) {
    let world = World::start(profile, Preset::Starter).await;
    world.start_worker("second").await;
    world
        .vercel
        .set_latency(std::time::Duration::from_millis(15));
    world.set_vault(&[("A", "1"), ("B", "2")]).await;
    let mut ids = Vec::new();
    for _ in 0..6 {
        ids.push(
            world
                .submit(JobKind::Sync, world.request(Direction::Push))
                .await,
        );
    }
    for id in ids {
        assert_eq!(world.ended(id).await.job.state, JobState::Succeeded);
    }
    let calls = world.vercel.requests();
    for (earlier, later) in calls.iter().zip(calls.iter().skip(1)) {
        assert!(earlier.ended.unwrap() < later.started);
    }
    // Six lists and one write.
    assert_eq!(calls.len(), 7);
    world.stop().await;
}

async fn a_split_whose_owner_lost_access_gives_the_old_value_back(profile: Profile) {
    let world = World::start(profile, Preset::Starter).await;
    // What a crash between the two calls of a split leaves behind.
    let shared = world
        .vercel
        .add_env(PROJECT, &EnvSeed::new("SHARED", "old", &["preview"]));
    let other = world
        .connect("usr_other", "a token that is not accepted")
        .await;
    world.leave_split_open(other, "SHARED", &shared).await;
    world.set_vault(&[("A", "1"), ("SHARED", "new")]).await;

    let mut request = world.request(Direction::Push);
    request.provider_environment = "development".into();
    let pushed = world.run(JobKind::Sync, request).await;
    assert_eq!(pushed.job.state, JobState::Succeeded, "{}", pushed.result);
    assert_eq!(world.production("SHARED").as_deref(), Some("old"));
    let preview = world.vercel.value(PROJECT, "SHARED", "preview", None);
    assert_eq!(preview.as_deref(), Some("old"));

    let mut tx = world.store.begin_read().await.unwrap();
    let key = pushed.job.project_key.unwrap();
    assert!(tx.open_splits(&key).await.unwrap().is_empty());
    let ours = tx.find_connection(world.user, world.connection).await;
    assert_eq!(ours.unwrap().unwrap().status.as_str(), "active");
    drop(tx);
    world.stop().await;
}

async fn a_busy_project_holds_up_nobody_else(profile: Profile) {
    let world = World::start(profile, Preset::Starter).await;
    world.set_vault(&[("A", "1")]).await;
    let hangs = Fault::next(Action::Hang).path(PROJECT).times(1000);
    world.vercel.fault(hangs);
    // More than the worker runs at once, and all before the one elsewhere.
    let mut first = None;
    for _ in 0..20 {
        let id = world
            .submit(JobKind::Sync, world.request(Direction::Push))
            .await;
        first.get_or_insert(id);
    }
    let mut elsewhere = world.request(Direction::Push);
    elsewhere.project_id = world.vercel.add_project("other", None);
    let ended = world.run(JobKind::Sync, elsewhere).await;
    assert_eq!(ended.job.state, JobState::Succeeded, "{}", ended.result);
    let mut tx = world.store.begin_read().await.unwrap();
    let busy = tx.job_snapshot(first.unwrap()).await.unwrap().unwrap();
    drop(tx);
    assert!(!busy.state.is_final(), "{busy:?}");
    world.vercel.clear_faults();
    world.stop().await;
}
