//! The one call that gives values to many rows, and reading its outcome key by key.

use std::collections::{HashMap, VecDeque};

use super::apply::Run;
use super::errors::{Failure, Refusal, of_failed};
use super::rows;
use super::split::new_env;
use super::wire::{Env, Failed};
use crate::domain::job::ErrorCode;
use crate::providers::{ChangeFailure, ProviderError, Receipt};
use crate::secret::Secret;
use crate::sync::plan::Action;
use crate::sync::remote::RemoteRow;

/// Refused calls after which the rest of a batch is given up: enough to find a handful of bad
/// variables among a thousand by halving.
const PATIENCE: usize = 40;

/// A variable that gets a value.
#[derive(Debug, Clone)]
pub(super) struct Item<'a> {
    pub key: &'a str,
    pub value: &'a Secret,
    pub action: Action,
    /// The type to ask for.
    pub kind: &'static str,
    /// The row of exactly our environment that there was before, if any.
    pub row: Option<&'a RemoteRow>,
}

/// Whether a variable of a batch was refused for what it is, and not for the moment.
const fn is_about_the_row(code: ErrorCode) -> bool {
    matches!(
        code,
        ErrorCode::Rejected | ErrorCode::Conflict | ErrorCode::Forbidden
    )
}

impl Item<'_> {
    /// Whether an edit that does not name the key may do what the batch, which must name it, may not:
    /// nothing is known for certain of naming the key of a sensitive row to an upsert.
    fn may_be_edited(&self) -> bool {
        self.row.is_some_and(|row| row.kind == "sensitive")
    }
}

impl Run<'_> {
    /// Sends everything at once. Only when that is refused as too large is it sent in halves, and
    /// only when a refusal does not say which variable it is about is it halved to find out. Gives back
    /// what the batch did not take and an edit of its own may.
    pub(super) async fn post<'i>(&mut self, items: Vec<Item<'i>>) -> Vec<Item<'i>> {
        let mut queue: VecDeque<Item<'i>> = items.into();
        let mut alone = Vec::new();
        let (mut largest, mut window) = (usize::MAX, usize::MAX);
        let mut refusals = 0;
        while !queue.is_empty() && self.stopped.is_none() {
            let size = queue.len().min(largest).min(window);
            let failure = match self.send(queue.make_contiguous(), size).await {
                Ok((created, failed)) => {
                    let sent: Vec<_> = queue.drain(..size).collect();
                    let (again, edits) = self.settle(sent, created, failed).await;
                    queue.extend(again);
                    alone.extend(edits);
                    window = usize::MAX;
                    continue;
                }
                Err(failure) if failure.refusal == Refusal::Call => {
                    self.stop(failure.error);
                    break;
                }
                Err(failure) => failure,
            };
            refusals += 1;
            let named = failure
                .beside
                .key
                .as_deref()
                .and_then(|key| queue.iter().take(size).position(|item| item.key == key));
            if failure.refusal == Refusal::TooLarge && size > 1 && refusals < PATIENCE {
                largest = size / 2;
            } else if failure.refusal == Refusal::MaybeType && self.retype(&mut queue, size) {
                // The same again, with the type that such an environment takes.
            } else if let Some(item) = named.and_then(|at| queue.remove(at)) {
                if item.may_be_edited() {
                    alone.push(item);
                } else {
                    self.done(item.key, item.action, Err(failure.of_change()));
                }
            } else if size == 1 || refusals >= PATIENCE {
                for item in queue.drain(..size) {
                    if item.may_be_edited() {
                        alone.push(item);
                    } else {
                        self.done(item.key, item.action, Err(failure.of_change()));
                    }
                }
                window = usize::MAX;
                if refusals >= PATIENCE {
                    self.give_up(&mut queue);
                }
            } else {
                window = size / 2;
            }
        }
        alone
    }

    /// The rest of a batch, of which too much was refused.
    fn give_up(&mut self, queue: &mut VecDeque<Item<'_>>) {
        for item in queue.drain(..) {
            let message = "Not sent, because Vercel refused too many others.";
            self.refuse(item.key, item.action, ErrorCode::NotAttempted, message);
        }
    }

    /// One call. A refusal that lists what failed is an outcome like any other.
    async fn send(
        &self,
        queue: &[Item<'_>],
        size: usize,
    ) -> Result<(Vec<Env>, Vec<Failed>), Failure> {
        let variables: Vec<_> = queue
            .iter()
            .take(size)
            .map(|item| new_env(self.destination, item.key, item.value, item.kind))
            .collect();
        let project = &self.destination.project_id;
        match self.client.upsert(self.session, project, &variables).await {
            Ok(answer) => Ok((answer.created, answer.failed)),
            Err(failure) if failure.is_an_outcome() => {
                Ok((failure.beside.created, failure.beside.failed))
            }
            Err(failure) => Err(failure),
        }
    }

    /// Notes the outcome of each variable that was sent: one that failed never counts as created,
    /// and one that is in neither list is looked up. Gives back what is worth another try, and what is
    /// worth an edit of its own.
    async fn settle<'i>(
        &mut self,
        sent: Vec<Item<'i>>,
        created: Vec<Env>,
        failed: Vec<Failed>,
    ) -> (Vec<Item<'i>>, Vec<Item<'i>>) {
        let keys: Vec<&str> = sent.iter().map(|item| item.key).collect();
        let mut reasons: HashMap<String, (ChangeFailure, bool)> = HashMap::new();
        let mut nameless = Vec::new();
        for entry in failed {
            let detail = entry.error.into_iter().next().unwrap_or_default();
            let reason = of_failed(&detail);
            // Within a batch a key stands for one variable, since all go to one environment.
            let key = [detail.env_var_key, detail.key]
                .into_iter()
                .flatten()
                .find(|key| keys.contains(&key.as_str()));
            match key {
                Some(key) => drop(reasons.insert(key, reason)),
                None => nameless.push(reason),
            }
        }
        let (mut again, mut alone, mut lost) = (Vec::new(), Vec::new(), Vec::new());
        let created: HashMap<&str, &Env> = created
            .iter()
            .filter_map(|env| env.key.as_deref().map(|key| (key, env)))
            .filter(|(key, env)| rows::is_at(env, key, self.destination))
            .collect();
        for mut item in sent {
            match (reasons.remove(item.key), created.get(item.key)) {
                (Some((_, true)), _) if self.retypes(&item) => {
                    item.kind = "encrypted";
                    again.push(item);
                }
                (Some((failure, _)), _)
                    if item.may_be_edited() && is_about_the_row(failure.code) =>
                {
                    alone.push(item);
                }
                (Some((failure, _)), _) => self.done(item.key, item.action, Err(failure)),
                (None, Some(env)) => {
                    let receipt = env.id.clone().map(|remote_id| Receipt {
                        remote_id,
                        stamp: env.updated_at.clone(),
                        kind: env.kind.is_some().then(|| rows::kind(env)),
                    });
                    self.done(item.key, item.action, Ok(receipt));
                }
                (None, None) => lost.push(item),
            }
        }
        // As many reasons without a name as variables without an outcome: they are the same.
        if lost.len() == nameless.len() && lost.len() == 1 {
            for (item, (failure, _)) in lost.drain(..).zip(nameless) {
                self.done(item.key, item.action, Err(failure));
            }
        }
        if !lost.is_empty() {
            self.look_up(lost).await;
        }
        (again, alone)
    }

    /// Variables that the answer did not mention. A row that is as it was tells that nothing
    /// happened. One that changed does not tell who changed it: the run ends, so that the engine looks
    /// and plans again.
    async fn look_up(&mut self, lost: Vec<Item<'_>>) {
        let listed = rows::list(self.client, self.session, &self.destination.project_id).await;
        let now = match &listed {
            Ok(view) if view.incomplete.is_none() => Some(view.at(self.destination)),
            _ => None,
        };
        for item in lost {
            let unchanged = now
                .as_ref()
                .is_some_and(|rows| match (item.row, rows.get(item.key)) {
                    (None, None) => true,
                    (Some(before), Some(row)) => {
                        before.id == row.id && before.stamp.is_some() && before.stamp == row.stamp
                    }
                    _ => false,
                });
            if unchanged {
                let message = "Vercel did not carry this out and did not say why.";
                self.refuse(item.key, item.action, ErrorCode::ProviderError, message);
            } else {
                let message = "Vercel did not confirm this change.";
                self.refuse(item.key, item.action, ErrorCode::OutcomeUnknown, message);
                self.stop(ProviderError::OutcomeUnknown);
            }
        }
    }

    /// Whether the variable is of a type that the environment may not take: development, which
    /// refused sensitive variables and seems to take them now.
    fn retypes(&self, item: &Item<'_>) -> bool {
        item.kind == "sensitive" && self.destination.scope == "development" && !item.may_be_edited()
    }

    fn retype(&self, queue: &mut VecDeque<Item<'_>>, size: usize) -> bool {
        let mut any = false;
        for item in queue.iter_mut().take(size) {
            if self.retypes(item) {
                item.kind = "encrypted";
                any = true;
            }
        }
        any
    }
}
