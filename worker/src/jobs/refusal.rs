//! Why a job cannot be done, as its end.

use keyway_shared::domain::access::Denied;
use keyway_shared::domain::job::ErrorCode;
use keyway_shared::sync::planner::Refusal;

use crate::engine::Failure;

/// A refusal as the end of a job. A run that `resumes` cannot say that nothing was written.
pub(super) fn refused(refusal: &Refusal, resumes: bool) -> Failure {
    let (code, mut message) = match refusal {
        Refusal::VaultCorrupt(keys) => (
            ErrorCode::VaultCorrupt,
            format!(
                "These secrets of the vault cannot be decrypted: {}.",
                keys.join(", ")
            ),
        ),
        Refusal::EmptySource => (
            ErrorCode::EmptySource,
            "The source has no secrets, and deletion is allowed: that would delete everything. \
             Confirm with confirmEmptySource."
                .to_owned(),
        ),
        Refusal::TooManyDeletes { planned, allowed } => (
            ErrorCode::TooManyDeletes,
            format!("An automatic sync would delete {planned} keys, and may delete {allowed}."),
        ),
        Refusal::TooManySecrets { planned, allowed } => (
            ErrorCode::TooManySecrets,
            format!("The target would hold {planned} variables, and takes at most {allowed}."),
        ),
    };
    if !resumes {
        message.push_str(" Nothing was written.");
    }
    Failure::Ended(code, message)
}

/// A saved plan that does not hold any more.
pub(super) fn plan_stale(keys: &[String]) -> Failure {
    const SHOWN: usize = 20;
    let mut names = keys[..keys.len().min(SHOWN)].join(", ");
    if keys.len() > SHOWN {
        names = format!("{names} and {} more", keys.len() - SHOWN);
    }
    let message =
        format!("Changed since the preview: {names}. Nothing was written; preview again.");
    Failure::Ended(ErrorCode::PlanStale, message)
}

/// The right to do it, or what it needs, is not there any more.
pub(super) fn gone(message: &str) -> Failure {
    Failure::Ended(ErrorCode::AuthorityGone, message.to_owned())
}

/// The right to do it is not there, or not any more. The same reasons as a request is refused for, in
/// words for whoever reads of the job later.
pub(super) fn denied(why: &Denied) -> Failure {
    match why {
        Denied::Role { .. } => gone(
            "The one who asked may no longer do this in the vault, or its environment is gone.",
        ),
        Denied::TestKey => gone(
            "It was asked for with a test key, and a test key cannot touch a production environment.",
        ),
        Denied::Escalation { from, to, .. } => gone(&format!(
            "Only an admin of the vault may sync from {from} to {to}, which is more protected."
        )),
    }
}
