//! How many calls a plan takes: those of [`apply`](super::apply) when nothing stands in its way.

use super::apply::{SPLITS_AT_ONCE, Way, way};
use super::deletes::AT_ONCE;
use crate::providers::{CallFamily, Cost};
use crate::sync::plan::{Action, Plan};
use crate::sync::remote::{Destination, RemoteView};

pub(super) fn of(view: &RemoteView, destination: &Destination, plan: &Plan) -> Cost {
    let rows = view.at(destination);
    let (mut batched, mut edits, mut splits) = (0_usize, 0, 0_usize);
    let (mut exact, mut shared) = (0_usize, 0);
    for planned in &plan.keys {
        let row = rows.get(planned.key.as_str()).copied();
        match planned.action {
            Action::Skip => {}
            Action::Create | Action::Update => match way(row) {
                Way::Batch => batched += 1,
                Way::Edit => edits += 1,
                Way::Split => splits += 1,
            },
            Action::Delete => match row {
                Some(row) if row.scopes.len() > 1 => shared += 1,
                Some(_) => exact += 1,
                None => {}
            },
        }
    }
    // The batch goes with the first rows that are taken apart, and each round of those has one.
    let batches = splits.div_ceil(SPLITS_AT_ONCE);
    let batches = batches.max(usize::from(batched > 0));
    let mut cost = Cost::default();
    cost.add(CallFamily::Create, batches);
    cost.add(CallFamily::Update, edits + splits + shared);
    cost.add(CallFamily::Delete, exact.div_ceil(AT_ONCE));
    cost
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sync::plan::{Planned, Reason};
    use crate::sync::remote::{RemoteRow, RemoteValue, RowOwner};

    #[test]
    fn a_row_of_a_kind_that_the_batch_cannot_name_is_an_edit_of_its_own() {
        let destination = Destination {
            project_id: "prj_1".to_owned(),
            owner_id: None,
            service_id: None,
            scope: "production".to_owned(),
            custom: false,
            branch: None,
        };
        let row = |key: &str, kind: &str| RemoteRow {
            id: key.to_owned(),
            key: key.to_owned(),
            scopes: ["production".to_owned()].into(),
            branch: None,
            value: RemoteValue::Unread,
            stamp: None,
            kind: kind.to_owned(),
            owner: RowOwner::People,
        };
        let view = RemoteView {
            rows: vec![
                row("A", "plain"),
                row("B", "new-kind"),
                row("C", "new-kind"),
            ],
            incomplete: None,
        };
        let keys = ["A", "B", "C"].map(|key| Planned {
            key: key.to_owned(),
            action: Action::Update,
            reason: Reason::Changed,
        });
        let cost = of(&view, &destination, &Plan { keys: keys.into() });
        let mut expected = Cost::default();
        expected.add(CallFamily::Create, 1);
        expected.add(CallFamily::Update, 2);
        assert_eq!(cost, expected);
    }
}
