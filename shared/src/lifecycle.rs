//! Stopping in two phases: first no new work, then no work at all.

use std::time::Duration;

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// How long running work has after the first signal.
pub const GRACE: Duration = Duration::from_secs(20);

/// The tasks of a process and the two signals that end them.
#[derive(Debug, Clone, Default)]
pub struct Lifecycle {
    /// Take no new work; finish what is at hand.
    pub soft: CancellationToken,
    /// Hand back what is at hand.
    pub hard: CancellationToken,
    /// Every task of the process.
    pub tracker: TaskTracker,
}

impl Lifecycle {
    /// Nothing started, nothing stopped.
    pub fn new() -> Self {
        Self::default()
    }

    /// Waits for SIGTERM or SIGINT (or for `soft` to be cancelled by other means), then stops in
    /// two phases. A second signal ends the first phase at once.
    pub async fn run_until_signal(&self) -> std::io::Result<()> {
        use tokio::signal::unix::{SignalKind, signal};
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        tokio::select! {
            _ = terminate.recv() => tracing::info!("SIGTERM: finishing running work"),
            _ = interrupt.recv() => tracing::info!("SIGINT: finishing running work"),
            () = self.soft.cancelled() => {}
        }
        let second = async {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
        };
        self.stop(second).await;
        Ok(())
    }

    /// Stops: soft, then, after [`GRACE`] or when `hurry` resolves, hard.
    pub async fn stop(&self, hurry: impl Future<Output = ()>) {
        self.soft.cancel();
        self.tracker.close();
        tokio::select! {
            () = self.tracker.wait() => return,
            () = deadline(GRACE) => tracing::warn!("handing back what is still running"),
            () = hurry => tracing::warn!("second signal: handing back what is still running"),
        }
        self.hard.cancel();
        tokio::select! {
            () = self.tracker.wait() => {}
            () = deadline(Duration::from_secs(5)) => tracing::error!("some tasks did not stop"),
        }
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the limit of a shutdown, not job logic"
)]
async fn deadline(after: Duration) {
    tokio::time::sleep(after).await;
}
