//! Names that are not ours to write.

use crate::sync::reserved::ReservedNames;

/// What a build sets itself, from Netlify's page on build environment variables: a value under such a
/// name is never seen. `NETLIFY_…` as a whole is not reserved: `NETLIFY_DATABASE_URL` and
/// `NETLIFY_NEXT_PLUGIN_SKIP` are settings of users.
pub(super) const RESERVED: ReservedNames = ReservedNames {
    names: &[
        "BRANCH",
        "BUILD_ID",
        "COMMIT_REF",
        "CONTEXT",
        "DEPLOY_ID",
        "DEPLOY_PRIME_URL",
        "DEPLOY_URL",
        "HEAD",
        "INCOMING_HOOK_BODY",
        "INCOMING_HOOK_TITLE",
        "INCOMING_HOOK_URL",
        "NETLIFY",
        "PULL_REQUEST",
        "REPOSITORY_URL",
        "REVIEW_ID",
        "SITE_ID",
        "SITE_NAME",
        "URL",
    ],
    prefixes: &[],
    behind: &[],
};
