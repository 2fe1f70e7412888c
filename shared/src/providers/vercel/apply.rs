//! Carrying changes out with the fewest calls: rows that need an edit of their own, then rows that
//! are taken apart, then one batch for everything that gets a value, then the deletes. Calls follow
//! one another, since Vercel refuses concurrent writes to a project.

use std::collections::{BTreeMap, BTreeSet};

use super::batch::Item;
use super::client::Client;
use super::errors::{Failure, Refusal};
use super::reserved::is_public;
use super::rows::{kind, lists};
use super::wire::{EnvPatch, Exposed};
use crate::domain::job::ErrorCode;
use crate::providers::{
    Applied, ApplyOptions, Change, ChangeFailure, ChangeResult, Journal, ProviderError, Receipt,
    Session, Split,
};
use crate::secret::Secret;
use crate::sync::options::VariableType;
use crate::sync::plan::Action;
use crate::sync::remote::{Destination, RemoteRow, RemoteView, RowOwner};

/// Rows taken apart before the batch that gives their keys back to our environment: bounds for how
/// long it lacks them.
pub(super) const SPLITS_AT_ONCE: usize = 25;

/// Rows that may be forbidden, with nothing else done, before everything counts as forbidden.
const FORBIDDEN_ROWS: usize = 3;

/// The kinds that can be asked for.
const KINDS: &[&str] = &["plain", "encrypted", "sensitive"];

/// How a key gets its value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    /// With all others that are new, or of which there is an exact row.
    Batch,
    /// By an edit of an exact row of a kind that the batch cannot name.
    Edit,
    /// From a shared row, which is taken apart.
    Split,
}

/// How a key gets a value that our environment has from this row now.
pub(super) fn way(row: Option<&RemoteRow>) -> Way {
    match row {
        Some(row) if row.scopes.len() > 1 => Way::Split,
        Some(row) if !KINDS.contains(&row.kind.as_str()) => Way::Edit,
        _ => Way::Batch,
    }
}

/// One run of the executor.
pub(super) struct Run<'a> {
    pub client: &'a Client,
    pub session: &'a Session,
    pub destination: &'a Destination,
    pub view: &'a RemoteView,
    pub options: ApplyOptions,
    pub journal: &'a dyn Journal,
    pub results: Vec<ChangeResult>,
    pub stopped: Option<ProviderError>,
}

/// The changes, by what they need.
#[derive(Default)]
struct Work<'a> {
    edits: Vec<(Item<'a>, &'a RemoteRow)>,
    splits: Vec<(Item<'a>, &'a RemoteRow)>,
    batch: Vec<Item<'a>>,
    /// Rows to delete or to take our environment off.
    deletes: Vec<(&'a str, &'a RemoteRow)>,
}

impl<'a> Run<'a> {
    /// Carries the changes out.
    pub(super) async fn apply(mut self, changes: &'a [Change]) -> Applied {
        let work = self.sort(changes);
        self.edit_rows(work.edits).await;
        if self.stopped.is_none() {
            self.write(work.batch, work.splits).await;
        }
        if self.stopped.is_none() {
            if self.results.iter().all(|done| done.result.is_ok()) {
                self.delete(work.deletes).await;
            } else {
                for (key, _) in work.deletes {
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

    fn sort(&mut self, changes: &'a [Change]) -> Work<'a> {
        let rows: BTreeMap<&str, &RemoteRow> = self.view.at(self.destination);
        let mut work = Work::default();
        for change in changes {
            let key = change.key.as_str();
            let row = rows.get(key).copied();
            if row.is_some_and(|row| row.owner == RowOwner::Platform) {
                let message = "The platform gives this variable its value.";
                self.refuse(key, change.action, ErrorCode::Rejected, message);
                continue;
            }
            match (change.action, row, &change.value) {
                (Action::Skip, ..) => {}
                (Action::Delete, Some(row), _) => work.deletes.push((key, row)),
                (Action::Delete, None, _) => self.done(key, Action::Delete, Ok(None)),
                (action, row, Some(value)) => {
                    let item = self.item(key, value, action, row);
                    match (way(row), row) {
                        (Way::Split, Some(row)) => work.splits.push((item, row)),
                        (Way::Edit, Some(row)) => work.edits.push((item, row)),
                        _ => work.batch.push(item),
                    }
                }
                (action, _, None) => {
                    self.refuse(key, action, ErrorCode::Internal, "The value is missing.");
                }
            }
        }
        work
    }

    fn item(
        &self,
        key: &'a str,
        value: &'a Secret,
        action: Action,
        row: Option<&'a RemoteRow>,
    ) -> Item<'a> {
        let kind = match row.map(|row| row.kind.as_str()) {
            Some("plain") => "plain",
            Some("encrypted") => "encrypted",
            Some("sensitive") => "sensitive",
            _ => match self.options.variable_type {
                VariableType::Encrypted => "encrypted",
                // What a framework shows to browsers cannot be made a secret.
                VariableType::Sensitive if is_public(key) => "encrypted",
                VariableType::Sensitive => "sensitive",
            },
        };
        Item {
            key,
            value,
            action,
            kind,
            row,
        }
    }

    /// Rows that cannot go with the batch, which names each key and its kind: kinds that this program
    /// does not know, and sensitive rows that the batch was refused for. One call each.
    async fn edit_rows(&mut self, edits: Vec<(Item<'a>, &'a RemoteRow)>) {
        for (item, row) in edits {
            let patch = patch(row, &row.scopes, Some(item.value));
            let project = &self.destination.project_id;
            match self
                .client
                .edit(self.session, project, &row.id, &patch)
                .await
            {
                Ok(answer) => {
                    let kind = answer.as_ref().filter(|env| env.kind.is_some()).map(kind);
                    let receipt = Receipt {
                        remote_id: row.id.clone(),
                        stamp: answer.and_then(|env| env.updated_at),
                        kind,
                    };
                    self.done(item.key, item.action, Ok(Some(receipt)));
                }
                Err(failure) => self.edit_failed(item.key, item.action, failure),
            }
            if self.stopped.is_some() {
                return;
            }
        }
    }

    async fn write(
        &mut self,
        mut items: Vec<Item<'a>>,
        mut splits: Vec<(Item<'a>, &'a RemoteRow)>,
    ) {
        while self.stopped.is_none() && !(items.is_empty() && splits.is_empty()) {
            let mut open = Vec::new();
            let mut stopped = None;
            for (item, row) in splits.drain(..splits.len().min(SPLITS_AT_ONCE)) {
                match self.take_off(&item, row).await {
                    Ok(Some(split)) => {
                        open.push(split);
                        items.push(Item { row: None, ..item });
                    }
                    Ok(None) => {}
                    Err(error) => {
                        stopped = Some(error);
                        break;
                    }
                }
            }
            if stopped.is_some() {
                // What was taken off must get its row back now, and nothing else is begun.
                items.retain(|item| open.iter().any(|split: &Split| split.key == item.key));
            }
            let alone = self.post(std::mem::take(&mut items)).await;
            if self.stopped.is_none() {
                let rows = alone.into_iter();
                let edits = rows.filter_map(|item| item.row.map(|row| (item, row)));
                self.edit_rows(edits.collect()).await;
            }
            for split in open {
                self.finish(&split).await;
            }
            if let Some(error) = stopped {
                self.stop(error);
            }
        }
    }

    /// What became of an edit that was not accepted: the key fails, or everything stops.
    pub(super) fn edit_failed(&mut self, key: &str, action: Action, failure: Failure) {
        let codes = self
            .results
            .iter()
            .filter_map(|done| done.result.as_ref().err());
        let forbidden = codes
            .filter(|failure| failure.code == ErrorCode::Forbidden)
            .count();
        let any_done = self.results.iter().any(|done| done.result.is_ok());
        match (&failure.error, failure.refusal) {
            (ProviderError::NotFound, _) => {
                let message = "Somebody removed the variable at Vercel meanwhile.";
                self.refuse(key, action, ErrorCode::Conflict, message);
            }
            // The right to change this row may be lacking, since an integration may be confined to
            // rows of its own. When nothing else works either, it is the connection's.
            (ProviderError::Forbidden, _) if any_done || forbidden < FORBIDDEN_ROWS => {
                self.done(key, action, Err(failure.of_change()));
            }
            (_, Refusal::Call) => self.stop(failure.error),
            _ => self.done(key, action, Err(failure.of_change())),
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
        let message = message.to_owned();
        self.done(key, action, Err(ChangeFailure { code, message }));
    }

    /// Ends the run. The first reason counts.
    pub(super) fn stop(&mut self, error: ProviderError) {
        self.stopped.get_or_insert(error);
    }
}

/// An edit that leaves `row` with exactly `scopes`. Both lists are sent whole, because each
/// replaces what the row has.
pub(super) fn patch<'a>(
    row: &'a RemoteRow,
    scopes: &'a BTreeSet<String>,
    value: Option<&'a Secret>,
) -> EnvPatch<'a> {
    let (target, custom) = lists(scopes);
    let (_, custom_before) = lists(&row.scopes);
    let git_branch = row
        .branch
        .as_deref()
        .filter(|_| target.contains(&"preview"));
    EnvPatch {
        value: value.map(Exposed),
        target,
        custom_environment_ids: (!custom.is_empty() || !custom_before.is_empty()).then_some(custom),
        git_branch,
    }
}
