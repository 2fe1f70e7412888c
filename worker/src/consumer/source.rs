//! Our own backend of apalis: a channel. What feeds it, Redis or this process, is not its concern.

use std::convert::Infallible;
use std::sync::Arc;
use std::task::{Context, Poll};

use apalis_core::backend::finalize::Ephemeral;
use apalis_core::backend::{Backend, BackendConfig};
use apalis_core::task::Task;
use apalis_core::task::builder::TaskBuilder;
use apalis_core::worker::context::WorkerContext;
use tokio::sync::mpsc;
use tower::layer::util::Identity;
use uuid::Uuid;

use super::permits::Permit;

/// The id of a job to look at, and the room it was taken for.
#[derive(Debug, Clone)]
pub(crate) struct Delivery {
    pub(super) job: Uuid,
    _permit: Arc<Permit>,
}

impl Delivery {
    pub(crate) fn new(job: Uuid, permit: Permit) -> Self {
        Self {
            job,
            _permit: Arc::new(permit),
        }
    }
}

pub(super) struct Source(mpsc::Receiver<Delivery>);

impl Source {
    pub(super) const fn new(receiver: mpsc::Receiver<Delivery>) -> Self {
        Self(receiver)
    }
}

impl Backend for Source {
    type Task = Task<Delivery>;
    type Error = Infallible;

    fn poll_ready(
        &mut self,
        _: &mut Context<'_>,
        _: &WorkerContext,
    ) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn poll_next(
        &mut self,
        cx: &mut Context<'_>,
        _: &WorkerContext,
    ) -> Poll<Option<Result<Self::Task, Infallible>>> {
        self.0
            .poll_recv(cx)
            .map(|delivery| delivery.map(|delivery| Ok(TaskBuilder::new(delivery).build())))
    }

    fn poll_close(
        &mut self,
        _: &mut Context<'_>,
        _: &WorkerContext,
    ) -> Poll<Result<(), Infallible>> {
        self.0.close();
        Poll::Ready(Ok(()))
    }
}

impl BackendConfig for Source {
    type Args = Delivery;
    type Id = String;
    type Kind = Ephemeral;
    type Config = ();
    type Layer = Identity;

    fn config(&self) -> &() {
        &()
    }

    fn middleware(&mut self, _: &mut WorkerContext) -> Identity {
        Identity::new()
    }
}
