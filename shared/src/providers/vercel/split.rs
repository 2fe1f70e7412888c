//! Taking a row apart that gives one value to several environments, so that ours can differ and
//! none of the others ever changes: our environment is taken off the row, without its value being
//! sent, and gets a row of its own. Vercel offers no single call for it, so what is half-done is on
//! record from before the first call until our environment has a row again.

use std::collections::BTreeSet;

use serde_json::json;

use super::apply::{Run, patch};
use super::batch::Item;
use super::client::Client;
use super::errors::{Failure, Refusal};
use super::rows::{is_at, list, lists};
use super::wire::{Env, Exposed, NewEnv};
use crate::domain::job::ErrorCode;
use crate::providers::{ProviderError, Session, Split};
use crate::secret::Secret;
use crate::sync::remote::{Destination, RemoteRow};

impl Run<'_> {
    /// Takes our environment off a row. `None`: the row is as it was and the key has failed.
    pub(super) async fn take_off(
        &mut self,
        item: &Item<'_>,
        row: &RemoteRow,
    ) -> Result<Option<Split>, ProviderError> {
        let (targets, custom) = lists(&row.scopes);
        let split = Split {
            id: self.journal.new_id(),
            key: item.key.to_owned(),
            row_id: row.id.clone(),
            destination: self.destination.clone(),
            kind: item.kind.to_owned(),
            prior: json!({
                "target": targets,
                "customEnvironmentIds": custom,
                "gitBranch": row.branch,
            }),
        };
        self.journal.open_split(&split).await?;
        let answer = self.take_scope_off(row).await;
        let failure = match answer {
            Ok(true) => return Ok(Some(split)),
            Ok(false) => None,
            // The record stays: whoever looks next finds out which it was.
            Err(failure) if !failure.nothing_happened() => return Err(failure.error),
            Err(failure) => Some(failure),
        };
        self.journal.close_split(split.id).await?;
        match failure {
            Some(failure) => self.edit_failed(item.key, item.action, failure),
            None => self.refuse(
                item.key,
                item.action,
                ErrorCode::Conflict,
                "Vercel kept the shared variable as it was.",
            ),
        }
        self.stopped.take().map_or(Ok(None), Err)
    }

    /// The edit of [`Run::take_off`], which is also all that a delete from a shared row needs.
    /// `false` when the answer shows our environment still there.
    pub(super) async fn take_scope_off(&self, row: &RemoteRow) -> Result<bool, Failure> {
        let scope = &self.destination.scope;
        let mut rest = row.scopes.clone();
        rest.remove(scope);
        let answer = self
            .client
            .edit(
                self.session,
                &self.destination.project_id,
                &row.id,
                &patch(row, &rest, None),
            )
            .await?;
        Ok(answer.is_none_or(|env| {
            !env.target.contains(scope) && !env.custom_environment_ids.contains(scope)
        }))
    }

    /// Closes the record of a split once its key is settled; puts things back when its new row was
    /// refused, or when the call that was to make it was refused for good. Any other key leaves its
    /// record open for the next run.
    pub(super) async fn finish(&mut self, split: &Split) {
        let settled = self.results.iter().rev().find(|done| done.key == split.key);
        let made = match (settled, &self.stopped) {
            (Some(done), _) => done.result.is_ok(),
            (None, Some(error)) if is_final(error) => false,
            (None, _) => return,
        };
        let closed = if made {
            Ok(())
        } else {
            close(self.client, self.session, split, None).await
        };
        let closed = match closed {
            Ok(()) => self.journal.close_split(split.id).await,
            error => error,
        };
        if let Err(error) = closed {
            self.stop(error);
        }
    }
}

/// Whether the call did nothing, will not do better later, and the credential still works.
fn is_final(error: &ProviderError) -> bool {
    matches!(
        error,
        ProviderError::Forbidden | ProviderError::NotFound | ProviderError::Invalid { .. }
    )
}

/// Finishes a split that was left open: looks first, then gives our environment its own row with
/// `value`; without one, or when that is refused for good, adds our environment to the targets that
/// the row has now.
pub(super) async fn close(
    client: &Client,
    session: &Session,
    split: &Split,
    value: Option<&Secret>,
) -> Result<(), ProviderError> {
    let destination = &split.destination;
    let view = list(client, session, &destination.project_id).await?;
    let served = |row: &RemoteRow| row.key == split.key && destination.has(row);
    if view.rows.iter().any(served) {
        return Ok(());
    }
    if let Some(value) = value
        && create(client, session, split, value).await?
    {
        return Ok(());
    }
    let Some(row) = view.rows.iter().find(|row| row.id == split.row_id) else {
        // Nothing is left to give it back to, unless it is only not shown.
        return match view.incomplete {
            Some(_) => Err(ProviderError::Forbidden),
            None => Ok(()),
        };
    };
    let mut scopes: BTreeSet<String> = row.scopes.clone();
    scopes.insert(destination.scope.clone());
    let given_back = client
        .edit(
            session,
            &destination.project_id,
            &row.id,
            &patch(row, &scopes, None),
        )
        .await;
    match given_back {
        // An answer that shows our environment still off leaves the record open.
        Ok(Some(env)) if shows_others_only(&env, &destination.scope) => {
            Err(ProviderError::Conflict)
        }
        Ok(_) => Ok(()),
        Err(failure) if failure.error == ProviderError::NotFound => Ok(()),
        Err(failure) => Err(failure.error),
    }
}

fn shows_others_only(env: &Env, scope: &String) -> bool {
    let mut scopes = env
        .target
        .iter()
        .chain(&env.custom_environment_ids)
        .peekable();
    scopes.peek().is_some() && !scopes.any(|shown| shown == scope)
}

/// `false` when Vercel refuses the row for good.
async fn create(
    client: &Client,
    session: &Session,
    split: &Split,
    value: &Secret,
) -> Result<bool, ProviderError> {
    let destination = &split.destination;
    let kind = match split.kind.as_str() {
        kind @ ("plain" | "sensitive") => kind,
        _ => "encrypted",
    };
    let new = new_env(destination, &split.key, value, kind);
    match client
        .upsert(session, &destination.project_id, &[new])
        .await
    {
        Ok(answer) if !answer.failed.is_empty() => Ok(false),
        Ok(answer) => answer
            .created
            .iter()
            .any(|env| is_at(env, &split.key, destination))
            .then_some(true)
            .ok_or(ProviderError::OutcomeUnknown),
        Err(failure) if failure.is_an_outcome() || failure.refusal != Refusal::Call => Ok(false),
        Err(failure) => Err(failure.error),
    }
}

/// A row for exactly the destination.
pub(super) fn new_env<'a>(
    destination: &'a Destination,
    key: &'a str,
    value: &'a Secret,
    kind: &'a str,
) -> NewEnv<'a> {
    let scope = vec![destination.scope.as_str()];
    let (target, custom_environment_ids) = if destination.custom {
        (Vec::new(), scope)
    } else {
        (scope, Vec::new())
    };
    NewEnv {
        key,
        value: Exposed(value),
        kind,
        target,
        custom_environment_ids,
        git_branch: destination.branch.as_deref(),
    }
}
