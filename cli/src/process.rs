//! The roles that run in this process, and their end.

use std::fmt::Display;
use std::pin::pin;
use std::time::Duration;

use keyway_shared::lifecycle::Lifecycle;
use tokio::task::JoinHandle;

use crate::failure::{Failure, Outcome};

/// The roles of this process. When one ends, for whatever reason, all do: half a service would look
/// alive and not be.
#[derive(Debug, Default)]
pub(crate) struct Process {
    pub(crate) lifecycle: Lifecycle,
    roles: Vec<(&'static str, JoinHandle<Result<(), String>>)>,
}

impl Process {
    /// Nothing runs yet.
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// Starts a role, which runs until the soft signal.
    pub(crate) fn start<E: Display>(
        &mut self,
        role: &'static str,
        task: impl Future<Output = Result<(), E>> + Send + 'static,
    ) {
        let soft = self.lifecycle.soft.clone();
        let handle = self.lifecycle.tracker.spawn(async move {
            // Also when the task panics.
            let _stop = soft.clone().drop_guard();
            let ended = task.await.map_err(|error| error.to_string());
            if ended.is_ok() && !soft.is_cancelled() {
                return Err("ended without being asked to".to_owned());
            }
            ended
        });
        self.roles.push((role, handle));
    }

    /// Calls `ready` once signals are listened to, and then runs until one comes or a role ends.
    pub(crate) async fn run(self, ready: impl FnOnce() -> Outcome) -> Outcome {
        let Self { lifecycle, roles } = self;
        {
            let mut ended = pin!(lifecycle.run_until_signal());
            // Polled once, it has installed its handlers: whoever reads that we are ready may send
            // a signal at once.
            tokio::select! {
                biased;
                early = &mut ended => return early.map_err(Failure::from),
                () = std::future::ready(()) => {}
            }
            ready()?;
            ended.await?;
        }
        verdict(roles).await
    }

    /// Ends the roles without a signal: the demo.
    pub(crate) async fn stop(self) -> Outcome {
        self.lifecycle.stop(std::future::pending()).await;
        verdict(self.roles).await
    }
}

/// The first role that did not end in order.
async fn verdict(roles: Vec<(&'static str, JoinHandle<Result<(), String>>)>) -> Outcome {
    for (role, handle) in roles {
        // The tracker is done a moment before the handle knows; what goes beyond that hangs.
        let Ok(ended) = tokio::time::timeout(Duration::from_secs(1), handle).await else {
            return Err(Failure::new(format!("the {role} did not stop in time")));
        };
        match ended {
            Ok(Ok(())) => {}
            Ok(Err(error)) => return Err(Failure::new(format!("the {role} failed: {error}"))),
            Err(_) => return Err(Failure::new(format!("the {role} stopped unexpectedly"))),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_role_that_ends_or_panics_ends_the_process_with_a_failure() {
        for panics in [false, true] {
            let mut process = Process::new();
            process.start("clock", async move {
                assert!(!panics, "broken");
                Ok::<(), String>(())
            });
            let failure = process.run(|| Ok(())).await.unwrap_err();
            assert!(failure.message().contains("the clock"), "{failure}");
        }
    }

    #[tokio::test]
    async fn roles_that_stop_when_asked_are_a_success() {
        let mut process = Process::new();
        let soft = process.lifecycle.soft.clone();
        process.start("clock", async move {
            soft.cancelled().await;
            Ok::<(), String>(())
        });
        process.stop().await.unwrap();
    }
}
