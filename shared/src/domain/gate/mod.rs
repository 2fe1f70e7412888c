//! When a provider may be called: what is known of its limits and of its health, and what follows
//! for the next call. State transitions as functions of the time; where the state is kept, and who
//! shares it, is for others to say.
//!
//! Times are milliseconds since 1970: the same arithmetic runs inside Redis (`queue/gates/gates.lua`),
//! and a test holds the two against each other.

mod circuit;
mod limit;

use std::time::Duration;

use crate::domain::words;

pub use circuit::{Circuit, Threshold};
pub use limit::{Ask, Gate};

/// Calls that a provider takes in a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Budget {
    /// How many.
    pub calls: u32,
    /// In which time, from the first of them.
    pub window: Duration,
}

impl Budget {
    /// So many calls a minute.
    pub const fn a_minute(calls: u32) -> Self {
        Self {
            calls,
            window: Duration::from_mins(1),
        }
    }
}

words! {
    /// Calls that a provider counts together.
    pub enum CallFamily {
        /// Lists and single values.
        Read = "read",
        /// Creates and upserts.
        Create = "create",
        /// Edits of one row.
        Update = "update",
        /// Deletes.
        Delete = "delete",
        /// Projects, environments, users, teams.
        Account = "account",
        /// OAuth.
        OAuth = "oauth",
    }
}

impl CallFamily {
    /// Whether such a call changes something at the provider.
    pub const fn writes(self) -> bool {
        matches!(self, Self::Create | Self::Update | Self::Delete)
    }
}

words! {
    /// What stands between a job and its next call.
    pub enum Barrier {
        /// The calls that the provider takes in this time are spent, or it said so.
        Limit = "rate-limited",
        /// The provider does not answer.
        Outage = "provider-unavailable",
    }
}

/// What somebody who wants to call is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turn {
    /// Call now.
    Go {
        /// Something hangs on the outcome: tell it also when it is a success.
        watched: bool,
        /// Calls that are left in this time, as far as we know; `None` when nothing is known.
        left: Option<u32>,
    },
    /// Not before this time, which is told to nobody else.
    Wait {
        /// When to ask again.
        until: i64,
        /// Why.
        barrier: Barrier,
    },
}

/// A gate that a provider closed, as it is remembered when all else is forgotten.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClosedGate {
    /// The account, as gates name it.
    pub account: String,
    /// The calls it is for.
    pub family: CallFamily,
    /// Until when.
    pub until: i64,
    /// Calls in a window, if the provider told.
    pub total: Option<u32>,
}

impl ClosedGate {
    /// The provider that closed it.
    pub fn provider(&self) -> &str {
        self.account.split('|').next().unwrap_or_default()
    }
}

/// A call on trial that is not answered by then counts as lost, and the next caller is the trial.
pub(super) const TRIAL: i64 = 15_000;
/// When those who meet a trial look again.
pub(super) const TRIAL_LOOK: i64 = 250;
