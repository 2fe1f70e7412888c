//! What Vercel takes as a variable, and with which code it refuses the rest.

use serde_json::{Value, json};

use super::model::{EnvSeed, Project};

/// The reserved names of Vercel's documentation.
const RESERVED: &[&str] = &[
    "AWS_SECRET_KEY",
    "AWS_EXECUTION_ENV",
    "AWS_LAMBDA_LOG_GROUP_NAME",
    "AWS_LAMBDA_LOG_STREAM_NAME",
    "AWS_LAMBDA_FUNCTION_NAME",
    "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
    "AWS_LAMBDA_FUNCTION_VERSION",
    "NOW_REGION",
    "TZ",
    "LAMBDA_TASK_ROOT",
    "LAMBDA_RUNTIME_DIR",
];

/// Prefixes of names that end up in browsers, which cannot be sensitive.
const PUBLIC: &[&str] = &[
    "NEXT_PUBLIC_",
    "VUE_APP_",
    "REACT_APP_",
    "GATSBY_",
    "GRIDSOME_",
    "NUXT_PUBLIC_",
    "STORYBOOK_",
    "VITE_",
    "PUBLIC_",
    "EXPO_PUBLIC_",
    "NG_APP_",
    "REDWOOD_ENV_",
];

/// A refusal of one item: a code, and a text that repeats the value, as the real one may.
#[derive(Debug, Clone)]
pub(super) struct Refusal {
    pub(super) code: &'static str,
    pub(super) text: String,
}

pub(super) fn refusal(code: &'static str, text: impl Into<String>) -> Refusal {
    Refusal {
        code,
        text: text.into(),
    }
}

impl Refusal {
    /// As an entry of `failed`.
    pub(super) fn item(&self, seed: &EnvSeed) -> Value {
        json!({ "error": {
            "code": self.code,
            "message": format!("{} (value {:?})", self.text, seed.value),
            "key": seed.key, "envVarKey": seed.key, "target": seed.target,
            "gitBranch": seed.git_branch, "value": seed.value,
        }})
    }

    /// As the error of a whole answer.
    pub(super) fn error(&self) -> Value {
        json!({ "code": self.code, "message": self.text })
    }
}

/// Checks a row that is to be made or changed.
pub(super) fn check(project: &Project, seed: &EnvSeed) -> Result<(), Refusal> {
    let key = seed.key.as_str();
    if key.is_empty() {
        return Err(refusal("MISSING_KEY", "The key is missing"));
    }
    if key.len() > 256 {
        return Err(refusal("KEY_INVALID_LENGTH", "The key is too long"));
    }
    let safe = |c: char| c.is_ascii_alphanumeric() || c == '_';
    if !key.chars().all(safe) || key.starts_with(|c: char| c.is_ascii_digit()) {
        let text = format!("The name {key} contains invalid characters");
        return Err(refusal("KEY_INVALID_CHARACTERS", text));
    }
    if RESERVED.contains(&key) {
        let text = format!("The name {key} is reserved");
        return Err(refusal("KEY_RESERVED", text));
    }
    if seed.value.len() > 65_536 {
        return Err(refusal("VALUE_INVALID_LENGTH", "The value is too long"));
    }
    if !matches!(seed.kind.as_str(), "encrypted" | "plain" | "sensitive") {
        return Err(refusal("BAD_REQUEST", "Invalid type"));
    }
    if seed.target.is_empty() && seed.custom_environment_ids.is_empty() {
        return Err(refusal("MISSING_TARGET", "A target is missing"));
    }
    let known = ["production", "preview", "development"];
    if seed
        .target
        .iter()
        .any(|target| !known.contains(&target.as_str()))
    {
        return Err(refusal("BAD_REQUEST", "Unknown target"));
    }
    let custom = |id: &String| project.custom.iter().any(|(known, _)| known == id);
    if !seed.custom_environment_ids.iter().all(custom) {
        return Err(refusal("BAD_REQUEST", "Unknown custom environment"));
    }
    if seed.git_branch.is_some()
        && (seed.target != ["preview"] || !seed.custom_environment_ids.is_empty())
    {
        let text = "A branch needs preview as the only target";
        return Err(refusal("BAD_REQUEST", text));
    }
    if seed.kind == "sensitive" {
        if seed.target.iter().any(|target| target == "development") {
            let text = "Sensitive variables cannot be created for development";
            return Err(refusal("BAD_REQUEST", text));
        }
        if PUBLIC.iter().any(|prefix| key.starts_with(prefix)) {
            let text = "A public variable cannot be sensitive";
            return Err(refusal("BAD_REQUEST", text));
        }
    }
    Ok(())
}
