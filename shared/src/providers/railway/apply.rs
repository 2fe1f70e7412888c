//! Carrying changes out: all creates and updates in one call, then the deletes, a call for each.
//!
//! The write replaces nothing that it does not name, and skips deployments; a delete has no such
//! switch. The answer to a write is `true` and no more, so its receipts bear no stamp: one from a list
//! made later could be that of somebody else's write. Of a sealed variable nothing is remembered, then,
//! and no sync can tell whether it still has the value that was written.

use std::collections::{BTreeMap, VecDeque};

use super::client::Client;
use super::errors::{is_about_the_input, is_too_large, is_untold};
use super::rows;
use super::wire::{Collection, Deletion, Exposed};
use crate::domain::job::ErrorCode;
use crate::providers::halving::{Halving, Next};
use crate::providers::{
    Applied, Change, ChangeFailure, ChangeResult, Journal, ProviderError, Receipt, Session,
};
use crate::secret::Secret;
use crate::sync::plan::Action;
use crate::sync::remote::{Destination, RemoteRow, RemoteValue, RemoteView, RowOwner};

/// Refusals without a reason, with nothing taken, after which it is the moment: as many as it takes to come
/// from a thousand to one.
const EARLY: usize = 12;

/// One run of the executor.
pub(super) struct Run<'a> {
    pub client: &'a Client,
    pub session: &'a Session,
    pub destination: &'a Destination,
    pub view: &'a RemoteView,
    pub journal: &'a dyn Journal,
    pub results: Vec<ChangeResult>,
    pub stopped: Option<ProviderError>,
}

/// A variable that gets a value.
struct Item<'a> {
    key: &'a str,
    action: Action,
    value: &'a Secret,
    row: Option<&'a RemoteRow>,
}

impl<'a> Run<'a> {
    /// Carries the changes out.
    pub(super) async fn apply(mut self, changes: &'a [Change]) -> Applied {
        let (writes, deletes) = self.sort(changes);
        self.write(writes).await;
        if self.stopped.is_none() {
            if self.results.iter().all(|done| done.result.is_ok()) {
                self.delete(deletes).await;
            } else {
                for key in deletes {
                    let message = "Not deleted, because other changes failed.";
                    self.refuse(key, Action::Delete, ErrorCode::NotAttempted, message);
                }
            }
        }
        Applied {
            results: self.results,
            stopped: self.stopped,
        }
    }

    fn sort(&mut self, changes: &'a [Change]) -> (Vec<Item<'a>>, Vec<&'a str>) {
        let rows: BTreeMap<&str, &RemoteRow> = self.view.at(self.destination);
        let (mut writes, mut deletes) = (Vec::new(), Vec::new());
        for change in changes {
            let (key, action) = (change.key.as_str(), change.action);
            let row = rows.get(key).copied();
            if row.is_some_and(|row| row.owner == RowOwner::Platform) {
                let message = "Railway gives this variable its value.";
                self.refuse(key, action, ErrorCode::Rejected, message);
                continue;
            }
            match (action, row, &change.value) {
                (Action::Skip, ..) => {}
                (Action::Delete, Some(_), _) => deletes.push(key),
                (Action::Delete, None, _) => self.done(key, action, Ok(None)),
                (_, row, Some(value)) => writes.push(Item {
                    key,
                    action,
                    value,
                    row,
                }),
                (_, _, None) => {
                    self.refuse(key, action, ErrorCode::Internal, "The value is missing.");
                }
            }
        }
        (writes, deletes)
    }

    /// One call for all. A refusal does not say which of them it is about, so it is halved to find out.
    /// Without anything to write there is none: a collection that is empty must never be sent.
    async fn write(&mut self, items: Vec<Item<'a>>) {
        let mut queue: VecDeque<Item<'a>> = items.into();
        let mut halving = Halving::new();
        let mut refused = Vec::new();
        // While nothing was taken, an error that Railway does not explain may be that of the moment.
        let mut any_taken = false;
        while !queue.is_empty() && self.stopped.is_none() {
            let size = halving.size(queue.len());
            match self.put(&queue.make_contiguous()[..size]).await {
                Ok(true) => {
                    any_taken = true;
                    for item in queue.drain(..size) {
                        self.written(&item);
                    }
                    halving.taken();
                }
                Ok(false) => self.stop(ProviderError::OutcomeUnknown),
                Err(error) if is_too_large(&error) && size > 1 => halving.too_large(size),
                Err(error) if is_about_the_input(&error) => match halving.refused(size) {
                    _ if is_untold(&error) && !any_taken && halving.refusals() >= EARLY => {
                        self.stop(ProviderError::OutcomeUnknown);
                    }
                    Next::Again => {}
                    Next::Found => refused.extend(queue.pop_front().map(|item| (item, error))),
                    Next::GiveUp => {
                        for item in queue.drain(..) {
                            let message = "Not sent, because Railway refused too many others.";
                            self.refuse(item.key, item.action, ErrorCode::NotAttempted, message);
                        }
                    }
                },
                Err(error) => self.stop(error),
            }
        }
        if self.stopped.is_some() || refused.is_empty() {
            return;
        }
        if !any_taken && refused.iter().all(|(_, error)| is_untold(error)) {
            return self.stop(ProviderError::OutcomeUnknown);
        }
        self.look_at(refused).await;
    }

    async fn put(&self, items: &[Item<'a>]) -> Result<bool, ProviderError> {
        let values = items.iter().map(|item| (item.key, Exposed(item.value)));
        let collection = Collection {
            project_id: &self.destination.project_id,
            environment_id: &self.destination.scope,
            service_id: self.destination.service_id.as_deref(),
            variables: values.collect(),
            replace: false,
            skip_deploys: true,
        };
        self.client.upsert(self.session, &collection).await
    }

    /// Those that were refused alone. An error may come after the effect, so it is looked at once.
    async fn look_at(&mut self, refused: Vec<(Item<'a>, ProviderError)>) {
        let view = match rows::list(self.client, self.session, self.destination).await {
            Ok(view) => view,
            Err(error) => return self.stop(error),
        };
        let rows = view.at(self.destination);
        for (item, refusal) in refused {
            let row = rows.get(item.key).copied();
            match (row.map(|row| &row.value), refusal) {
                (Some(RemoteValue::Known(value)), _) if value == item.value => self.written(&item),
                // Nobody can look.
                (Some(RemoteValue::Unreadable), _) => {
                    let message = "Railway did not confirm this write of a sealed variable.";
                    self.refuse(item.key, item.action, ErrorCode::OutcomeUnknown, message);
                }
                (_, ProviderError::Invalid { message, .. }) => {
                    self.refuse(item.key, item.action, ErrorCode::Rejected, &message);
                }
                (_, error) => self.stop(error),
            }
        }
    }

    fn written(&mut self, item: &Item<'a>) {
        let receipt = Receipt {
            // A variable is found by its name; that of a new one has no other handle yet.
            remote_id: item.row.map_or(item.key, |row| &row.id).to_owned(),
            stamp: None,
            kind: None,
        };
        self.done(item.key, item.action, Ok(Some(receipt)));
    }

    async fn delete(&mut self, keys: Vec<&'a str>) {
        for key in keys {
            let deletion = Deletion {
                project_id: &self.destination.project_id,
                environment_id: &self.destination.scope,
                service_id: self.destination.service_id.as_deref(),
                name: key,
            };
            match self.client.delete(self.session, &deletion).await {
                Ok(true) => self.done(key, Action::Delete, Ok(None)),
                Ok(false) => return self.stop(ProviderError::OutcomeUnknown),
                Err(error) => return self.stop(error),
            }
        }
    }

    fn done(&mut self, key: &str, action: Action, result: Result<Option<Receipt>, ChangeFailure>) {
        self.results.push(ChangeResult {
            key: key.to_owned(),
            action,
            result,
        });
        self.journal.progress(self.results.len());
    }

    fn refuse(&mut self, key: &str, action: Action, code: ErrorCode, message: &str) {
        let message = message.to_owned();
        self.done(key, action, Err(ChangeFailure { code, message }));
    }

    fn stop(&mut self, error: ProviderError) {
        self.stopped = Some(error);
    }
}
