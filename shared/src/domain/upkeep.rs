//! What is known of a link's runs, and when the next one is. State transitions only: the store keeps
//! the state, the scheduler and the engine say what happened.

use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;

use super::auto_sync::{AutoSync, share};
use super::job::{ErrorCode, JobState};
use super::words;

/// A changed environment is left in peace for so long before it is synced …
pub const QUIET: TimeDelta = TimeDelta::seconds(5);
/// … but no longer than this, should the changes not end; and so long after the last start.
pub const APART: TimeDelta = TimeDelta::seconds(30);
/// How often every value that can be read is read.
const VERIFY: TimeDelta = TimeDelta::hours(24);
/// A run that was started tells the link when it ends. Should it not, the link is looked at again.
pub const LOOK_AGAIN: TimeDelta = TimeDelta::hours(1);
/// Pauses after failures double from the first to the last.
const BACKOFF: (TimeDelta, TimeDelta) = (TimeDelta::seconds(30), TimeDelta::hours(1));

words! {
    /// Why a link does not sync by itself for now.
    pub enum PauseReason {
        /// Its owner said so.
        Requested = "requested",
        /// Its owner may no longer do this in the vault.
        AuthorityGone = "authority-gone",
        /// The provider no longer accepts the connection. Connecting again ends the pause.
        ReconnectRequired = "reconnect-required",
        /// Its connection was given up. Connecting the same account again ends the pause, and so does
        /// another connection.
        Disconnected = "disconnected",
        /// The provider has no environment of that name any more.
        UnknownEnvironment = "unknown-environment",
    }
}

impl PauseReason {
    /// The reason that an error is: one that no later run would be spared.
    const fn of(code: ErrorCode) -> Option<Self> {
        match code {
            ErrorCode::AuthorityGone => Some(Self::AuthorityGone),
            ErrorCode::ReconnectRequired => Some(Self::ReconnectRequired),
            ErrorCode::UnknownEnvironment => Some(Self::UnknownEnvironment),
            _ => None,
        }
    }
}

/// A link that does not sync by itself for now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pause {
    /// Since when.
    pub at: DateTime<Utc>,
    /// Why.
    pub reason: PauseReason,
}

/// How a link's last run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LastRun {
    /// Its job.
    pub job_id: Uuid,
    /// When it ended.
    pub at: DateTime<Utc>,
    /// A final state.
    pub state: JobState,
    /// Why it was no full success.
    pub error_code: Option<ErrorCode>,
}

/// What is known of a link's runs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Upkeep {
    /// The next run, or the next look at whether there is to be one.
    pub next_run_at: Option<DateTime<Utc>>,
    /// Neither a change nor the clock starts a run before.
    pub not_before: Option<DateTime<Utc>>,
    /// A change waits for a run, which is to begin by then.
    pub run_by: Option<DateTime<Utc>>,
    /// The revision of the vault's environment that the last full success was about.
    pub synced_revision: Option<i64>,
    /// When every value that can be read was last read.
    pub verified_at: Option<DateTime<Utc>>,
    /// Since then the destination may have been written to by a worker that had lost its lease.
    pub suspect_at: Option<DateTime<Utc>>,
    /// Runs in a row that were no full success.
    pub failures: i64,
    /// Why it is not run for now.
    pub paused: Option<Pause>,
    /// How the last run ended.
    pub last: Option<LastRun>,
    /// When a run that only looks last found a difference.
    pub last_drift_at: Option<DateTime<Utc>>,
    /// The keys that differed when last looked, until they are synced.
    pub drifted_keys: Vec<String>,
}

/// A run that is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Start {
    /// Every value that can be read is read.
    pub verify: bool,
    /// Nothing is deleted, whatever the link allows: what is known of the destination may be wrong.
    pub careful: bool,
}

/// How a run of a link ended, and what it was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ending {
    /// How.
    pub run: LastRun,
    /// When its job was accepted.
    pub accepted_at: DateTime<Utc>,
    /// Nobody waited for it.
    pub automatic: bool,
    /// The revision that it made equal on both sides, all of it.
    pub synced: Option<i64>,
    /// It read every value that can be read.
    pub verified: bool,
    /// The keys that differ, of a run that only looked.
    pub drift: Option<Vec<String>>,
}

impl Upkeep {
    /// Its owner or an operator pauses it, or lets it go on whatever it had paused for. Already paused by
    /// request it stays as it is.
    pub fn request_pause(&mut self, paused: bool, now: DateTime<Utc>) {
        if !paused {
            self.paused = None;
        } else if !self.is_held() {
            self.paused = Some(Pause {
                at: now,
                reason: PauseReason::Requested,
            });
        }
    }

    /// It has another connection, which was seen to reach its destination: it goes on unless somebody
    /// paused it.
    pub fn reconnect(&mut self) {
        if !self.is_held() {
            self.paused = None;
        }
    }

    /// Somebody paused it: whatever syncs its pair waits.
    pub fn is_held(&self) -> bool {
        self.paused
            .is_some_and(|pause| pause.reason == PauseReason::Requested)
    }

    /// What its owner asks for has changed: what was synced before was something else.
    pub fn switch(&mut self, auto: &AutoSync, link: Uuid, now: DateTime<Utc>) {
        self.synced_revision = None;
        self.not_before = None;
        self.run_by = None;
        self.failures = 0;
        self.drifted_keys.clear();
        self.next_run_at = match auto {
            _ if self.paused.is_some() => None,
            AutoSync::Off => None,
            AutoSync::OnChange => Some(now + QUIET),
            AutoSync::Interval(recurrence, _) => recurrence.first(link, now),
        };
    }

    /// The link is due: moves its next run on, and says what is to be started, if anything. `revision`
    /// is the environment's; `busy`: a job of the link has not ended.
    pub fn start(
        &mut self,
        auto: &AutoSync,
        link: Uuid,
        revision: i64,
        busy: bool,
        now: DateTime<Utc>,
    ) -> Option<Start> {
        let due = self.next_run_at.unwrap_or(now);
        let verify = self.verified_at.is_none_or(|at| at + VERIFY <= now);
        let careful = self.suspect_at.is_some();
        let wanted = match auto {
            AutoSync::Off => false,
            AutoSync::OnChange => verify || careful || self.synced_revision != Some(revision),
            AutoSync::Interval(..) => true,
        };
        self.next_run_at = match auto {
            _ if self.paused.is_some() => None,
            AutoSync::Off => None,
            // The job that has not ended will tell.
            AutoSync::OnChange if busy || wanted => Some(now + LOOK_AGAIN),
            AutoSync::OnChange => Some(self.next_verification(link, now)),
            AutoSync::Interval(recurrence, _) => recurrence.next(link, due, now),
        };
        if busy || !wanted || self.paused.is_some() {
            return None;
        }
        self.run_by = None;
        self.not_before = Some(now + APART);
        Some(Start { verify, careful })
    }

    /// A run of the link has ended. `revision` is the environment's now.
    pub fn end(&mut self, auto: &AutoSync, link: Uuid, ending: Ending, revision: i64) {
        let (now, state) = (ending.run.at, ending.run.state);
        self.last = Some(ending.run);
        match state {
            JobState::Succeeded => {
                self.failures = 0;
                if ending.verified {
                    self.verified_at = Some(now);
                }
                if ending.synced.is_some() {
                    self.synced_revision = ending.synced;
                }
                self.suspect_at = self.suspect_at.filter(|at| *at > ending.accepted_at);
                match ending.drift {
                    Some(keys) => {
                        if !keys.is_empty() {
                            self.last_drift_at = Some(now);
                        }
                        self.drifted_keys = keys;
                    }
                    None => self.drifted_keys.clear(),
                }
            }
            // Whoever cancelled it does not want it again at once.
            JobState::Cancelled => {}
            _ if ending.automatic => self.fail(ending.run, link),
            _ => {}
        }
        if self.paused.is_some() || *auto == AutoSync::Off {
            self.next_run_at = None;
            return;
        }
        if state == JobState::Cancelled {
            return;
        }
        if self.failures > 0 {
            self.next_run_at = match auto {
                AutoSync::OnChange => self.not_before,
                _ => self.next_run_at.max(self.not_before),
            };
        } else if self.suspect_at.is_some() {
            self.next_run_at = Some(self.not_before.unwrap_or(now).max(now));
        } else if *auto == AutoSync::OnChange {
            if self.synced_revision == Some(revision) {
                self.run_by = None;
                self.next_run_at = Some(self.next_verification(link, now));
            } else {
                // A change that came while it ran may have set an earlier time.
                let soon = self.not_before.max(Some(now + QUIET));
                self.next_run_at = self.next_run_at.or(soon).min(soon);
            }
        }
    }

    fn fail(&mut self, run: LastRun, link: Uuid) {
        self.failures += 1;
        self.run_by = None;
        if let Some(reason) = run.error_code.and_then(PauseReason::of) {
            // What it had paused for meanwhile is not over because a run that was under way failed.
            self.paused.get_or_insert(Pause { at: run.at, reason });
            return;
        }
        let doublings = u32::try_from(self.failures - 1).unwrap_or(u32::MAX).min(10);
        let pause = (BACKOFF.0 * 2_i32.pow(doublings)).min(BACKOFF.1);
        // Links that fail together do not come back together.
        let spread = share(link, pause / 4);
        self.not_before = self.not_before.max(Some(run.at + pause + spread));
    }

    fn next_verification(&self, link: Uuid, now: DateTime<Utc>) -> DateTime<Utc> {
        let next = self.verified_at.map_or(now, |at| at + VERIFY);
        next.max(now) + share(link, TimeDelta::minutes(5))
    }
}

#[cfg(test)]
mod tests;
