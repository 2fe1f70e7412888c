//! What a deployment takes, against what it would get.

use std::collections::BTreeMap;

use super::WarningCode;
use crate::secret::Secret;
use crate::sync::plan::{Action, Plan, Planned, Reason};
use crate::sync::planner::Inputs;
use crate::sync::remote::RemoteValue;

/// Sizes of what the destination would hold after a push, as far as the values are known.
pub(super) fn sizes(
    inputs: &Inputs<'_>,
    plan: &Plan,
    warn: &mut impl FnMut(WarningCode, String, Vec<String>),
) {
    let limits = inputs.rules.limits;
    let rows = inputs.view.at(inputs.destination);
    let planned: BTreeMap<&str, &Planned> = plan
        .keys
        .iter()
        .map(|planned| (planned.key.as_str(), planned))
        .collect();
    let gone = |key: &str| {
        let planned = planned.get(key);
        planned.is_some_and(|planned| planned.action == Action::Delete)
    };
    // After the push the destination has the vault's value of these.
    let arrives = |key: &str| {
        let planned = planned.get(key);
        planned.is_some_and(|planned| {
            matches!(planned.action, Action::Create | Action::Update)
                || planned.reason == Reason::Unchanged
        })
    };
    let ours = || inputs.vault.values.iter().filter(|(key, _)| arrives(key));
    if let Some(most) = limits.deployment_bytes {
        let of_ours: usize = ours().map(|(key, value)| bytes(key, value)).sum();
        let (mut of_others, mut unknown) = (0, 0);
        for (key, row) in &rows {
            if arrives(key) || gone(key) {
                continue;
            }
            match &row.value {
                RemoteValue::Known(value) => of_others += bytes(key, value),
                RemoteValue::Unread | RemoteValue::Unreadable => unknown += 1,
            }
        }
        let total = of_ours + of_others;
        if total > most {
            let more = match unknown {
                0 => String::new(),
                1 => ", without one whose value is not known".to_owned(),
                n => format!(", without {n} whose values are not known"),
            };
            let message = format!(
                "Names and values together have {total} bytes{more}; a deployment with more than \
                 {most} bytes fails."
            );
            warn(WarningCode::TotalSize, message, Vec::new());
        }
    }
    if let Some(most) = limits.edge_bytes {
        let large = ours().filter(|(key, value)| bytes(key, value) > most);
        let keys: Vec<_> = large.map(|(key, _)| key.clone()).collect();
        if !keys.is_empty() {
            let message = format!(
                "More than {most} bytes: functions on the edge runtime cannot have such variables."
            );
            warn(WarningCode::EdgeSize, message, keys);
        }
    }
}

fn bytes(key: &str, value: &Secret) -> usize {
    key.len() + value.expose().len()
}
