//! What a plan costs in calls, and whether an account may make as many at once.

use std::collections::BTreeMap;
use std::time::Duration;

use super::capabilities::{Budgets, Writes};
use super::{CallFamily, Quota};
use crate::sync::plan::{Action, Plan};
use crate::sync::warnings::{Warning, WarningCode};

/// Calls, by what they are counted as.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Cost(BTreeMap<CallFamily, usize>);

impl Cost {
    /// So many more.
    pub fn add(&mut self, family: CallFamily, calls: usize) {
        if calls > 0 {
            *self.0.entry(family).or_default() += calls;
        }
    }

    /// The calls that carry a plan out where only the number of variables counts. Without a limit creates
    /// and updates are one call together.
    pub fn of(plan: &Plan, writes: &Writes) -> Self {
        let count = |action| plan.with(action).count();
        let (creates, updates) = (count(Action::Create), count(Action::Update));
        let mut cost = Self::default();
        if writes.creates_per_call.is_none() && writes.updates_per_call.is_none() {
            cost.add(CallFamily::Create, usize::from(creates + updates > 0));
        } else {
            cost.add(CallFamily::Create, calls(creates, writes.creates_per_call));
            cost.add(CallFamily::Update, calls(updates, writes.updates_per_call));
        }
        let deletes = calls(count(Action::Delete), writes.deletes_per_call);
        cost.add(CallFamily::Delete, deletes);
        cost
    }

    /// All of them.
    pub fn total(&self) -> usize {
        self.0.values().sum()
    }

    /// What there is to say where these are more than an account may make in one window. Where only the
    /// provider's answers tell how many those are, `told` is what the last one said.
    pub fn warning(&self, budgets: &Budgets, told: Quota) -> Option<Warning> {
        let message = match budgets {
            Budgets::Apart(budgets) => {
                let (family, calls, budget) = budgets.iter().find_map(|(family, budget)| {
                    let calls = self.0.get(family).copied().unwrap_or_default();
                    (calls > budget.calls as usize).then_some((family, calls, budget))
                })?;
                format!(
                    "A sync makes about {calls} calls of the kind {family}; the account may make {} of \
                     them in {}, so that it would wait.",
                    budget.calls,
                    words(budget.window)
                )
            }
            Budgets::Together(Some(budget)) => {
                let calls = self.total();
                (calls > budget.calls as usize).then(|| {
                    format!(
                        "A sync makes about {calls} calls; the account may make {} in {}, so that it \
                         would wait.",
                        budget.calls,
                        words(budget.window)
                    )
                })?
            }
            Budgets::Together(None) => {
                let (calls, left) = (self.total(), told.left?);
                (calls > left as usize).then(|| {
                    format!(
                        "A sync makes about {calls} calls; the account has {left} left for now, so \
                         that it would wait."
                    )
                })?
            }
        };
        Some(Warning {
            code: WarningCode::Budget,
            message,
            keys: Vec::new(),
        })
    }
}

/// Calls for so many variables.
fn calls(variables: usize, per_call: Option<u32>) -> usize {
    match per_call {
        None => usize::from(variables > 0),
        Some(most) => variables.div_ceil(most.max(1) as usize),
    }
}

fn words(window: Duration) -> String {
    match window.as_secs() {
        1 => "a second".to_owned(),
        60 => "a minute".to_owned(),
        3_600 => "an hour".to_owned(),
        seconds => format!("{seconds} seconds"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::gate::Budget;
    use crate::providers::capabilities::Effect;
    use crate::sync::plan::{Planned, Reason};

    const WRITES: Writes = Writes {
        creates_per_call: None,
        updates_per_call: None,
        deletes_per_call: None,
        effect: Effect::NextDeployment,
        delete_effect: Effect::NextDeployment,
        rollout: None,
        rollout_of: None,
    };

    const APART: Budgets = Budgets::Apart(&[
        (CallFamily::Read, Budget::a_minute(90)),
        (CallFamily::Delete, Budget::a_minute(10)),
    ]);

    fn plan(actions: &[(Action, usize)]) -> Plan {
        let planned = |action| Planned {
            key: String::new(),
            action,
            reason: Reason::Changed,
        };
        let keys = actions
            .iter()
            .flat_map(|(action, count)| std::iter::repeat_n(planned(*action), *count));
        Plan {
            keys: keys.collect(),
        }
    }

    #[test]
    fn only_numbers_count() {
        let plan = plan(&[
            (Action::Create, 3),
            (Action::Update, 5),
            (Action::Delete, 2),
            (Action::Skip, 9),
        ]);
        assert_eq!(Cost::of(&plan, &WRITES).total(), 2);
        let single = Writes {
            updates_per_call: Some(2),
            deletes_per_call: Some(1),
            ..WRITES
        };
        assert_eq!(Cost::of(&plan, &single).total(), 1 + 3 + 2);
        assert_eq!(Cost::of(&Plan::default(), &WRITES), Cost::default());
    }

    #[test]
    fn more_than_a_window_takes_is_told() {
        let mut cost = Cost::default();
        cost.add(CallFamily::Read, 90);
        cost.add(CallFamily::Delete, 11);
        let told = |budgets: &Budgets, left: Option<u32>| {
            let quota = Quota {
                left,
                ..Quota::default()
            };
            let warning = cost.warning(budgets, quota)?;
            assert_eq!(warning.code, WarningCode::Budget);
            Some(warning.message)
        };
        assert_eq!(
            told(&APART, None).unwrap(),
            "A sync makes about 11 calls of the kind delete; the account may make 10 of them in a \
             minute, so that it would wait."
        );
        let an_hour = |calls| {
            Budgets::Together(Some(Budget {
                calls,
                window: Duration::from_hours(1),
            }))
        };
        assert_eq!(told(&an_hour(101), Some(1)), None);
        assert_eq!(
            told(&an_hour(100), None).unwrap(),
            "A sync makes about 101 calls; the account may make 100 in an hour, so that it would wait."
        );
        let unknown = Budgets::Together(None);
        assert_eq!(told(&unknown, None), None);
        assert_eq!(told(&unknown, Some(101)), None);
        assert_eq!(
            told(&unknown, Some(100)).unwrap(),
            "A sync makes about 101 calls; the account has 100 left for now, so that it would wait."
        );
    }
}
