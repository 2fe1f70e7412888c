//! What Netlify takes as a variable, and how it refuses the rest.

use std::collections::BTreeSet;

use serde::Deserialize;
use serde_json::Value;

use super::model::{CONTEXTS, Plan, SCOPES};
use super::options::{AllWithOthers, Options};
use super::reply::{Refusal, refusal};

/// What a build sets itself.
const READ_ONLY: &[&str] = &[
    "NETLIFY",
    "CONTEXT",
    "BRANCH",
    "HEAD",
    "COMMIT_REF",
    "URL",
    "DEPLOY_URL",
    "DEPLOY_PRIME_URL",
    "DEPLOY_ID",
    "SITE_ID",
    "SITE_NAME",
    "REPOSITORY_URL",
    "BUILD_ID",
    "PULL_REQUEST",
    "REVIEW_ID",
    "INCOMING_HOOK_TITLE",
    "INCOMING_HOOK_URL",
    "INCOMING_HOOK_BODY",
];

/// A variable as it is sent.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Sent {
    pub(super) key: Option<String>,
    pub(super) values: Option<Vec<SentValue>>,
    pub(super) scopes: Option<Vec<String>>,
    pub(super) is_secret: Option<bool>,
}

/// One value as it is sent. An id may come along with what was read; it means nothing.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct SentValue {
    pub(super) context: Option<String>,
    pub(super) context_parameter: Option<String>,
    pub(super) value: Option<String>,
}

/// A value that was checked.
#[derive(Debug, Clone)]
pub(super) struct GoodValue {
    pub(super) context: String,
    pub(super) parameter: Option<String>,
    pub(super) value: String,
}

fn unfit(message: impl Into<String>) -> Refusal {
    refusal(422, message)
}

pub(super) fn read<T: serde::de::DeserializeOwned>(body: &Value) -> Result<T, Refusal> {
    serde_json::from_value(body.clone()).map_err(|_| refusal(400, "The body is not as described"))
}

pub(super) fn check_key(key: &str, options: &Options) -> Result<(), Refusal> {
    if key.is_empty() {
        return Err(unfit("Key can't be blank"));
    }
    if options
        .max_key
        .is_some_and(|most| key.chars().count() > most)
    {
        return Err(unfit("Key is too long"));
    }
    let fit = key.starts_with(|c: char| c.is_ascii_alphabetic())
        && key.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    if options.safe_keys && !fit {
        return Err(unfit(format!("Key {key} has invalid characters")));
    }
    if options.refuse_read_only_keys && READ_ONLY.contains(&key) {
        return Err(unfit(format!("Key {key} is reserved")));
    }
    Ok(())
}

pub(super) fn check_value(sent: SentValue, options: &Options) -> Result<GoodValue, Refusal> {
    let Some(context) = sent.context else {
        return Err(unfit("Context can't be blank"));
    };
    let parameter = sent.context_parameter.filter(|text| !text.is_empty());
    match (context.as_str(), &parameter) {
        ("branch", None) => return Err(unfit("Context branch needs a context_parameter")),
        ("branch", Some(_)) | ("all", None) => {}
        (_, Some(_)) => return Err(unfit("Only context branch has a context_parameter")),
        (known, None) if CONTEXTS.contains(&known) => {}
        (_, None) => return Err(unfit(format!("Context {context} is not known"))),
    }
    let Some(value) = sent.value else {
        return Err(unfit("Value can't be blank"));
    };
    if value.is_empty() && !options.empty_values {
        return Err(unfit("Value can't be blank"));
    }
    if options.max_value.is_some_and(|most| value.len() > most) {
        return Err(unfit("Value is too long"));
    }
    Ok(GoodValue {
        context,
        parameter,
        value,
    })
}

/// All values of one variable.
pub(super) fn check_values(
    sent: Option<Vec<SentValue>>,
    is_secret: bool,
    options: &Options,
) -> Result<Vec<GoodValue>, Refusal> {
    let sent = sent.unwrap_or_default();
    if sent.is_empty() {
        return Err(unfit("Values can't be blank"));
    }
    let mut values = Vec::new();
    for value in sent {
        values.push(check_value(value, options)?);
    }
    let places: BTreeSet<_> = values.iter().map(|v| (&v.context, &v.parameter)).collect();
    if places.len() < values.len() {
        return Err(unfit("A context is given twice"));
    }
    let of_all = values.iter().any(|value| value.context == "all");
    if of_all && is_secret {
        return Err(secret_of_all());
    }
    if of_all && values.len() > 1 && options.all_with_others == AllWithOthers::Refused {
        return Err(unfit("Context all cannot be given with others"));
    }
    Ok(values)
}

pub(super) fn secret_of_all() -> Refusal {
    unfit("Secrets need explicit contexts, not all")
}

/// The scopes of a variable: as sent, or as they were, or all that it may have.
pub(super) fn scopes(
    sent: Option<&[String]>,
    before: Option<&[String]>,
    is_secret: bool,
    plan: Plan,
    options: &Options,
) -> Result<Vec<String>, Refusal> {
    let mut scopes = Vec::new();
    for scope in sent.unwrap_or_default() {
        let scope = scope.replace('_', "-");
        if !SCOPES.contains(&scope.as_str()) {
            return Err(unfit(format!("Scope {scope} is not known")));
        }
        if !scopes.contains(&scope) {
            scopes.push(scope);
        }
    }
    let named = !scopes.is_empty();
    if named && plan == Plan::Free && !(is_secret && options.free_secret_scopes) {
        let text = "Upgrade your Netlify account to set specific scopes";
        return Err(refusal(403, text));
    }
    if !named {
        scopes = before.map_or_else(|| SCOPES.map(str::to_owned).to_vec(), <[String]>::to_vec);
        if is_secret && !options.secret_needs_scopes {
            scopes.retain(|scope| scope != "post-processing");
        }
    }
    if is_secret && scopes.iter().any(|scope| scope == "post-processing") {
        let text = "Secrets are not allowed to run in 'post_processing' scopes";
        return Err(unfit(text));
    }
    Ok(scopes)
}
