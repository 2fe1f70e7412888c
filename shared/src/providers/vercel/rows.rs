//! Variables as the API shows them, in the words that fit each provider.

use std::collections::{BTreeSet, HashSet};

use super::client::Client;
use super::errors::Failure;
use super::wire::Env;
use crate::providers::Session;
use crate::sync::remote::{Destination, RemoteRow, RemoteValue, RemoteView, RowOwner};

/// The environments that every project has. Everything else is the id of a custom one.
pub(super) const BUILT_IN: &[&str] = &["production", "preview", "development"];

/// More pages than the largest project can fill.
const MAX_PAGES: usize = 200;

const HIDDEN: &str = "Vercel holds back variables that this connection may not see.";
const CUT: &str = "Vercel's list of variables ended abnormally.";
const NAMELESS: &str = "Vercel showed a variable without its name or id.";

/// Every row of a project: follows the pages until there is none. A cursor that does not advance
/// ends the list as incomplete.
pub(super) async fn list(
    client: &Client,
    session: &Session,
    project: &str,
) -> Result<RemoteView, Failure> {
    let mut view = RemoteView::default();
    let mut ids = HashSet::new();
    let mut cursors: HashSet<String> = HashSet::new();
    let mut until: Option<String> = None;
    for _ in 0..MAX_PAGES {
        let page = client.variables(session, project, until.as_deref()).await?;
        if page.hidden {
            view.incomplete = Some(HIDDEN.to_owned());
        }
        for env in page.rows {
            match row(env, session.credential.installation_id.as_deref()) {
                Ok(row) if ids.insert(row.id.clone()) => view.rows.push(row),
                // Pages may overlap when rows change in between.
                Ok(_) => {}
                Err(Nameless) => {
                    view.incomplete.get_or_insert_with(|| NAMELESS.to_owned());
                }
            }
        }
        match page.next {
            None => return Ok(view),
            Some(next) if cursors.insert(next.clone()) => until = Some(next),
            Some(_) => break,
        }
    }
    view.incomplete.get_or_insert_with(|| CUT.to_owned());
    Ok(view)
}

/// A row that nothing can be done with.
#[derive(Debug)]
pub(super) struct Nameless;

/// One row. `ours` is the installation that the credential belongs to.
pub(super) fn row(env: Env, ours: Option<&str>) -> Result<RemoteRow, Nameless> {
    let (Some(id), Some(key)) = (&env.id, &env.key) else {
        return Err(Nameless);
    };
    let (id, key) = (id.clone(), key.clone());
    if id.is_empty() || key.is_empty() {
        return Err(Nameless);
    }
    let owner = if is_system(&env) {
        RowOwner::Platform
    } else if env.configuration_id.is_some() && env.configuration_id.as_deref() != ours {
        RowOwner::Integration
    } else {
        RowOwner::People
    };
    Ok(RemoteRow {
        id,
        key,
        scopes: env
            .target
            .iter()
            .chain(&env.custom_environment_ids)
            .cloned()
            .collect(),
        branch: env.git_branch.clone().filter(|branch| !branch.is_empty()),
        stamp: env.updated_at.clone(),
        kind: kind(&env),
        owner,
        value: listed_value(env),
    })
}

/// The row's type; a secret by its visibility is what `sensitive` means.
pub(super) fn kind(env: &Env) -> String {
    if is_secret(env) {
        "sensitive".to_owned()
    } else {
        env.kind.clone().unwrap_or_default()
    }
}

/// What a list tells of a value. The text of an `encrypted` row is ciphertext there unless the row
/// says otherwise, and never a value to compare.
fn listed_value(env: Env) -> RemoteValue {
    if is_secret(&env) || is_system(&env) {
        return RemoteValue::Unreadable;
    }
    let clear = match env.kind.as_deref() {
        Some("plain") => env.decrypted != Some(false),
        _ => env.decrypted == Some(true),
    };
    match env.value {
        Some(value) if clear => RemoteValue::Known(value),
        _ => RemoteValue::Unread,
    }
}

/// What the answer to the read of a single row tells. Without a value, or when it says that it did
/// not decrypt, nobody can read it.
pub(super) fn read_value(env: Env) -> RemoteValue {
    if is_secret(&env) || is_system(&env) || env.decrypted == Some(false) {
        return RemoteValue::Unreadable;
    }
    env.value
        .map_or(RemoteValue::Unreadable, RemoteValue::Known)
}

fn is_secret(env: &Env) -> bool {
    // `secret` is the former kind of reference; what is left of them became sensitive.
    matches!(env.kind.as_deref(), Some("sensitive" | "secret"))
        || env.visibility.as_deref() == Some("secret")
}

fn is_system(env: &Env) -> bool {
    env.kind.as_deref() == Some("system") || env.system == Some(true)
}

/// Scopes in the API's two lists: `target` and `customEnvironmentIds`.
pub(super) fn lists<'a>(
    scopes: impl IntoIterator<Item = &'a String>,
) -> (Vec<&'a str>, Vec<&'a str>) {
    scopes
        .into_iter()
        .map(String::as_str)
        .partition(|scope| BUILT_IN.contains(scope))
}

/// Whether the answer to a write is about the row of `key` at the destination. What the answer does
/// not tell is taken to fit.
pub(super) fn is_at(env: &Env, key: &str, destination: &Destination) -> bool {
    let scopes: BTreeSet<&str> = env
        .target
        .iter()
        .chain(&env.custom_environment_ids)
        .map(String::as_str)
        .collect();
    let branch = env
        .git_branch
        .as_deref()
        .filter(|branch| !branch.is_empty());
    env.key.as_deref() == Some(key)
        && (scopes.is_empty() || scopes == BTreeSet::from([destination.scope.as_str()]))
        && (branch.is_none() || branch == destination.branch.as_deref())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secret::Secret;

    fn of(json: &str) -> RemoteRow {
        row(serde_json::from_str(json).unwrap(), Some("icfg_ours")).unwrap()
    }

    #[test]
    fn what_a_list_tells_of_values() {
        let value = |rest: &str| {
            let json = format!(r#"{{"id":"i","key":"A","target":["production"],{rest}}}"#);
            of(&json).value
        };
        let known = RemoteValue::Known(Secret::new("v"));
        assert_eq!(value(r#""type":"plain","value":"v""#), known);
        assert_eq!(
            value(r#""type":"encrypted","value":"eyJ2IjoidjIi""#),
            RemoteValue::Unread
        );
        assert_eq!(
            value(r#""type":"encrypted","value":"x","decrypted":false"#),
            RemoteValue::Unread
        );
        assert_eq!(
            value(r#""type":"encrypted","value":"v","decrypted":true"#),
            known
        );
        for unreadable in [
            r#""type":"sensitive","value":"""#,
            r#""type":"secret","value":"x""#,
            r#""type":"encrypted","visibility":"secret","decrypted":true,"value":"x""#,
            r#""type":"system","value":"VERCEL_URL""#,
        ] {
            assert_eq!(value(unreadable), RemoteValue::Unreadable, "{unreadable}");
        }
    }

    #[test]
    fn what_a_single_read_tells() {
        let value = |json: &str| read_value(serde_json::from_str(json).unwrap());
        assert_eq!(
            value(r#"{"type":"encrypted","value":""}"#),
            RemoteValue::Known(Secret::new(""))
        );
        assert_eq!(
            value(r#"{"type":"encrypted","decrypted":false}"#),
            RemoteValue::Unreadable
        );
        assert_eq!(
            value(r#"{"type":"sensitive","value":"x"}"#),
            RemoteValue::Unreadable
        );
    }

    #[test]
    fn scopes_are_both_lists_and_owners_are_told_apart() {
        let row = of(
            r#"{"id":"i","key":"A","type":"plain","target":["preview","production"],
                "customEnvironmentIds":["env_1"],"configurationId":"icfg_x","updatedAt":5}"#,
        );
        assert_eq!(
            lists(&row.scopes),
            (vec!["preview", "production"], vec!["env_1"])
        );
        assert_eq!(row.owner, RowOwner::Integration);
        assert_eq!(row.stamp.as_deref(), Some("5"));
        assert_eq!(
            of(r#"{"id":"i","key":"A","configurationId":"icfg_ours"}"#).owner,
            RowOwner::People
        );
        assert_eq!(
            of(r#"{"id":"i","key":"A","type":"encrypted","system":true}"#).owner,
            RowOwner::Platform
        );
        assert!(row_is_nameless(r#"{"key":"A"}"#) && row_is_nameless(r#"{"id":"i","key":null}"#));
    }

    fn row_is_nameless(json: &str) -> bool {
        row(serde_json::from_str(json).unwrap(), None).is_err()
    }
}
