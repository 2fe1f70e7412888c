//! What Fly.io takes as a secret, and how it refuses the rest.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::call::Call;
use super::options::Options;
use super::reply::{Refusal, refusal};

/// What the runtime sets itself.
const RUNTIME: &[&str] = &[
    "FLY_APP_NAME",
    "FLY_MACHINE_ID",
    "FLY_ALLOC_ID",
    "FLY_REGION",
    "FLY_PUBLIC_IP",
    "FLY_IMAGE_REF",
    "FLY_MACHINE_VERSION",
    "FLY_PRIVATE_IP",
    "FLY_PROCESS_GROUP",
    "FLY_VM_MEMORY_MB",
    "PRIMARY_REGION",
];

/// The body of a write of several secrets; null unsets.
#[derive(Debug, Deserialize)]
pub(super) struct Update {
    pub(super) values: Option<BTreeMap<String, Option<String>>>,
}

/// The body of a write of one secret.
#[derive(Debug, Deserialize)]
pub(super) struct SetOne {
    pub(super) value: Option<String>,
}

fn unfit(message: impl Into<String>) -> Refusal {
    refusal(400, message)
}

/// The body, if it is as described. Fields that are not described mean nothing.
pub(super) fn read<T: serde::de::DeserializeOwned>(call: &Call) -> Result<T, Refusal> {
    if call.body.is_empty() {
        return Err(unfit("EOF"));
    }
    serde_json::from_slice(&call.body).map_err(|_| unfit("the body is not as described"))
}

pub(super) fn check_name(name: &str, options: &Options) -> Result<(), Refusal> {
    if name.is_empty() {
        return Err(unfit("a secret needs a name"));
    }
    // UNCERTAIN: which names are taken is not documented, but they become variables of the environment.
    let fit = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    if options.safe_names && !fit {
        return Err(unfit(format!("the secret name {name} is not valid")));
    }
    if options.refuse_runtime_names && RUNTIME.contains(&name) {
        return Err(unfit(format!("the secret name {name} is reserved")));
    }
    Ok(())
}

pub(super) fn check_value(name: &str, value: &str, options: &Options) -> Result<(), Refusal> {
    let echo = if options.errors_echo_values {
        format!(": {value:?}")
    } else {
        String::new()
    };
    if value.is_empty() && !options.empty_values {
        return Err(unfit(format!("the secret {name} has no value")));
    }
    if options.max_value.is_some_and(|most| value.len() > most) {
        let text = format!("the value of the secret {name} is too long{echo}");
        return Err(unfit(text));
    }
    Ok(())
}

/// Counts the secrets that there will be.
pub(super) fn check_count(
    there: impl Iterator<Item = String>,
    changes: &BTreeMap<String, Option<String>>,
    options: &Options,
) -> Result<(), Refusal> {
    let kept = there.filter(|name| !changes.contains_key(name)).count();
    let set = changes.values().flatten().count();
    if set > 0 && options.max_secrets.is_some_and(|most| kept + set > most) {
        return Err(unfit("the app has too many secrets"));
    }
    Ok(())
}
