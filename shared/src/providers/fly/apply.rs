//! Carrying changes out with one call: it sets and unsets at one moment, all or nothing, so that
//! nothing is gone before what replaces it is there, and no order has to be kept. Only when Fly.io
//! refuses what is in it is it taken apart, to find what is refused; then deletes come last again.

use std::collections::HashMap;

use super::client::Client;
use super::errors::{Failure, Refusal, not_attempted};
use super::rows;
use super::wire::{AppSecrets, Values};
use crate::domain::job::ErrorCode;
use crate::providers::{
    Applied, Change, ChangeFailure, ChangeResult, Journal, ProviderError, Receipt, Session,
};
use crate::secret::Secret;
use crate::sync::plan::Action;
use crate::sync::remote::{Destination, RemoteView};

/// Refused calls after which the rest is given up: enough to find a handful of bad secrets among a
/// thousand by halving.
const PATIENCE: usize = 40;

const HELD_BACK: &str = "Not deleted, because other changes failed.";
const GIVEN_UP: &str = "Not sent, because Fly.io refused too many others.";

/// One run of the executor.
pub(super) struct Run<'a> {
    pub client: &'a Client,
    pub session: &'a Session,
    pub app: &'a str,
    pub journal: &'a dyn Journal,
    pub results: Vec<ChangeResult>,
    pub stopped: Option<ProviderError>,
}

/// A secret to set, or to unset.
#[derive(Debug, Clone, Copy)]
struct Item<'a> {
    key: &'a str,
    action: Action,
    value: Option<&'a Secret>,
}

/// Secrets that go together.
struct Part<'a> {
    items: Vec<Item<'a>>,
    /// One of them at least is refused.
    suspect: bool,
}

impl<'a> Part<'a> {
    /// Nothing is known of them.
    const fn whole(items: Vec<Item<'a>>) -> Self {
        Self {
            items,
            suspect: false,
        }
    }
}

/// What is left to find out of secrets that were refused together.
fn divide(mut items: Vec<Item<'_>>, refusal: Refusal) -> Vec<Part<'_>> {
    if refusal == Refusal::TooLarge {
        let rest = items.split_off(items.len() / 2);
        return vec![Part::whole(rest), Part::whole(items)];
    }
    vec![Part {
        items,
        suspect: true,
    }]
}

impl<'a> Run<'a> {
    /// Carries the changes out.
    pub(super) async fn apply(
        mut self,
        view: &RemoteView,
        destination: &Destination,
        changes: &'a [Change],
    ) -> Applied {
        let there = view.at(destination);
        let (mut writes, mut deletes) = (Vec::new(), Vec::new());
        for change in changes {
            let item = Item {
                key: &change.key,
                action: change.action,
                value: change.value.as_ref(),
            };
            match (change.action, item.value) {
                (Action::Skip, _) => {}
                (Action::Delete, _) if !there.contains_key(item.key) => self.done(item, Ok(None)),
                (Action::Delete, _) => deletes.push(Item {
                    value: None,
                    ..item
                }),
                (_, Some(_)) => writes.push(item),
                // Sent without a value it would be unset.
                (_, None) => self.done(item, Err(valueless())),
            }
        }
        if self.has_failed() {
            self.refuse_all(std::mem::take(&mut deletes), &not_attempted(HELD_BACK));
        }
        self.send_all(writes, deletes).await;
        Applied {
            results: self.results,
            stopped: self.stopped,
        }
    }

    /// Everything at once, if Fly.io takes it.
    async fn send_all(&mut self, writes: Vec<Item<'a>>, deletes: Vec<Item<'a>>) {
        let all: Vec<Item<'a>> = writes.iter().chain(&deletes).copied().collect();
        if all.is_empty() {
            return;
        }
        match self.send(&all).await {
            Ok(answer) => self.settle(all, answer),
            Err(failure) if failure.refusal == Refusal::Call => self.stop(failure.error),
            Err(failure) if all.len() == 1 => self.refuse_all(all, &failure.of_change()),
            Err(failure) => {
                let alone = writes.is_empty();
                if deletes.is_empty() {
                    self.search(divide(writes, failure.refusal)).await;
                } else {
                    self.search(vec![Part::whole(writes)]).await;
                }
                if self.stopped.is_some() {
                    return;
                }
                if self.has_failed() {
                    self.refuse_all(deletes, &not_attempted(HELD_BACK));
                } else if alone {
                    self.refuse_all(deletes, &failure.of_change());
                } else {
                    self.send_deletes(deletes).await;
                }
            }
        }
    }

    /// Finds what is refused: no refusal says which secret it is about.
    async fn search(&mut self, mut parts: Vec<Part<'a>>) {
        let mut refusals = 1;
        while let Some(Part { mut items, suspect }) = parts.pop() {
            if items.is_empty() {
                continue;
            }
            if refusals >= PATIENCE {
                self.refuse_all(items, &not_attempted(GIVEN_UP));
                continue;
            }
            // When its first half is taken, what is refused is in the second.
            let half = if suspect { items.len() / 2 } else { 0 };
            let rest = if half > 0 {
                items.split_off(half)
            } else {
                Vec::new()
            };
            match self.send_paced(&items).await {
                Ok(answer) => {
                    self.settle(items, answer);
                    parts.push(Part {
                        items: rest,
                        suspect: true,
                    });
                }
                Err(failure) if failure.refusal == Refusal::Call => {
                    return self.stop(failure.error);
                }
                Err(failure) => {
                    refusals += 1;
                    parts.push(Part::whole(rest));
                    if items.len() == 1 {
                        self.refuse_all(items, &failure.of_change());
                    } else {
                        parts.extend(divide(items, failure.refusal));
                    }
                }
            }
        }
    }

    /// Deletes that were refused together with writes, now that the writes are done.
    async fn send_deletes(&mut self, deletes: Vec<Item<'a>>) {
        if deletes.is_empty() {
            return;
        }
        match self.send_paced(&deletes).await {
            Ok(answer) => self.settle(deletes, answer),
            Err(failure) if failure.refusal == Refusal::Call => self.stop(failure.error),
            Err(failure) => self.refuse_all(deletes, &failure.of_change()),
        }
    }

    async fn send(&self, items: &[Item<'a>]) -> Result<AppSecrets, Failure> {
        let values: Values<'_> = items.iter().map(|item| (item.key, item.value)).collect();
        self.client.update(self.session, self.app, &values).await
    }

    /// One of many calls in a row, of which Fly.io takes one a second. A refused one is asked for once
    /// more: the leave to call is what waits until then, or refuses. If the run ended with each of them,
    /// the next would begin the search anew and get no further.
    async fn send_paced(&self, items: &[Item<'a>]) -> Result<AppSecrets, Failure> {
        match self.send(items).await {
            Err(failure) if failure.is_limit() => self.send(items).await,
            outcome => outcome,
        }
    }

    /// Notes that everything of a call is done. The answer is the truth about it; a list may be older. One
    /// that shows secrets, and not what was sent, confirms nothing.
    fn settle(&mut self, sent: Vec<Item<'a>>, answer: AppSecrets) {
        let shown = answer.secrets();
        let names = || shown.iter().filter_map(|secret| secret.name.as_deref());
        let fits = |item: &Item<'_>| names().any(|name| name == item.key) == item.value.is_some();
        if !shown.is_empty() && !sent.iter().all(fits) {
            return self.stop(ProviderError::OutcomeUnknown);
        }
        let mut digests: HashMap<String, String> = shown
            .into_iter()
            .filter_map(|secret| Some((secret.name?, rows::stamp(secret.digest)?)))
            .collect();
        for item in sent {
            let receipt = item.value.map(|_| Receipt {
                remote_id: item.key.to_owned(),
                stamp: digests.remove(item.key),
                kind: Some(rows::KIND.to_owned()),
            });
            self.done(item, Ok(receipt));
        }
    }

    fn has_failed(&self) -> bool {
        self.results.iter().any(|done| done.result.is_err())
    }

    fn refuse_all(&mut self, items: Vec<Item<'a>>, failure: &ChangeFailure) {
        for item in items {
            self.done(item, Err(failure.clone()));
        }
    }

    /// Notes what became of a change.
    fn done(&mut self, item: Item<'a>, result: Result<Option<Receipt>, ChangeFailure>) {
        self.results.push(ChangeResult {
            key: item.key.to_owned(),
            action: item.action,
            result,
        });
        self.journal.progress(self.results.len());
    }

    /// Ends the run. The first reason counts.
    fn stop(&mut self, error: ProviderError) {
        self.stopped.get_or_insert(error);
    }
}

fn valueless() -> ChangeFailure {
    ChangeFailure {
        code: ErrorCode::Internal,
        message: "The value is missing.".to_owned(),
    }
}
