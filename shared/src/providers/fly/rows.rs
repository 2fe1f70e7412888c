//! Secrets as the API shows them: a name and a digest.

use std::collections::{BTreeSet, HashSet};

use super::client::Client;
use super::errors::Failure;
use super::wire::AppSecret;
use crate::providers::Session;
use crate::sync::remote::{RemoteRow, RemoteValue, RemoteView, RowOwner};

/// The one environment that an app is. It is named so because clients send the name of the vault's
/// environment where they know no other, because whatever guards production then guards each app as
/// the production that it may be, and because nothing but `production` is ever taken for it: another
/// environment goes to another app, on purpose and not by its name.
pub(super) const ENVIRONMENT: &str = "production";

/// What every row is.
pub(super) const KIND: &str = "secret";

const NAMELESS: &str = "Fly.io showed a secret without its name.";

/// Every secret of an app.
///
/// UNCERTAIN: a list may be older than the last write. The version to wait for would be that of the
/// write, whose run has ended by the time of the next list. An older list shows older digests or names,
/// and so leads to the same value being written once more, never to one that is left out.
pub(super) async fn list(
    client: &Client,
    session: &Session,
    app: &str,
) -> Result<RemoteView, Failure> {
    let listed = client.secrets(session, app).await?;
    Ok(rows(listed.secrets()))
}

/// The rows of a list.
pub(super) fn rows(secrets: Vec<AppSecret>) -> RemoteView {
    let mut view = RemoteView::default();
    let mut names = HashSet::new();
    for secret in secrets {
        match row(secret) {
            Some(row) if names.insert(row.key.clone()) => view.rows.push(row),
            Some(_) => {}
            None => view.incomplete = Some(NAMELESS.to_owned()),
        }
    }
    view
}

/// One row; none without a name.
fn row(secret: AppSecret) -> Option<RemoteRow> {
    let name = secret.name.filter(|name| !name.is_empty())?;
    Some(RemoteRow {
        id: name.clone(),
        key: name,
        scopes: BTreeSet::from([ENVIRONMENT.to_owned()]),
        branch: None,
        value: RemoteValue::Unreadable,
        stamp: stamp(secret.digest),
        kind: KIND.to_owned(),
        owner: RowOwner::People,
    })
}

/// The digest: opaque, equal for equal values, and not to be made here. One that is not told tells
/// nothing.
pub(super) fn stamp(digest: Option<String>) -> Option<String> {
    digest.filter(|digest| !digest.is_empty())
}
