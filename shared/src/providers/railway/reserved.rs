//! Names that Railway gives values to, from its reference of variables. Not all that begin with
//! `RAILWAY_` are: by `RAILWAY_DOCKERFILE_PATH` and some others people tell Railway what to do.

use crate::sync::reserved::ReservedNames;

/// The names that Railway injects into builds and deployments.
pub(super) const RESERVED: ReservedNames = ReservedNames {
    names: &[
        "RAILWAY_DEPLOYMENT_ID",
        "RAILWAY_ENVIRONMENT_ID",
        "RAILWAY_ENVIRONMENT_NAME",
        "RAILWAY_GIT_AUTHOR",
        "RAILWAY_GIT_BRANCH",
        "RAILWAY_GIT_COMMIT_MESSAGE",
        "RAILWAY_GIT_COMMIT_SHA",
        "RAILWAY_GIT_REPO_NAME",
        "RAILWAY_GIT_REPO_OWNER",
        "RAILWAY_PRIVATE_DOMAIN",
        "RAILWAY_PROJECT_ID",
        "RAILWAY_PROJECT_NAME",
        "RAILWAY_PUBLIC_DOMAIN",
        "RAILWAY_REPLICA_ID",
        "RAILWAY_REPLICA_REGION",
        "RAILWAY_SERVICE_ID",
        "RAILWAY_SERVICE_NAME",
        "RAILWAY_SNAPSHOT_ID",
        "RAILWAY_TCP_APPLICATION_PORT",
        "RAILWAY_TCP_PROXY_DOMAIN",
        "RAILWAY_TCP_PROXY_PORT",
        "RAILWAY_VOLUME_MOUNT_PATH",
        "RAILWAY_VOLUME_NAME",
    ],
    prefixes: &[],
    behind: &[],
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_people_tell_railway_by_a_variable_is_theirs() {
        assert!(RESERVED.has("RAILWAY_PUBLIC_DOMAIN"));
        for key in [
            "RAILWAY_DOCKERFILE_PATH",
            "RAILWAY_HEALTHCHECK_TIMEOUT_SEC",
            "RAILWAY_DEPLOYMENT_OVERLAP_SECONDS",
            "RAILWAY_DEPLOYMENT_DRAINING_SECONDS",
            "RAILWAY_RUN_UID",
            "RAILWAY_SHM_SIZE_BYTES",
            "NIXPACKS_NODE_VERSION",
            "RAILPACK_GO_BIN",
            "OTEL_SERVICE_NAME",
        ] {
            assert!(!RESERVED.has(key), "{key}");
        }
    }
}
