//! Names that are not ours to write.

use crate::sync::reserved::ReservedNames;

/// What the runtime sets in each machine, from Fly.io's page on the runtime environment. Whole names
/// only: others that begin with `FLY_` are secrets of the user, `FLY_API_TOKEN` above all.
const NAMES: &[&str] = &[
    "FLY_ALLOC_ID",
    "FLY_APP_NAME",
    "FLY_IMAGE_REF",
    "FLY_MACHINE_ID",
    "FLY_MACHINE_VERSION",
    "FLY_PRIVATE_IP",
    "FLY_PROCESS_GROUP",
    "FLY_PUBLIC_IP",
    "FLY_REGION",
    "FLY_VM_MEMORY_MB",
    "PRIMARY_REGION",
];

/// What the platform injects.
pub(super) const RESERVED: ReservedNames = ReservedNames {
    names: NAMES,
    prefixes: &[],
    behind: &[],
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_runtimes_own_names() {
        for key in ["FLY_APP_NAME", "FLY_REGION", "PRIMARY_REGION"] {
            assert!(RESERVED.has(key), "{key}");
        }
        for key in ["FLY_API_TOKEN", "FLY_", "fly_region", "MY_FLY_REGION"] {
            assert!(!RESERVED.has(key), "{key}");
        }
    }
}
