//! Syncs of a vault environment with a destination, and what is read before one. All run as jobs.

pub(super) mod diff;
pub(super) mod fields;
pub(crate) mod open;
pub(super) mod preview;
pub(crate) mod report;
pub(super) mod run;
pub(super) mod selection;
pub(super) mod status;

use keyway_shared::domain::account::Scope;
use keyway_shared::sync::options::Direction;

/// The scopes that writing in this direction needs.
pub(crate) fn scopes(direction: Direction, allow_delete: bool) -> Vec<Scope> {
    let mut scopes = vec![match direction {
        Direction::Push => Scope::ReadSecrets,
        Direction::Pull => Scope::WriteSecrets,
    }];
    if allow_delete {
        scopes.push(Scope::DeleteSecrets);
    }
    scopes
}

/// The scopes that looking needs.
pub(crate) fn read_scopes() -> Vec<Scope> {
    vec![Scope::ReadSecrets]
}
