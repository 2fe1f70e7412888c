//! Carrying changes out with the fewest calls that leave every other context as it is: one for all new
//! keys, one for each value that changes, then the deletes.
//!
//! Where a value is for `all` contexts, ours can only be changed by giving each context a value of its
//! own, which replaces the variable as a whole: see [`rewrite`](super::rewrite).

use futures::StreamExt;
use futures::future::BoxFuture;
use futures::stream::FuturesUnordered;

use super::client::{Client, Place};
use super::errors::{failure, of_change};
use super::rows::{self, SECRET, context, is_at};
use super::ways::{Deletion, Ways, Write};
use super::wire::{NewValue, Variable};
use crate::domain::job::ErrorCode;
use crate::providers::{
    Applied, ApplyOptions, Change, ChangeFailure, ChangeResult, Journal, ProviderError, Receipt,
    Session,
};
use crate::secret::Secret;
use crate::sync::plan::Action;
use crate::sync::remote::{Destination, RemoteView};

/// Calls that are under way at the same time. Each is about a key of its own.
const AT_ONCE: usize = 4;

pub(super) const REMOVED: &str = "Somebody removed the variable at Netlify meanwhile.";

const ANOTHER: &str = "Netlify shows another value than was written; somebody else may have written one at the same moment.";

/// One run of the executor.
pub(super) struct Run<'a> {
    pub client: &'a Client,
    pub session: &'a Session,
    pub destination: &'a Destination,
    pub place: Place<'a>,
    pub view: &'a RemoteView,
    pub options: ApplyOptions,
    pub journal: &'a dyn Journal,
    pub results: Vec<ChangeResult>,
    pub stopped: Option<ProviderError>,
}

/// A key that gets a value.
#[derive(Debug, Clone, Copy)]
pub(super) struct Item<'a> {
    pub key: &'a str,
    pub value: &'a Secret,
    pub action: Action,
}

/// The changes, by what they need.
#[derive(Default)]
struct Work<'a> {
    /// Keys that no context has.
    new: Vec<Item<'a>>,
    /// Values of a variable that is there.
    values: Vec<Item<'a>>,
    /// The same, where all contexts share one.
    shared: Vec<Item<'a>>,
    deletes: Deletes<'a>,
}

#[derive(Default)]
struct Deletes<'a> {
    /// Key and id of a value beside which there are others.
    values: Vec<(&'a str, &'a str)>,
    /// Keys with no other value.
    last: Vec<&'a str>,
    /// Keys whose value all contexts share.
    shared: Vec<&'a str>,
}

impl<'a> Run<'a> {
    /// Carries the changes out.
    pub(super) async fn apply(mut self, changes: &'a [Change]) -> Applied {
        let work = self.sort(changes);
        self.create(work.new).await;
        self.set(work.values).await;
        for item in work.shared {
            if self.stopped.is_none() {
                self.rewrite(item.key, item.action, Some(item.value)).await;
            }
        }
        if self.stopped.is_none() {
            self.delete(work.deletes).await;
        }
        Applied {
            results: self.results,
            stopped: self.stopped,
        }
    }

    fn sort(&mut self, changes: &'a [Change]) -> Work<'a> {
        let ways = Ways::new(self.view, self.destination);
        let mut work = Work::default();
        for change in changes {
            let key = change.key.as_str();
            match (change.action, &change.value) {
                (Action::Skip, _) => {}
                (Action::Delete, _) => match ways.delete(key) {
                    None => self.done(key, Action::Delete, Ok(None)),
                    Some(Deletion::Shared) => work.deletes.shared.push(key),
                    Some(Deletion::Last) => work.deletes.last.push(key),
                    Some(Deletion::Value(id)) => work.deletes.values.push((key, id)),
                },
                (action, None) => {
                    self.refuse(key, action, ErrorCode::Internal, "The value is missing.");
                }
                (action, Some(value)) => {
                    let item = Item { key, value, action };
                    match ways.write(key) {
                        Write::New => work.new.push(item),
                        Write::Value => work.values.push(item),
                        Write::Shared => work.shared.push(item),
                    }
                }
            }
        }
        work
    }

    /// Sets values of variables that are there, several at a time.
    async fn set(&mut self, items: Vec<Item<'a>>) {
        if self.stopped.is_some() {
            return;
        }
        let mut calls: Vec<BoxFuture<'a, _>> = Vec::with_capacity(items.len());
        for item in items {
            let (client, session, place) = (self.client, self.session, self.place);
            let (context, context_parameter) = context(self.destination);
            let value = NewValue {
                context,
                context_parameter,
                value: item.value,
            };
            calls.push(Box::pin(async move {
                let answer = client.set_value(session, place, item.key, &value).await;
                (item, answer)
            }));
        }
        at_once(calls, |(item, answer)| {
            match answer {
                Ok(variable) => self.confirm(&item, &variable),
                Err(ProviderError::NotFound) => {
                    self.refuse(item.key, item.action, ErrorCode::Conflict, REMOVED);
                }
                Err(error) => self.failed(item.key, item.action, error),
            }
            self.stopped.is_none()
        })
        .await;
    }

    /// Deletes last, and only when everything before succeeded.
    async fn delete(&mut self, deletes: Deletes<'a>) {
        if self.results.iter().any(|done| done.result.is_err()) {
            let values = deletes.values.iter().map(|(key, _)| *key);
            for key in values.chain(deletes.last).chain(deletes.shared) {
                let message = "Not deleted, because other changes failed.";
                self.refuse(key, Action::Delete, ErrorCode::NotAttempted, message);
            }
            return;
        }
        let mut calls: Vec<BoxFuture<'a, _>> = Vec::with_capacity(deletes.values.len());
        for (key, id) in deletes.values {
            let (client, session, place) = (self.client, self.session, self.place);
            calls.push(Box::pin(async move {
                (key, client.delete_value(session, place, key, id).await)
            }));
        }
        at_once(calls, |(key, answer)| {
            self.deleted(key, answer);
            self.stopped.is_none()
        })
        .await;
        for key in deletes.last {
            if self.stopped.is_none() {
                self.delete_last(key).await;
            }
        }
        for key in deletes.shared {
            if self.stopped.is_none() {
                self.rewrite(key, Action::Delete, None).await;
            }
        }
    }

    /// A variable that had no other value goes as a whole, since it is not said what becomes of one
    /// without any. It is looked at once more: somebody may have given another context a value.
    async fn delete_last(&mut self, key: &'a str) {
        let now = self.client.variable(self.session, self.place, key).await;
        let answer = match now {
            Ok(variable) => {
                let values = &variable.values;
                let ours = values.iter().find(|held| is_at(held, self.destination));
                let id = ours.and_then(|held| held.id.as_deref());
                match id {
                    Some(_) if values.len() == 1 => {
                        self.client.delete(self.session, self.place, key).await
                    }
                    Some(id) => {
                        let (session, place) = (self.session, self.place);
                        self.client.delete_value(session, place, key, id).await
                    }
                    None => Ok(()),
                }
            }
            Err(error) => Err(error),
        };
        self.deleted(key, answer);
    }

    /// What became of a delete. What is not there was deleted.
    pub(super) fn deleted(&mut self, key: &str, answer: Result<(), ProviderError>) {
        match answer {
            Ok(()) | Err(ProviderError::NotFound) => self.done(key, Action::Delete, Ok(None)),
            Err(error) => self.failed(key, Action::Delete, error),
        }
    }

    /// Notes what the answer to a write shows of it.
    pub(super) fn confirm(&mut self, item: &Item<'_>, variable: &Variable) {
        match receipt(variable, item.value, self.destination) {
            Some(receipt) => self.done(item.key, item.action, Ok(Some(receipt))),
            None => self.refuse(item.key, item.action, ErrorCode::Conflict, ANOTHER),
        }
    }

    /// What became of a change that was not accepted: the key fails, or everything stops.
    pub(super) fn failed(&mut self, key: &str, action: Action, error: ProviderError) {
        match error {
            ProviderError::Invalid { .. } => self.done(key, action, Err(of_change(&error))),
            error => self.stop(error),
        }
    }

    /// Notes what became of a change.
    pub(super) fn done(
        &mut self,
        key: &str,
        action: Action,
        result: Result<Option<Receipt>, ChangeFailure>,
    ) {
        self.results.push(ChangeResult {
            key: key.to_owned(),
            action,
            result,
        });
        self.journal.progress(self.results.len());
    }

    /// Notes why a change was not made.
    pub(super) fn refuse(&mut self, key: &str, action: Action, code: ErrorCode, message: &str) {
        self.done(key, action, Err(failure(code, message)));
    }

    /// Ends the run. The first reason counts.
    pub(super) fn stop(&mut self, error: ProviderError) {
        self.stopped.get_or_insert(error);
    }
}

/// Makes the calls, a few at a time, and hands over each answer. Once `take` says no, none is begun, and
/// those under way come to their end: what they did shall be known.
async fn at_once<T>(calls: Vec<BoxFuture<'_, T>>, mut take: impl FnMut(T) -> bool) {
    let mut calls = calls.into_iter();
    let mut under_way: FuturesUnordered<_> = calls.by_ref().take(AT_ONCE).collect();
    let mut goes_on = true;
    while let Some(answer) = under_way.next().await {
        goes_on = take(answer) && goes_on;
        under_way.extend(calls.next().filter(|_| goes_on));
    }
}

/// What the answer to a write shows of our value. `None`: it shows another one.
fn receipt(variable: &Variable, value: &Secret, destination: &Destination) -> Option<Receipt> {
    let is_secret = variable.is_secret == Some(true);
    let held = variable.values.iter().find(|held| is_at(held, destination));
    let mut rows = Vec::new();
    rows::rows(variable.clone(), &mut rows);
    let id = held.and_then(|held| held.id.clone());
    let row = rows.into_iter().find(|row| Some(&row.id) == id.as_ref());
    if let Some(shown) = held.and_then(|held| held.value.as_ref())
        && !is_secret
        && shown != value
    {
        return None;
    }
    Some(Receipt {
        // Without the value in the answer there is no proof of which row it is, and nothing is kept.
        stamp: row.as_ref().and_then(|row| row.stamp.clone()),
        kind: is_secret.then(|| SECRET.to_owned()),
        remote_id: id.unwrap_or_default(),
    })
}
