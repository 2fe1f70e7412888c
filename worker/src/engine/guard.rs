//! The leave of one run to go on: its lease, and who wants it to stop.

use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use chrono::{DateTime, Utc};
use keyway_shared::ambient::Ambient;
use tokio_util::sync::CancellationToken;

/// Why a run was stopped from our side.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stop {
    /// Somebody else has the job by now, or may have.
    LeaseLost,
    /// Somebody cancelled it.
    Cancelled,
    /// The process ends.
    Shutdown,
}

#[derive(Debug)]
pub(crate) struct Guard {
    ambient: Ambient,
    /// End of the lease on the clock that counts suspension, in milliseconds. It is reckoned from
    /// before the claim or renewal was sent, so it is never later than the database's.
    lease_end: AtomicU64,
    lost: AtomicBool,
    cancelled: AtomicBool,
    hard: CancellationToken,
    /// Splits between their two calls: until they are closed, only a lost lease stops the run.
    open_splits: AtomicUsize,
    write_timeout: Duration,
    /// A call of this run failed, and nobody calls the provider before then; 0: none did.
    held_until: AtomicI64,
    /// Keys done and keys to do.
    pub(crate) done: AtomicUsize,
    pub(crate) total: AtomicUsize,
}

impl Guard {
    pub(crate) fn new(
        ambient: Ambient,
        lease_end: Duration,
        write_timeout: Duration,
        hard: CancellationToken,
    ) -> Self {
        Self {
            ambient,
            lease_end: AtomicU64::new(lease_end.as_millis() as u64),
            lost: AtomicBool::new(false),
            cancelled: AtomicBool::new(false),
            hard,
            open_splits: AtomicUsize::new(0),
            write_timeout,
            held_until: AtomicI64::new(0),
            done: AtomicUsize::new(0),
            total: AtomicUsize::new(0),
        }
    }

    pub(crate) fn renewed(&self, lease_end: Duration, cancel_requested: bool) {
        let end = lease_end.as_millis() as u64;
        self.lease_end.store(end, Ordering::Relaxed);
        self.cancelled.fetch_or(cancel_requested, Ordering::Relaxed);
    }

    pub(crate) fn lose(&self) {
        self.lost.store(true, Ordering::Relaxed);
    }

    /// Whether a split is between its two calls.
    pub(crate) fn is_splitting(&self) -> bool {
        self.open_splits.load(Ordering::Relaxed) > 0
    }

    /// The provider is left alone until then.
    pub(crate) fn hold(&self, until: DateTime<Utc>) {
        let until = until.timestamp_millis();
        self.held_until.fetch_max(until, Ordering::Relaxed);
    }

    /// Until when the provider is left alone, if calls of this run failed with others.
    pub(crate) fn held_until(&self) -> Option<DateTime<Utc>> {
        let until = self.held_until.load(Ordering::Relaxed);
        DateTime::from_timestamp_millis(until).filter(|_| until > 0)
    }

    pub(crate) fn split_opened(&self) {
        self.open_splits.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn split_closed(&self) {
        self.open_splits.fetch_sub(1, Ordering::Relaxed);
    }

    /// Whether and why the run has to stop before its next call.
    pub(crate) fn stop(&self, writes: bool) -> Option<Stop> {
        let end = Duration::from_millis(self.lease_end.load(Ordering::Relaxed));
        let left = end.saturating_sub(self.ambient.elapsed());
        // A lease cannot stop a write that is on its way: it must be over before the lease is.
        let needed = if writes {
            self.write_timeout
        } else {
            Duration::ZERO
        };
        if self.lost.load(Ordering::Relaxed) || left <= needed {
            return Some(Stop::LeaseLost);
        }
        if self.is_splitting() {
            return None;
        }
        if self.cancelled.load(Ordering::Relaxed) {
            return Some(Stop::Cancelled);
        }
        self.hard.is_cancelled().then_some(Stop::Shutdown)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use keyway_shared::clock::ManualClock;
    use keyway_shared::entropy::SeededEntropy;

    use super::*;

    #[test]
    fn a_write_starts_only_when_it_ends_before_the_lease_does() {
        let clock = Arc::new(ManualClock::new(DateTime::UNIX_EPOCH));
        let ambient = Ambient::new(clock.clone(), Arc::new(SeededEntropy::new(1)));
        let (lease, timeout) = (Duration::from_secs(30), Duration::from_secs(10));
        let guard = Guard::new(ambient, lease, timeout, CancellationToken::new());
        clock.advance(Duration::from_secs(19));
        assert_eq!(guard.stop(true), None);
        clock.advance(Duration::from_secs(1));
        assert_eq!(guard.stop(true), Some(Stop::LeaseLost));
        assert_eq!(guard.stop(false), None);
        clock.advance(Duration::from_secs(10));
        assert_eq!(guard.stop(false), Some(Stop::LeaseLost));
    }

    #[test]
    fn an_open_split_is_closed_before_the_run_stops() {
        let hard = CancellationToken::new();
        let end = Ambient::system().elapsed() + Duration::from_hours(1);
        let guard = Guard::new(Ambient::system(), end, Duration::ZERO, hard.clone());
        guard.split_opened();
        guard.renewed(end, true);
        hard.cancel();
        assert_eq!(guard.stop(true), None);
        guard.split_closed();
        assert_eq!(guard.stop(true), Some(Stop::Cancelled));
        guard.lose();
        assert_eq!(guard.stop(true), Some(Stop::LeaseLost));
    }
}
