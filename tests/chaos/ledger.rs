//! What was seen: answers that callers got, and what must not have happened.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::dice::now;

/// Something that must not happen, and when it was seen.
#[derive(Debug, Clone)]
pub(crate) struct Wrong {
    pub(crate) at: DateTime<Utc>,
    pub(crate) text: String,
}

#[derive(Debug, Default)]
struct Seen {
    wrong: Vec<Wrong>,
    /// Jobs that a caller was told of.
    told: Vec<Uuid>,
    /// What callers were answered, and how often.
    answers: BTreeMap<String, usize>,
    /// When the API was down by our doing.
    outages: Vec<(DateTime<Utc>, Option<DateTime<Utc>>)>,
}

#[derive(Debug, Default)]
pub(crate) struct Ledger(Mutex<Seen>);

impl Ledger {
    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn wrong(&self, text: impl Into<String>) {
        let wrong = Wrong {
            at: now(),
            text: text.into(),
        };
        println!("WRONG {} {}", wrong.at.format("%T%.3f"), wrong.text);
        self.seen().wrong.push(wrong);
    }

    pub(crate) fn all_wrong(&self) -> Vec<Wrong> {
        self.seen().wrong.clone()
    }

    pub(crate) fn told(&self, job: Uuid) {
        self.seen().told.push(job);
    }

    pub(crate) fn all_told(&self) -> Vec<Uuid> {
        self.seen().told.clone()
    }

    pub(crate) fn answer(&self, what: impl Into<String>) {
        *self.seen().answers.entry(what.into()).or_default() += 1;
    }

    pub(crate) fn answers(&self) -> BTreeMap<String, usize> {
        self.seen().answers.clone()
    }

    pub(crate) fn api_goes(&self) {
        self.seen().outages.push((now(), None));
    }

    pub(crate) fn api_is_back(&self) {
        if let Some((_, until)) = self.seen().outages.last_mut() {
            *until = Some(now());
        }
    }

    /// Whether the API was down at any time since.
    pub(crate) fn api_was_away(&self, since: DateTime<Utc>) -> bool {
        let mut outages = self.seen().outages.clone();
        outages.retain(|(_, until)| until.is_none_or(|until| until >= since));
        !outages.is_empty()
    }
}
