//! The leave to call, and what is told of calls: to the job, and in traces.

use std::fmt::{Debug, Write};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use keyway_shared::domain::connection::Credential;
use keyway_shared::providers::{
    ApplyOptions, CallEnd, CallFamily, CallGuard, Calls, ProviderError, Session,
};
use keyway_shared::secret::Secret;
use keyway_shared::sync::options::VariableType;
use keyway_simulator::vercel::{Preset, TOKEN};
use keyway_simulator::{Action, Fault};
use tracing::field::{Field, Visit};
use tracing::span;

use crate::support::{World, at, create, delete, outside, update};

/// Remembers the outcomes and refuses some families.
#[derive(Debug, Default)]
struct Keeper {
    refused: Vec<CallFamily>,
    ends: Mutex<Vec<(CallFamily, &'static str)>>,
}

#[async_trait]
impl CallGuard for Keeper {
    async fn before(&self, family: CallFamily) -> Result<(), ProviderError> {
        if self.refused.contains(&family) {
            return Err(ProviderError::Stopped);
        }
        Ok(())
    }

    async fn after(&self, family: CallFamily, end: CallEnd<'_>) {
        let outcome = end.error.map_or("ok", ProviderError::outcome);
        self.ends.lock().unwrap().push((family, outcome));
    }

    fn given_up(&self, family: CallFamily) {
        self.ends.lock().unwrap().push((family, "given up"));
    }
}

fn guarded(world: &mut World, refused: &[CallFamily]) -> Arc<Keeper> {
    let keeper = Arc::new(Keeper {
        refused: refused.to_vec(),
        ..Keeper::default()
    });
    world.session = Session {
        credential: Credential {
            token: Secret::new(TOKEN),
            team_id: None,
            installation_id: None,
            token_kind: None,
        },
        calls: Arc::new(Calls::new(keeper.clone())),
    };
    keeper
}

#[tokio::test]
async fn every_call_has_leave_and_its_outcome_is_told() {
    let mut world = World::new(Preset::LivedIn).await;
    let keeper = guarded(&mut world, &[]);
    let changes = [update("SENTRY_DSN", "1"), create("B", "1"), delete("EMPTY")];
    world.apply(&at("production"), &changes).await;
    let missing = world
        .provider
        .read(&world.session, &at("production"), "nope")
        .await;
    assert!(missing.is_err());
    let ends = keeper.ends.lock().unwrap().clone();
    assert_eq!(
        ends,
        [
            (CallFamily::Read, "ok"),
            (CallFamily::Update, "ok"),
            (CallFamily::Create, "ok"),
            (CallFamily::Delete, "ok"),
            (CallFamily::Read, "not_found"),
        ]
    );
    assert_eq!(world.session.calls.made(), 5);
}

#[tokio::test]
async fn without_leave_nothing_is_sent() {
    let mut world = World::new(Preset::LivedIn).await;
    let before = world.snapshot();
    guarded(
        &mut world,
        &[CallFamily::Create, CallFamily::Update, CallFamily::Delete],
    );
    for change in [
        create("NEW", "1"),
        update("SENTRY_DSN", "1"),
        update("STRIPE_SECRET_KEY", "1"),
        delete("EMPTY"),
        delete("SENTRY_DSN"),
    ] {
        let applied = world.apply(&at("production"), &[change]).await;
        assert_eq!(applied.stopped, Some(ProviderError::Stopped));
        assert_eq!((applied.results.len(), world.vercel.calls()), (0, 0));
        assert!(world.journal.open_splits().is_empty());
    }
    assert_eq!(world.snapshot(), before);
}

#[tokio::test]
async fn a_split_that_may_not_be_finished_stays_on_record() {
    let mut world = World::new(Preset::LivedIn).await;
    let to = at("production");
    let before = outside(world.snapshot(), &to);
    guarded(&mut world, &[CallFamily::Create]);
    let applied = world.apply(&to, &[update("SENTRY_DSN", "1")]).await;
    assert_eq!(applied.stopped, Some(ProviderError::Stopped));
    assert_eq!(world.journal.open_splits().len(), 1);
    assert_eq!(outside(world.snapshot(), &to), before);
}

#[tokio::test]
async fn a_call_that_is_dropped_half_way_is_told_of() {
    let mut world = World::new(Preset::Starter).await;
    let keeper = guarded(&mut world, &[]);
    let to = at("production");
    let view = world.provider.list(&world.session, &to).await.unwrap();
    world.vercel.fault(Fault::next(Action::Hang));
    let options = ApplyOptions {
        variable_type: VariableType::Encrypted,
    };
    let changes = [create("A", "1")];
    let run = world.provider.apply(
        &world.session,
        &to,
        &view,
        &changes,
        options,
        &world.journal,
    );
    let run = tokio::time::timeout(Duration::from_millis(100), run).await;
    assert!(run.is_err());
    let ends = keeper.ends.lock().unwrap().clone();
    assert_eq!(ends[1..], [(CallFamily::Create, "given up")]);
}

/// Writes down whatever our spans and events hold.
#[derive(Clone, Default)]
struct Recorder(Arc<Mutex<String>>);

struct Fields<'a>(&'a mut String);

impl Visit for Fields<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        let _ = write!(self.0, " {}={value:?}", field.name());
    }
}

impl tracing::Subscriber for Recorder {
    fn enabled(&self, metadata: &tracing::Metadata<'_>) -> bool {
        metadata.target().starts_with("keyway")
    }

    fn new_span(&self, span: &span::Attributes<'_>) -> span::Id {
        let mut told = self.0.lock().unwrap();
        told.push_str(span.metadata().name());
        span.record(&mut Fields(&mut told));
        span::Id::from_u64(1)
    }

    fn record(&self, _: &span::Id, values: &span::Record<'_>) {
        values.record(&mut Fields(&mut self.0.lock().unwrap()));
    }

    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}

    fn event(&self, event: &tracing::Event<'_>) {
        event.record(&mut Fields(&mut self.0.lock().unwrap()));
    }

    fn enter(&self, _: &span::Id) {}

    fn exit(&self, _: &span::Id) {}
}

#[tokio::test]
async fn traces_have_the_route_and_no_token_id_or_value() {
    let world = World::new(Preset::LivedIn).await;
    let recorder = Recorder::default();
    let traced = tracing::subscriber::set_default(recorder.clone());
    let changes = [update("SENTRY_DSN", "canary-3"), create("A", "canary-3")];
    world.apply(&at("production"), &changes).await;
    drop(traced);
    let told = recorder.0.lock().unwrap().clone();
    assert!(
        told.contains("otel.name=provider.vercel.variables.put"),
        "{told}"
    );
    assert!(told.contains("/v10/projects/{project}/env"), "{told}");
    assert!(told.contains("status=201"), "{told}");
    for secret in ["canary-3", TOKEN, "prj_", "teamId", "upsert"] {
        assert!(!told.contains(secret), "{secret}: {told}");
    }
}
