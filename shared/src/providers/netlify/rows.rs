//! Variables as the API shows them, in the words that fit each provider: one row for each value of a
//! variable.

use std::collections::BTreeSet;

use super::wire::{Held, Variable};
use crate::sync::remote::{Destination, RemoteRow, RemoteValue, RemoteView, RowOwner};

/// The contexts of a site that can be named without a branch.
pub(super) const CONTEXTS: &[&str] = &[
    "production",
    "deploy-preview",
    "branch-deploy",
    "dev",
    "dev-server",
];
/// The context of the values of single branches, which narrow [`BRANCH_DEPLOY`].
pub(super) const BRANCH: &str = "branch";
/// The context that branches narrow.
pub(super) const BRANCH_DEPLOY: &str = "branch-deploy";
/// The only context in which a secret can be read.
const DEV: &str = "dev";

/// Kind of a value that every context without one of its own has.
pub(super) const ALL: &str = "all";
/// Kind of the values of a secret.
pub(super) const SECRET: &str = "secret";
/// Kind of any other value.
const PLAIN: &str = "plain";
/// Kind of the row that stands for a variable without any value: its key is taken all the same.
pub(super) const EMPTY: &str = "empty";

const NAMELESS: &str = "Netlify showed a variable without its name, or a value without its id.";

/// Every row of a site.
pub(super) fn view(variables: Vec<Variable>) -> RemoteView {
    let mut view = RemoteView::default();
    for variable in variables {
        if !rows(variable, &mut view.rows) {
            view.incomplete.get_or_insert_with(|| NAMELESS.to_owned());
        }
    }
    view
}

/// The rows of one variable. False when one of them cannot be told.
pub(super) fn rows(variable: Variable, rows: &mut Vec<RemoteRow>) -> bool {
    let Some(key) = variable.key.filter(|key| !key.is_empty()) else {
        return false;
    };
    let is_secret = variable.is_secret == Some(true);
    let explicit: BTreeSet<String> = variable
        .values
        .iter()
        .filter_map(|held| held.context.clone())
        .collect();
    let row = |id: String, scopes, branch, value, kind: &str| RemoteRow {
        id,
        key: key.clone(),
        scopes,
        branch,
        value,
        stamp: variable.updated_at.clone(),
        kind: kind.to_owned(),
        owner: RowOwner::People,
    };
    if variable.values.is_empty() {
        let nothing = RemoteValue::Unreadable;
        rows.push(row(String::new(), BTreeSet::new(), None, nothing, EMPTY));
        return true;
    }
    let mut told = true;
    for held in variable.values {
        let (Some(id), Some(context)) = (held.id.filter(|id| !id.is_empty()), held.context) else {
            told = false;
            continue;
        };
        // Masked and empty look alike here, and neither is the value.
        let value = match held.value {
            Some(value) if !is_secret || context == DEV => RemoteValue::Known(value),
            _ => RemoteValue::Unreadable,
        };
        let kind = if is_secret { SECRET } else { PLAIN };
        match context.as_str() {
            ALL => {
                let scopes = CONTEXTS.iter().map(|&name| name.to_owned());
                let scopes = scopes.filter(|name| !explicit.contains(name)).collect();
                rows.push(row(id, scopes, None, value, ALL));
            }
            // Of which branch it is has to be told.
            BRANCH if held.context_parameter.as_ref().is_none_or(String::is_empty) => told = false,
            BRANCH => {
                let scopes = BTreeSet::from([BRANCH_DEPLOY.to_owned()]);
                rows.push(row(id, scopes, held.context_parameter, value, kind));
            }
            _ => rows.push(row(id, BTreeSet::from([context]), None, value, kind)),
        }
    }
    told
}

/// A destination in the API's words: context, and the branch where it is one's.
pub(super) fn context(destination: &Destination) -> (&str, Option<&str>) {
    match &destination.branch {
        Some(branch) => (BRANCH, Some(branch)),
        None => (&destination.scope, None),
    }
}

/// Whether a value is that of the destination alone.
pub(super) fn is_at(held: &Held, destination: &Destination) -> bool {
    let (context, branch) = context(destination);
    let parameter = held.context_parameter.as_deref();
    held.context.as_deref() == Some(context)
        && (branch.is_none() || parameter.filter(|text| !text.is_empty()) == branch)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secret::Secret;

    fn of(json: &str) -> Vec<RemoteRow> {
        let mut found = Vec::new();
        assert!(rows(serde_json::from_str(json).unwrap(), &mut found));
        found
    }

    #[test]
    fn all_is_what_no_context_of_its_own_has() {
        let found = of(
            r#"{"key":"A","values":[{"id":"1","context":"all","value":"x"},
                {"id":"2","context":"production","value":"y"},
                {"id":"3","context":"branch","context_parameter":"staging","value":"z"}],
                "is_secret":false,"updated_at":"t"}"#,
        );
        let scopes = |at: usize| {
            found[at]
                .scopes
                .iter()
                .map(String::as_str)
                .collect::<Vec<_>>()
        };
        assert_eq!(
            scopes(0),
            ["branch-deploy", "deploy-preview", "dev", "dev-server"]
        );
        assert_eq!(
            (scopes(1), found[1].branch.as_deref()),
            (vec!["production"], None)
        );
        assert_eq!(
            (scopes(2), found[2].branch.as_deref()),
            (vec!["branch-deploy"], Some("staging"))
        );
        assert_eq!(found[0].kind, ALL);
        assert_eq!(found[0].value, RemoteValue::Known(Secret::new("x")));
    }

    #[test]
    fn a_secret_can_be_read_in_dev_only() {
        for shown in [
            r#""value":"****""#,
            r#""value":"""#,
            r#""value":null"#,
            r#""x":1"#,
        ] {
            let found = of(&format!(
                r#"{{"key":"A","is_secret":true,"values":[{{"id":"1","context":"production",{shown}}},
                    {{"id":"2","context":"dev","value":"d"}}]}}"#
            ));
            assert_eq!(found[0].value, RemoteValue::Unreadable, "{shown}");
            assert_eq!(found[1].value, RemoteValue::Known(Secret::new("d")));
        }
    }

    #[test]
    fn a_key_without_values_is_taken() {
        let found = of(r#"{"key":"A","values":[]}"#);
        assert_eq!((found.len(), found[0].kind.as_str()), (1, EMPTY));
        let mut none = Vec::new();
        let nameless = serde_json::from_str(r#"{"values":[]}"#).unwrap();
        assert!(!rows(nameless, &mut none) && none.is_empty());
    }
}
