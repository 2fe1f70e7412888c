//! The variables of one place, in the words that fit each provider.

use std::collections::BTreeMap;

use super::client::Client;
use super::errors::{is_about_the_input, is_untold};
use super::pages::Pages;
use super::reserved::RESERVED;
use super::wire::Variable;
use crate::providers::{ProviderError, Session};
use crate::secret::Secret;
use crate::sync::remote::{Destination, RemoteRow, RemoteValue, RemoteView, RowOwner};

/// Railway's word for a variable that nobody reads back.
pub(super) const SEALED: &str = "sealed";
/// Names on a page. The environment's are all in one list, so that a page that is too small costs calls
/// of a budget that may be a hundred an hour.
const LARGE: u32 = 1_000;
/// The same, as the documentation's examples have it.
const SMALL: u32 = 100;
/// Ours for any other; Railway has none.
const PLAIN: &str = "plain";

/// The variables of the destination and no others: each service has its own, and what the environment
/// shares is a place like a service.
pub(super) async fn list(
    client: &Client,
    session: &Session,
    destination: &Destination,
) -> Result<RemoteView, ProviderError> {
    let (answer, first) = match client.variables(session, destination, LARGE).await {
        Ok(answer) => (answer, LARGE),
        // What the largest page is, is nowhere said.
        Err(error) if is_about_the_input(&error) => {
            let again = client.variables(session, destination, SMALL).await;
            // A list is nothing that could be refused for what is in it: what Railway does not explain
            // passes.
            let passing = |error| match error {
                error if is_untold(&error) => ProviderError::Protocol,
                error => error,
            };
            (again.map_err(passing)?, SMALL)
        }
        Err(error) => return Err(error),
    };
    let mut pages = Pages::default();
    let mut page = answer.environment.variables;
    let mut known = Vec::new();
    loop {
        let after = pages.after(&page.page_info)?;
        known.extend(page.into_nodes());
        let Some(after) = after else { break };
        let more = client.more_variables(session, destination, first, &after);
        page = more.await?.environment.variables;
    }
    Ok(RemoteView {
        rows: rows(destination, known, answer.variables),
        incomplete: None,
    })
}

/// What is known of each variable, from the list of names and from the values. Values do not say what is
/// sealed, nor need they have its names.
pub(super) fn rows(
    destination: &Destination,
    known: Vec<Variable>,
    mut values: BTreeMap<String, Option<Secret>>,
) -> Vec<RemoteRow> {
    let row = |id: String, key: String, value, stamp, kind: &str, owner| RemoteRow {
        id,
        key,
        scopes: [destination.scope.clone()].into(),
        branch: None,
        value,
        stamp,
        kind: kind.to_owned(),
        owner,
    };
    let mut rows = Vec::new();
    for variable in known {
        if variable.service_id != destination.service_id {
            continue;
        }
        let given = values.remove(&variable.name).flatten();
        let (value, kind) = match given {
            // Whatever is shown in place of a sealed value is not it.
            _ if variable.is_sealed => (RemoteValue::Unreadable, SEALED),
            Some(value) => (RemoteValue::Known(value), PLAIN),
            None => (RemoteValue::Unreadable, PLAIN),
        };
        let (id, key, stamp) = (variable.id, variable.name, variable.updated_at);
        rows.push(row(id, key, value, stamp, kind, RowOwner::People));
    }
    // Names that only the values have: some of Railway's own, as it seems, or somebody's of this moment. What
    // begins as its own do is taken for one: nobody made it, or it would be listed.
    for (key, value) in values {
        let owner = if RESERVED.has(&key) || key.starts_with("RAILWAY_") {
            RowOwner::Platform
        } else {
            RowOwner::People
        };
        let value = value.map_or(RemoteValue::Unreadable, RemoteValue::Known);
        rows.push(row(key.clone(), key, value, None, PLAIN, owner));
    }
    rows
}
