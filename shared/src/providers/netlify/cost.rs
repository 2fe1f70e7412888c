//! How many calls a plan takes: those of [`apply`](super::apply) when nothing stands in its way.

use super::ways::{Deletion, Ways, Write};
use crate::providers::{CallFamily, Cost};
use crate::sync::plan::{Action, Plan};
use crate::sync::remote::{Destination, RemoteView};

pub(super) fn of(view: &RemoteView, destination: &Destination, plan: &Plan) -> Cost {
    let ways = Ways::new(view, destination);
    let mut cost = Cost::default();
    let mut creates = false;
    for planned in &plan.keys {
        match planned.action {
            Action::Skip => {}
            Action::Create | Action::Update => match ways.write(&planned.key) {
                Write::New => creates = true,
                Write::Value => cost.add(CallFamily::Update, 1),
                Write::Shared => replaced(&mut cost),
            },
            Action::Delete => match ways.delete(&planned.key) {
                None => {}
                Some(Deletion::Value(_)) => cost.add(CallFamily::Delete, 1),
                Some(Deletion::Last) => {
                    cost.add(CallFamily::Read, 1);
                    cost.add(CallFamily::Delete, 1);
                }
                Some(Deletion::Shared) => replaced(&mut cost),
            },
        }
    }
    cost.add(CallFamily::Create, usize::from(creates));
    cost
}

/// It is read once more before it is replaced.
fn replaced(cost: &mut Cost) {
    cost.add(CallFamily::Read, 1);
    cost.add(CallFamily::Update, 1);
}
