//! Random cases. Few keys, values and places, so that they meet.

use std::collections::{BTreeMap, BTreeSet};

use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use proptest::sample::{select, subsequence};

use crate::case::{Case, Direction, Fault, Kind, On, Row, Slot, Switch, Value, What};
use crate::model::is_public;

const KEYS: [&str; 6] = ["A", "B", "C", "D", "VITE_E", "NEXT_PUBLIC_F"];
const RESERVED: [&str; 3] = ["TZ", "VERCEL_URL", "NEXT_PUBLIC_VERCEL_ENV"];
/// Names that a provider may have and the vault does not take.
const ODD: [&str; 2] = ["1ST", "WITH-DASH"];
const SHARED: [Slot; 5] = [
    Slot::Production,
    Slot::Preview,
    Slot::Development,
    Slot::CustomA,
    Slot::CustomB,
];

fn key() -> impl Strategy<Value = String> {
    prop_oneof![12 => select(&KEYS[..]), 1 => select(&RESERVED[..])].prop_map(str::to_owned)
}

fn value() -> impl Strategy<Value = Value> {
    select(Value::ALL)
}

fn values(most: usize) -> impl Strategy<Value = BTreeMap<String, Value>> {
    btree_map(key(), value(), 0..=most)
}

fn slots() -> impl Strategy<Value = BTreeSet<Slot>> {
    prop_oneof![
        4 => subsequence(&SHARED[..], 1..=4).prop_map(|slots| slots.into_iter().collect()),
        1 => select(&[Slot::BranchX, Slot::BranchY][..]).prop_map(|slot| BTreeSet::from([slot])),
    ]
}

fn row() -> impl Strategy<Value = Row> {
    let kind = prop_oneof![
        3 => Just(Kind::Encrypted),
        2 => Just(Kind::Plain),
        2 => Just(Kind::Sensitive),
        1 => Just(Kind::Opaque),
        1 => Just(Kind::System),
    ];
    let key = prop_oneof![14 => key(), 1 => select(&ODD[..]).prop_map(str::to_owned)];
    let integration = proptest::bool::weighted(0.15);
    (key, value(), kind, slots(), integration).prop_map(|(key, value, kind, slots, integration)| {
        Row {
            value,
            // What browsers get to see cannot be made a secret.
            kind: match kind {
                Kind::Sensitive if is_public(&key) => Kind::Encrypted,
                kind => kind,
            },
            key,
            slots,
            integration,
        }
    })
}

/// Takes away what another row of the key has already: (key, place) is unique.
fn distinct(rows: Vec<Row>) -> Vec<Row> {
    let mut taken: BTreeSet<(String, Slot)> = BTreeSet::new();
    let mut kept = Vec::new();
    for mut row in rows {
        row.slots
            .retain(|slot| taken.insert((row.key.clone(), *slot)));
        if !row.slots.is_empty() {
            kept.push(row);
        }
    }
    kept
}

fn fault() -> impl Strategy<Value = Fault> {
    let on = prop_oneof![1 => Just(On::Read), 2 => Just(On::Write)];
    let times = prop_oneof![6 => Just(1_usize), 1 => 2_usize..7];
    let what = select(What::ALL);
    // Most syncs make few calls.
    let from = prop_oneof![4 => Just(0), 3 => Just(1), 2 => Just(2), 2 => 3_usize..7];
    (on, from, times, what).prop_map(|(on, from, times, what)| Fault {
        on,
        from,
        // A job that kills its worker three times in a row is not run again.
        times: if what.is_crash() { 1 } else { times },
        what,
    })
}

fn switches(direction: Direction) -> impl Strategy<Value = BTreeSet<Switch>> {
    let often = |switch: Switch, chance: f64| {
        proptest::bool::weighted(chance).prop_map(move |on| on.then_some(switch))
    };
    let delete = prop_oneof![
        2 => Just(None),
        3 => Just(Some(Switch::DeleteAll)),
        2 => Just(Some(Switch::DeleteManaged)),
    ];
    let conflicts = if direction == Direction::Pull {
        0.3
    } else {
        0.0
    };
    let request = (
        delete,
        often(Switch::Confirm, 0.3),
        often(Switch::KeepConflicts, conflicts),
        often(Switch::NewSensitive, 0.3),
        often(Switch::ByName, 0.25),
        often(Switch::BySlug, 0.5),
    );
    let course = (
        often(Switch::PreviewFirst, 0.3),
        often(Switch::Twin, 0.15),
        often(Switch::SavedPlan, 0.15),
    );
    let rules = (
        often(Switch::SmallPages, 0.2),
        often(Switch::SmallBatches, 0.2),
        often(Switch::HideProduction, 0.07),
        often(Switch::DevelopmentReadable, 0.3),
        often(Switch::AllFailed400, 0.3),
        often(Switch::Delete404, 0.5),
    );
    (request, course, rules).prop_map(|(request, course, rules)| {
        let switches = [
            vec![request.0, request.1, request.2],
            vec![request.3, request.4, request.5],
            vec![course.0, course.1, course.2],
            vec![rules.0, rules.1, rules.2, rules.3, rules.4, rules.5],
        ];
        switches.into_iter().flatten().flatten().collect()
    })
}

/// Any case of a direction.
pub(crate) fn case(direction: Direction) -> impl Strategy<Value = Case> {
    let slot = prop_oneof![
        4 => Just(Slot::Production),
        2 => Just(Slot::Preview),
        2 => Just(Slot::Development),
        2 => Just(Slot::CustomA),
        2 => Just(Slot::BranchX),
    ];
    let past = prop_oneof![
        3 => Just((BTreeMap::new(), BTreeMap::new())),
        3 => values(4).prop_map(|earlier| (earlier, BTreeMap::new())),
        1 => (values(3), values(2)),
    ];
    let edits = btree_map(key(), proptest::option::weighted(0.6, value()), 0..3);
    let faults = prop_oneof![
        1 => Just(Vec::new()),
        3 => vec(fault(), 1..5),
    ];
    (
        slot,
        switches(direction),
        values(6),
        vec(row(), 0..9),
        past,
        edits,
        faults,
    )
        .prop_map(
            move |(slot, with, vault, rows, (earlier, rival), edits, faults)| {
                let mut case = Case {
                    direction,
                    slot,
                    with,
                    vault,
                    earlier,
                    rival,
                    rows: distinct(rows),
                    edits,
                    faults,
                };
                tidy(&mut case);
                case
            },
        )
}

/// Leaves out what would say nothing.
fn tidy(case: &mut Case) {
    if !case.slot.is_custom() {
        case.with.remove(&Switch::BySlug);
    }
    if case.slot != Slot::Development {
        case.with.remove(&Switch::DevelopmentReadable);
    }
    // A plan is used once.
    if case.is(Switch::Twin) {
        case.with.remove(&Switch::SavedPlan);
    }
    if case.is(Switch::SavedPlan) {
        case.with.insert(Switch::PreviewFirst);
    }
    if !case.deletes() {
        case.with.remove(&Switch::Confirm);
    }
    // Whether a value that nobody can read, and that we once wrote, is a source is open.
    if case.direction == Direction::Pull {
        case.rows
            .retain(|row| row.kind != Kind::Opaque || !case.earlier.contains_key(&row.key));
    }
    // A credential that is refused everywhere is dead, and stays so.
    case.faults
        .retain(|fault| fault.what != What::Forbidden || fault.on == On::Write);
    let mut crashes = 0;
    case.faults.retain(|fault| {
        crashes += usize::from(fault.what.is_crash());
        !fault.what.is_crash() || crashes <= 2
    });
}
