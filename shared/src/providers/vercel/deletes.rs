//! Deleting, which comes last. A row that serves other environments too only loses ours; the rest
//! goes in one call. What is gone already is done.

use std::collections::HashSet;

use super::apply::Run;
use super::errors::Refusal;
use super::rows;
use crate::domain::job::ErrorCode;
use crate::providers::ProviderError;
use crate::sync::plan::Action;
use crate::sync::remote::RemoteRow;

/// Most rows that one call deletes.
pub(super) const AT_ONCE: usize = 1_000;

const KEPT: &str = "Vercel did not delete the variable and did not say why.";
const UNKNOWN: &str = "Vercel did not confirm this deletion.";

type Row<'a> = (&'a str, &'a RemoteRow);

impl<'a> Run<'a> {
    /// Deletes the keys from the destination.
    pub(super) async fn delete(&mut self, rows: Vec<Row<'a>>) {
        let (shared, mut exact): (Vec<Row<'a>>, Vec<Row<'a>>) =
            rows.into_iter().partition(|(_, row)| row.scopes.len() > 1);
        for (key, row) in shared {
            match self.take_scope_off(row).await {
                Ok(true) => self.done(key, Action::Delete, Ok(None)),
                Ok(false) => self.refuse(key, Action::Delete, ErrorCode::Conflict, KEPT),
                Err(failure) if failure.error == ProviderError::NotFound => {
                    self.done(key, Action::Delete, Ok(None));
                }
                Err(failure) => self.edit_failed(key, Action::Delete, failure),
            }
            if self.stopped.is_some() {
                return;
            }
        }
        let mut size = AT_ONCE;
        while !exact.is_empty() && self.stopped.is_none() {
            let rest = exact.split_off(exact.len().min(size));
            let chunk = std::mem::replace(&mut exact, rest);
            if let Some(halved) = self.delete_rows(&chunk).await {
                size = halved;
                exact.splice(..0, chunk);
            }
        }
    }

    /// One call. Gives a smaller size when this one is refused.
    async fn delete_rows(&mut self, chunk: &[Row<'a>]) -> Option<usize> {
        let ids: Vec<&str> = chunk.iter().map(|(_, row)| row.id.as_str()).collect();
        let project = &self.destination.project_id;
        match self.client.delete(self.session, project, &ids).await {
            Ok(answer) => {
                let all = answer.ids.is_empty() && answer.deleted == Some(ids.len() as f64);
                let gone: HashSet<&str> = answer.ids.iter().map(String::as_str).collect();
                let (gone, missing): (Vec<Row<'a>>, Vec<Row<'a>>) = chunk
                    .iter()
                    .partition(|(_, row)| all || gone.contains(row.id.as_str()));
                for (key, _) in gone {
                    self.done(key, Action::Delete, Ok(None));
                }
                self.check_gone(missing, false).await;
            }
            // One id that is gone may refuse all of them.
            Err(failure) if failure.error == ProviderError::NotFound => {
                self.check_gone(chunk.to_vec(), true).await;
            }
            Err(failure) if failure.refusal == Refusal::TooLarge && chunk.len() > 1 => {
                return Some(chunk.len() / 2);
            }
            Err(failure) if failure.refusal == Refusal::Call => self.stop(failure.error),
            Err(failure) => {
                for (key, _) in chunk {
                    self.done(key, Action::Delete, Err(failure.of_change()));
                }
            }
        }
        None
    }

    /// Looks which rows are gone, and deletes the others when `again` says so and some were gone.
    async fn check_gone(&mut self, missing: Vec<Row<'a>>, again: bool) {
        if missing.is_empty() {
            return;
        }
        let view = match rows::list(self.client, self.session, &self.destination.project_id).await {
            Ok(view) => view,
            Err(failure) => return self.stop(failure.error),
        };
        let shown: HashSet<&str> = view.rows.iter().map(|row| row.id.as_str()).collect();
        let (left, gone): (Vec<Row<'a>>, Vec<Row<'a>>) = missing
            .into_iter()
            .partition(|(_, row)| shown.contains(row.id.as_str()));
        let progress = !gone.is_empty();
        for (key, _) in gone {
            if view.incomplete.is_some() {
                self.refuse(key, Action::Delete, ErrorCode::OutcomeUnknown, UNKNOWN);
            } else {
                self.done(key, Action::Delete, Ok(None));
            }
        }
        if again && progress && !left.is_empty() {
            self.delete_left(&left).await;
        } else {
            for (key, _) in left {
                self.refuse(key, Action::Delete, ErrorCode::ProviderError, KEPT);
            }
        }
    }

    /// The second and last try, for rows that were there a moment ago.
    async fn delete_left(&mut self, left: &[Row<'a>]) {
        let ids: Vec<&str> = left.iter().map(|(_, row)| row.id.as_str()).collect();
        let project = &self.destination.project_id;
        match self.client.delete(self.session, project, &ids).await {
            Ok(answer) => {
                let all = answer.deleted == Some(ids.len() as f64);
                for (key, row) in left {
                    if all || answer.ids.contains(&row.id) {
                        self.done(key, Action::Delete, Ok(None));
                    } else {
                        self.refuse(key, Action::Delete, ErrorCode::OutcomeUnknown, UNKNOWN);
                    }
                }
            }
            Err(failure) if failure.error == ProviderError::NotFound => {
                for (key, _) in left {
                    self.refuse(key, Action::Delete, ErrorCode::OutcomeUnknown, UNKNOWN);
                }
            }
            Err(failure) => self.stop(failure.error),
        }
    }
}
