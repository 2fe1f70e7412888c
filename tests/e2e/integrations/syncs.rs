//! The wait for a job and what its end is answered with. The worker is the test's own, and once the
//! real one.

use chrono::TimeDelta;
use keyway_shared::domain::connection::ProviderName;
use keyway_shared::domain::job::{ErrorCode, JobKind, JobState, project_key};
use keyway_shared::domain::report::SyncReport;
use keyway_shared::store::Handback;
use keyway_shared::sync::options::Direction;
use keyway_tests::client::Answer;
use keyway_tests::database::Profile;
use keyway_tests::on_both_profiles;
use serde_json::{Value, json};

use super::world::{SYNC, World};

impl World {
    async fn sync_that(
        &self,
        state: JobState,
        error: Option<(ErrorCode, &str)>,
        result: Option<Value>,
    ) -> Answer {
        let (answer, ()) = tokio::join!(self.me.post(SYNC, self.fields()), async {
            let job = self.take().await;
            self.settle(&job, state, error, result).await;
        });
        answer
    }

    async fn preview_that(
        &self,
        state: JobState,
        error: Option<(ErrorCode, &str)>,
        result: Option<Value>,
    ) -> Answer {
        let path = self.query("preview");
        let (answer, ()) = tokio::join!(self.me.get(&path), async {
            let job = self.take().await;
            self.settle(&job, state, error, result).await;
        });
        answer
    }
}

fn report(error: Option<&(ErrorCode, String)>) -> Value {
    json!(SyncReport::new(uuid::Uuid::nil(), &[], error))
}

async fn a_finished_sync_is_answered_with_its_report(profile: Profile) {
    let world = World::start(profile).await;
    let answer = world
        .sync_that(JobState::Succeeded, None, Some(report(None)))
        .await;
    let data = answer.data(200);
    assert_eq!(data, report(None));
    assert_eq!(data["status"], "success");
    // A failure that is not the caller's mistake is told by the report as well.
    let why = (ErrorCode::Unavailable, "The provider did not work.");
    let failed = report(Some(&(why.0, why.1.to_owned())));
    let answer = world
        .sync_that(JobState::Failed, Some(why), Some(failed.clone()))
        .await;
    assert_eq!(answer.data(200), failed);
    // A job that somebody else than its worker ended has a report too.
    let why = (ErrorCode::Deadline, "Not done in time.");
    let data = world
        .sync_that(JobState::Failed, Some(why), None)
        .await
        .data(200);
    assert_eq!(data["status"], "error");
    assert_eq!(data["errorCode"], "deadline");
    assert_eq!(data["failures"], json!([]));
}

async fn a_sync_that_was_refused_is_an_error(profile: Profile) {
    let world = World::start(profile).await;
    for (code, status, word) in [
        (ErrorCode::NotFound, 404, "not-found"),
        (ErrorCode::UnknownEnvironment, 422, "validation-error"),
        (ErrorCode::TooManySecrets, 422, "validation-error"),
        (ErrorCode::EmptySource, 409, "empty-source"),
        (ErrorCode::TooManyDeletes, 409, "too-many-deletes"),
        (ErrorCode::ReconnectRequired, 409, "reconnect-required"),
        (ErrorCode::VaultCorrupt, 409, "vault-corrupt"),
    ] {
        let why = (code, "Known are: a, b.");
        let result = report(Some(&(code, why.1.to_owned())));
        let answer = world
            .sync_that(JobState::Failed, Some(why), Some(result))
            .await;
        answer.problem(status, word);
        if code != ErrorCode::ReconnectRequired {
            assert!(answer.text.contains("Known are"), "{}", answer.text);
        }
    }
    // Some was written: the report is the answer.
    let why = (ErrorCode::NotFound, "It is gone.");
    let result = report(Some(&(why.0, why.1.to_owned())));
    world
        .sync_that(JobState::Partial, Some(why), Some(result))
        .await
        .data(200);
}

async fn a_read_that_failed_is_an_error(profile: Profile) {
    let world = World::start(profile).await;
    for (code, status, word) in [
        (ErrorCode::NotFound, 404, "not-found"),
        (ErrorCode::UnknownEnvironment, 422, "validation-error"),
        (ErrorCode::ReconnectRequired, 409, "reconnect-required"),
        (ErrorCode::Forbidden, 403, "forbidden"),
        (ErrorCode::Unavailable, 502, "provider-error"),
        (ErrorCode::ProviderError, 502, "provider-error"),
        (ErrorCode::RateLimited, 503, "unavailable"),
        (ErrorCode::Internal, 500, "internal"),
    ] {
        let why = (code, "words of the worker");
        let answer = world.preview_that(JobState::Failed, Some(why), None).await;
        answer.problem(status, word);
        if status >= 500 {
            assert!(!answer.text.contains(why.1), "{}", answer.text);
        }
        assert_eq!(status == 503, !answer.header("retry-after").is_empty());
    }
    let result = json!({ "toCreate": ["A"], "toUpdate": [], "toDelete": [], "toSkip": [],
        "reasons": { "A": "missing" } });
    let data = world
        .preview_that(JobState::Succeeded, None, Some(result.clone()))
        .await
        .data(200);
    assert_eq!(data, result);
}

async fn a_sync_that_goes_on_is_accepted(profile: Profile) {
    let world = World::start(profile).await;
    let me = world.me.clone().with("prefer", "wait=0");
    let answer = me.post(SYNC, world.fields()).await;
    let data = answer.data(202);
    let id = data["id"].as_str().unwrap_or_default();
    let location = format!("/v1/integrations/jobs/{id}");
    assert_eq!(answer.header("location"), location);
    assert_eq!(data["status"], "running");
    assert_eq!(data["success"], false);
    assert_eq!(data["state"], "queued");
    assert_eq!(data["stats"]["created"], 0);
    assert_eq!(
        data["error"],
        format!("The sync is still running (job {id}). Check: GET {location}")
    );
    let job = me.get(&location).await.data(200);
    assert_eq!(job["id"], id);
    assert_eq!(job["error"], Value::Null);
    // Pages take every success without that word for a success.
    let browser = me.with("cookie", "theme=dark");
    let answer = browser.post(SYNC, world.fields()).await;
    let data = answer.data(200);
    assert_eq!(
        (&data["status"], &data["success"]),
        (&json!("error"), &json!(false))
    );
    assert!(
        data["error"]
            .as_str()
            .is_some_and(|text| text.contains("still running"))
    );
}

async fn a_read_that_goes_on_is_unavailable_unless_asked(profile: Profile) {
    let world = World::start_with(profile, |builder| {
        builder.options.default_wait = std::time::Duration::ZERO;
    })
    .await;
    let patient = world.me.clone().with("prefer", "wait=0");
    for (call, kind) in [
        ("preview", "preview"),
        ("diff", "diff"),
        ("status", "status"),
    ] {
        let answer = world.me.get(&world.query(call)).await;
        answer.problem(503, "unavailable");
        assert!(
            answer
                .header("location")
                .starts_with("/v1/integrations/jobs/")
        );
        assert_eq!(answer.header("retry-after"), "5");
        let answer = patient.get(&world.query(call)).await;
        let data = answer.data(202);
        assert_eq!(data["kind"], kind);
        assert!(
            answer
                .header("location")
                .ends_with(data["id"].as_str().unwrap_or("?"))
        );
    }
}

async fn a_job_that_waits_too_long_is_not_waited_for(profile: Profile) {
    let world = World::start(profile).await;
    let wait = async |path: Option<&str>| {
        let call = async {
            match path {
                Some(path) => world.me.get(path).await,
                None => world.me.post(SYNC, world.fields()).await,
            }
        };
        let (answer, ()) = tokio::join!(call, async {
            let job = world.take().await;
            let mut tx = world.app.store.begin().await.expect("begins");
            let handed = tx
                .wait_job(&Handback {
                    id: job.id,
                    lease_id: job.lease_id.expect("a lease"),
                    due_at: world.app.ambient.now() + TimeDelta::minutes(10),
                    reason: "rate limit",
                    counts: false,
                    provider_calls_add: 1,
                    rate_limited_ms_add: 0,
                    state: JobState::Waiting,
                    error_code: Some(ErrorCode::RateLimited),
                    project_key: None,
                })
                .await
                .expect("hands back");
            tx.commit().await.expect("commits");
            assert!(handed.is_some());
            world.app.queue.announce(job.id).await;
        });
        answer
    };
    let data = wait(None).await.data(202);
    assert_eq!(data["state"], "waiting");
    assert_eq!(data["waitingReason"], "rate limit");
    assert!(data["waitingUntil"].is_string());
    let answer = wait(Some(&world.query("diff"))).await;
    answer.problem(503, "unavailable");
    let seconds: u64 = answer.header("retry-after").parse().expect("seconds");
    assert!((590..=602).contains(&seconds), "{seconds}");
}

async fn a_stop_answers_those_who_wait(profile: Profile) {
    let world = World::start(profile).await;
    let (answer, ()) = tokio::join!(world.me.post(SYNC, world.fields()), async {
        world.take().await;
        world.app.lifecycle.soft.cancel();
    });
    assert_eq!(answer.data(202)["state"], "running");
}

async fn the_job_says_what_was_asked_for(profile: Profile) {
    let world = World::start(profile).await;
    let me = world.me.clone().with("prefer", "wait=0");
    let fields = json!({ "connectionId": world.connection, "projectId": "prj_myapp",
        "keywayEnvironment": "staging", "providerEnvironment": "preview", "direction": "pull",
        "gitBranch": "feat/x", "allowDelete": true, "deleteScope": "managed",
        "onConflict": "skip", "confirmEmptySource": true, "variableType": "sensitive",
        "include": ["APP_*", "DB_*"], "exclude": ["*_TEST"], "prefix": "A", "verify": true,
            "allowReferences": true });
    me.post(SYNC, fields).await.data(202);
    let job = world.take().await;
    assert_eq!(job.kind, JobKind::Sync);
    assert_eq!(job.deadline_at, job.created_at + TimeDelta::hours(24));
    let key = project_key(ProviderName::Vercel, &world.vercel.url(), "prj_myapp");
    assert_eq!(job.project_key, Some(key));
    let request = json!(job.request);
    assert_eq!(
        request,
        json!({ "projectId": "prj_myapp", "keywayEnvironment": "staging",
            "providerEnvironment": "preview", "gitBranch": "feat/x", "direction": "pull",
            "allowDelete": true, "deleteScope": "managed", "onConflict": "skip",
            "confirmEmptySource": true, "variableType": "sensitive",
            "include": ["APP_*", "DB_*"], "exclude": ["*_TEST"], "prefix": "A", "verify": true,
            "allowReferences": true, "rollout": false })
    );
    world.settle(&job, JobState::Succeeded, None, None).await;
    // A name is no key, and readers need none.
    me.post(
        SYNC,
        json!({ "connectionId": world.connection, "projectId": "my-app" }),
    )
    .await
    .data(202);
    assert_eq!(world.take().await.project_key, None);
    let filtered = "&include=APP_*&include=DB_*&exclude=%7BA,B%7D&verify=true";
    me.get(&format!("{}{filtered}", world.query("preview")))
        .await
        .data(202);
    let job = world.take().await;
    assert_eq!(
        (job.project_key, job.request.direction),
        (None, Direction::Push)
    );
    let lists = (job.request.include, job.request.exclude);
    let list = |patterns: &[&str]| Some(patterns.iter().map(ToString::to_string).collect());
    assert_eq!(lists, (list(&["APP_*", "DB_*"]), list(&["{A,B}"])));
    assert!(job.request.verify);
}

async fn status_knows_the_environment_of_the_link(profile: Profile) {
    let world = World::start(profile).await;
    let me = world.me.clone().with("prefer", "wait=0");
    for (name, expected) in [
        ("production", "production"),
        ("staging", "preview"),
        ("development", "development"),
    ] {
        let path = format!("{}&environment={name}", world.query("status"));
        me.get(&path).await.data(202);
        let job = world.take().await;
        assert_eq!(job.request.provider_environment, expected);
        assert_eq!(job.request.keyway_environment, name);
    }
    let link = json!({ "connectionId": world.connection, "projectId": "prj_myapp",
        "keywayEnvironment": "staging", "providerEnvironment": "staging" });
    me.post(&format!("{SYNC}/link"), link).await.data(200);
    let path = format!("{}&environment=staging", world.query("status"));
    me.get(&path).await.data(202);
    assert_eq!(world.take().await.request.provider_environment, "staging");
}

on_both_profiles!(
    a_finished_sync_is_answered_with_its_report,
    a_sync_that_was_refused_is_an_error,
    a_read_that_failed_is_an_error,
    a_sync_that_goes_on_is_accepted,
    a_read_that_goes_on_is_unavailable_unless_asked,
    a_job_that_waits_too_long_is_not_waited_for,
    a_stop_answers_those_who_wait,
    the_job_says_what_was_asked_for,
    status_knows_the_environment_of_the_link,
);
