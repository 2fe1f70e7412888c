//! Values that refer to other variables at the provider.

use super::{WarningCode, keys_with};
use crate::sync::plan::{Action, Plan, Reason};
use crate::sync::planner::Inputs;
use crate::sync::remote::RemoteValue;

/// What a push does about values that refer to other variables at the provider, on either side.
pub(super) fn references(
    inputs: &Inputs<'_>,
    plan: &Plan,
    warn: &mut impl FnMut(WarningCode, String, Vec<String>),
) {
    let left_out = keys_with(plan, |_, reason| reason == Reason::Reference);
    if !left_out.is_empty() {
        let message =
            "Their values refer to other variables at the provider, and are left out, and \
                       with them every deletion: a sync writes them where allowReferences says \
                       that this is meant."
                .to_owned();
        warn(WarningCode::Reference, message, left_out);
    }
    let rows = inputs.view.at(inputs.destination);
    let replaced = plan.with(Action::Update).filter(|planned| {
        let ours = inputs.vault.values.get(&planned.key);
        let theirs = rows.get(planned.key.as_str()).map(|row| &row.value);
        match (ours, theirs) {
            (Some(ours), Some(RemoteValue::Known(theirs))) => {
                inputs.refers(theirs) && !inputs.refers(ours)
            }
            _ => false,
        }
    });
    let replaced: Vec<_> = replaced.map(|planned| planned.key.clone()).collect();
    if !replaced.is_empty() {
        let message = "Refer to other variables at the provider, and would be overwritten with \
                       values that do not."
            .to_owned();
        warn(WarningCode::ReplacesReference, message, replaced);
    }
}
