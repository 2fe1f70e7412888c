//! Names that are not ours to write.

use crate::sync::reserved::ReservedNames;

/// Names that the API refuses, from Vercel's page on reserved environment variables.
const NAMES: &[&str] = &[
    "AWS_EXECUTION_ENV",
    "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
    "AWS_LAMBDA_FUNCTION_NAME",
    "AWS_LAMBDA_FUNCTION_VERSION",
    "AWS_LAMBDA_LOG_GROUP_NAME",
    "AWS_LAMBDA_LOG_STREAM_NAME",
    "AWS_SECRET_KEY",
    "LAMBDA_RUNTIME_DIR",
    "LAMBDA_TASK_ROOT",
    "NOW_REGION",
    "TZ",
    "VERCEL",
];

/// Prefixes whose variables a framework shows to browsers. The API refuses to make such a variable
/// a secret, and the platform injects its own variables under them.
pub(super) const PUBLIC: &[&str] = &[
    "EXPO_PUBLIC_",
    "GATSBY_",
    "GRIDSOME_",
    "NEXT_PUBLIC_",
    "NG_APP_",
    "NUXT_PUBLIC_",
    "PUBLIC_",
    "REACT_APP_",
    "REDWOOD_ENV_",
    "STORYBOOK_",
    "VITE_",
    "VUE_APP_",
];

/// What the platform reserves or injects: `VERCEL_…` also behind the prefix of a framework.
pub(super) const RESERVED: ReservedNames = ReservedNames {
    names: NAMES,
    prefixes: &["VERCEL_"],
    behind: PUBLIC,
};

/// Whether the name tells that the value is shown to browsers, so that it cannot be sensitive.
pub(super) fn is_public(key: &str) -> bool {
    PUBLIC.iter().any(|prefix| key.starts_with(prefix))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_platforms_names() {
        for key in [
            "TZ",
            "AWS_SECRET_KEY",
            "VERCEL",
            "VERCEL_URL",
            "NEXT_PUBLIC_VERCEL_URL",
            "NUXT_PUBLIC_VERCEL_ENV",
        ] {
            assert!(RESERVED.has(key), "{key}");
        }
        for key in [
            "AWS_SECRET_ACCESS_KEY",
            "AWS_REGION",
            "TZDATA",
            "MY_VERCEL_TOKEN",
            "NEXT_PUBLIC_API",
            "VERCELESS",
        ] {
            assert!(!RESERVED.has(key), "{key}");
        }
        assert!(is_public("NEXT_PUBLIC_API") && is_public("VITE_X") && !is_public("API_VITE_X"));
    }
}
