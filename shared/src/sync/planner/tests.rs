mod references;
mod saved;
mod warnings;

use super::*;
use crate::sync::options::SyncRequest;

/// A plan's world, built up by each test.
struct World {
    request: SyncRequest,
    automatic: bool,
    vault: VaultSnapshot,
    view: RemoteView,
    fingerprints: BTreeMap<String, Fingerprint>,
    managed: BTreeSet<String>,
    foreign: BTreeSet<String>,
    limits: Limits,
    reference: Option<&'static str>,
    delete_deploys: bool,
}

fn destination() -> Destination {
    Destination {
        project_id: "prj_1".into(),
        owner_id: None,
        service_id: None,
        scope: "production".into(),
        custom: false,
        branch: None,
    }
}

fn mac(key: &str, value: &Secret) -> [u8; 32] {
    use sha2::{Digest, Sha256};
    Sha256::digest(format!("{key}={}", value.expose())).into()
}

fn row(key: &str, value: RemoteValue) -> RemoteRow {
    RemoteRow {
        id: format!("id-{key}"),
        key: key.into(),
        scopes: ["production".to_owned()].into(),
        branch: None,
        value,
        stamp: Some("1".into()),
        kind: "encrypted".into(),
        owner: RowOwner::People,
    }
}

fn known(value: &str) -> RemoteValue {
    RemoteValue::Known(Secret::new(value))
}

impl World {
    fn new(direction: Direction) -> Self {
        Self {
            request: SyncRequest::new("prj_1", "production", "production", direction),
            automatic: false,
            vault: VaultSnapshot::default(),
            view: RemoteView::default(),
            fingerprints: BTreeMap::new(),
            managed: BTreeSet::new(),
            foreign: BTreeSet::new(),
            limits: Limits {
                max_variables: Some(1000),
                deployment_bytes: Some(65_536),
                edge_bytes: Some(5_120),
                public_prefixes: &["NEXT_PUBLIC_"],
            },
            reference: None,
            delete_deploys: false,
        }
    }

    fn vault(mut self, key: &str, value: &str) -> Self {
        self.vault.values.insert(key.into(), Secret::new(value));
        self
    }

    fn remote(mut self, row: RemoteRow) -> Self {
        self.view.rows.push(row);
        self
    }

    fn delete(mut self) -> Self {
        self.request.allow_delete = true;
        self
    }

    fn fingerprint(mut self, key: &str, value: &str, stamp: &str) -> Self {
        self.fingerprints.insert(
            key.into(),
            Fingerprint {
                key: key.into(),
                remote_id: format!("id-{key}"),
                stamp: stamp.into(),
                mac: mac(key, &Secret::new(value)).to_vec(),
            },
        );
        self
    }

    fn with<T>(&self, f: impl FnOnce(&Inputs<'_>) -> T) -> T {
        let destination = destination();
        let filter = KeyFilter::of(&self.request).unwrap();
        f(&Inputs {
            request: &self.request,
            filter: &filter,
            automatic: self.automatic,
            vault: &self.vault,
            view: &self.view,
            destination: &destination,
            fingerprints: &self.fingerprints,
            mac: &mac,
            managed: &self.managed,
            foreign: &self.foreign,
            rules: Rules {
                reserved: ReservedNames {
                    names: &["TZ"],
                    prefixes: &["VERCEL_"],
                    behind: &[],
                },
                allows: names::is_secret_name,
                reference: self.reference,
                delete_deploys: self.delete_deploys,
                limits: self.limits,
            },
        })
    }

    /// `KEY action reason` for each key.
    fn plan(&self) -> Vec<String> {
        self.with(plan)
            .plan
            .keys
            .iter()
            .map(|planned| format!("{} {} {}", planned.key, planned.action, planned.reason))
            .collect()
    }

    fn refusal(&self) -> Option<Refusal> {
        self.with(plan).refusal
    }

    fn reads(&self) -> Vec<String> {
        self.with(|inputs| {
            unverified(inputs)
                .into_iter()
                .map(|row| row.key.clone())
                .collect()
        })
    }
}

#[test]
fn push_follows_the_table_in_byte_order() {
    let world = World::new(Direction::Push)
        .vault("b_new", "1")
        .vault("SAME", "1")
        .vault("DIFFERENT", "1")
        .vault("EMPTY", "")
        .vault("SECRET", "1")
        .vault("TZ", "UTC")
        .remote(row("SAME", known("1")))
        .remote(row("DIFFERENT", known("2")))
        .remote(row("SECRET", RemoteValue::Unreadable))
        .remote(row("EXTRA", known("1")));
    assert_eq!(
        world.plan(),
        [
            "DIFFERENT update changed",
            "EMPTY create missing",
            "SAME skip unchanged",
            "SECRET update unverifiable",
            "TZ skip reserved",
            "b_new create missing",
        ]
    );
    assert_eq!(
        world.delete().plan()[2..3],
        ["EXTRA delete extra".to_owned()]
    );
}

#[test]
fn a_fingerprint_answers_for_values_that_are_not_read() {
    for value in [RemoteValue::Unread, RemoteValue::Unreadable] {
        let world = World::new(Direction::Push)
            .vault("KEY", "1")
            .remote(row("KEY", value));
        let same = world.fingerprint("KEY", "1", "1");
        assert_eq!(same.plan(), ["KEY skip unchanged"]);
        assert!(same.reads().is_empty());
        let other = same.fingerprint("KEY", "2", "1");
        assert_eq!(other.plan(), ["KEY update changed"]);
        let stale = other.fingerprint("KEY", "1", "0");
        assert_eq!(stale.plan(), ["KEY update unverifiable"]);
    }
}

#[test]
fn only_values_that_matter_are_read() {
    let world = World::new(Direction::Push)
        .vault("BOTH", "1")
        .vault("TZ", "1")
        .remote(row("BOTH", RemoteValue::Unread))
        .remote(row("EXTRA", RemoteValue::Unread))
        .remote(row("SECRET", RemoteValue::Unreadable))
        .remote(row("TZ", RemoteValue::Unread));
    assert_eq!(world.reads(), ["BOTH"]);

    let world = World::new(Direction::Pull)
        .vault("SAME", "1")
        .vault("OLD", "1")
        .remote(row("SAME", RemoteValue::Unread))
        .remote(row("OLD", RemoteValue::Unread))
        .remote(row("NEW", RemoteValue::Unread))
        .remote(row("bad-name", RemoteValue::Unread))
        .fingerprint("SAME", "1", "1")
        .fingerprint("OLD", "2", "1");
    assert_eq!(world.reads(), ["NEW", "OLD"]);
}

#[test]
fn rows_of_other_environments_and_branches_are_not_seen() {
    let mut preview = row("PREVIEW", known("1"));
    preview.scopes = ["preview".to_owned()].into();
    let mut branch = row("BRANCH", known("1"));
    branch.branch = Some("main".into());
    let mut shared = row("SHARED", known("1"));
    shared.scopes.insert("preview".into());
    let world = World::new(Direction::Push)
        .vault("KEY", "1")
        .remote(preview)
        .remote(branch)
        .remote(shared)
        .delete();
    assert_eq!(world.plan(), ["KEY create missing", "SHARED delete extra"]);
}

#[test]
fn protected_rows_are_never_deleted() {
    let mut integration = row("INTEGRATION", known("1"));
    integration.owner = RowOwner::Integration;
    let mut platform = row("PLATFORM", known(""));
    platform.owner = RowOwner::Platform;
    let mut world = World::new(Direction::Push)
        .vault("KEY", "1")
        .remote(integration)
        .remote(platform)
        .remote(row("OTHER_VAULT", known("1")))
        .remote(row("VERCEL_URL", known("1")))
        .delete();
    world.foreign.insert("OTHER_VAULT".into());
    assert_eq!(
        world.plan(),
        [
            "INTEGRATION skip protected",
            "KEY create missing",
            "OTHER_VAULT skip protected",
            "PLATFORM skip reserved",
            "VERCEL_URL skip reserved",
        ]
    );
}

#[test]
fn managed_scope_deletes_only_what_the_vault_wrote() {
    let mut world = World::new(Direction::Push)
        .vault("KEY", "1")
        .remote(row("OURS", RemoteValue::Unreadable))
        .remote(row("THEIRS", known("1")))
        .delete();
    world.request.delete_scope = DeleteScope::Managed;
    world.managed.insert("OURS".into());
    assert_eq!(
        world.plan(),
        [
            "KEY create missing",
            "OURS delete extra",
            "THEIRS skip not-managed",
        ]
    );
}

#[test]
fn an_automatic_run_deletes_little_and_nothing_that_cannot_be_brought_back() {
    let mut world = World::new(Direction::Push)
        .vault("KEY", "1")
        .remote(row("SECRET", RemoteValue::Unreadable))
        .delete();
    world.automatic = true;
    assert!(world.plan().contains(&"SECRET skip protected".to_owned()));
    for n in 0..11 {
        world = world.remote(row(&format!("EXTRA{n}"), known("1")));
    }
    assert_eq!(
        world.refusal(),
        Some(Refusal::TooManyDeletes {
            planned: 11,
            allowed: 10
        })
    );
    world.automatic = false;
    assert_eq!(world.refusal(), None);
}

#[test]
fn an_empty_source_must_be_confirmed() {
    for direction in [Direction::Push, Direction::Pull] {
        let mut world = World::new(direction).delete();
        assert_eq!(world.refusal(), Some(Refusal::EmptySource));
        world.request.confirm_empty_source = true;
        assert_eq!(world.refusal(), None);
    }
    let reserved_only = World::new(Direction::Push).vault("TZ", "UTC").delete();
    assert_eq!(reserved_only.refusal(), Some(Refusal::EmptySource));
    let unreadable_only = World::new(Direction::Pull)
        .remote(row("KEY", RemoteValue::Unreadable))
        .delete();
    assert_eq!(unreadable_only.refusal(), Some(Refusal::EmptySource));
}

#[test]
fn a_damaged_vault_row_refuses_the_sync_and_deletes_nothing() {
    let mut world = World::new(Direction::Push)
        .vault("KEY", "1")
        .remote(row("BROKEN", known("1")))
        .delete();
    world.vault.corrupt.push("BROKEN".into());
    assert_eq!(
        world.refusal(),
        Some(Refusal::VaultCorrupt(vec!["BROKEN".into()]))
    );
    assert_eq!(world.plan(), ["KEY create missing"]);
}

#[test]
fn an_incomplete_view_is_not_taken_for_absence() {
    let mut world = World::new(Direction::Push)
        .vault("HERE", "1")
        .vault("MAYBE", "1")
        .remote(row("HERE", known("2")))
        .remote(row("EXTRA", known("1")))
        .delete();
    world.view.incomplete = Some("hidden".into());
    assert_eq!(
        world.plan(),
        [
            "EXTRA skip incomplete-view",
            "HERE update changed",
            "MAYBE skip incomplete-view",
        ]
    );
    world.request.direction = Direction::Pull;
    assert_eq!(
        world.plan(),
        [
            "EXTRA create missing",
            "HERE update changed",
            "MAYBE skip incomplete-view",
        ]
    );
}

#[test]
fn pull_follows_the_table() {
    let mut world = World::new(Direction::Pull)
        .vault("SAME", "1")
        .vault("DIFFERENT", "1")
        .vault("SECRET", "1")
        .vault("GONE", "1")
        .remote(row("SAME", known("1")))
        .remote(row("DIFFERENT", known("2")))
        .remote(row("SECRET", RemoteValue::Unreadable))
        .remote(row("NEW", known("")))
        .remote(row("bad-name", known("1")))
        .remote(row("VERCEL_URL", known("1")));
    assert_eq!(
        world.plan(),
        [
            "DIFFERENT update changed",
            "NEW create missing",
            "SAME skip unchanged",
            "SECRET skip unreadable",
            "VERCEL_URL skip reserved",
            "bad-name skip invalid-name",
        ]
    );
    world.request.on_conflict = OnConflict::Skip;
    assert_eq!(world.plan()[0], "DIFFERENT skip conflict-kept");
    assert!(
        world
            .delete()
            .plan()
            .contains(&"GONE delete extra".to_owned())
    );
}

#[test]
fn a_destination_that_would_overflow_is_refused() {
    let mut world = World::new(Direction::Push)
        .vault("A", "1")
        .vault("B", "1")
        .remote(row("C", known("1")));
    world.limits.max_variables = Some(2);
    assert_eq!(
        world.refusal(),
        Some(Refusal::TooManySecrets {
            planned: 3,
            allowed: 2
        })
    );
}

#[test]
fn what_a_filter_leaves_out_is_on_neither_side() {
    let mut world = World::new(Direction::Push)
        .vault("APP_KEEP", "1")
        .vault("APP_NEW", "1")
        .vault("OTHER", "1")
        .remote(row("APP_GONE", known("1")))
        .remote(row("APP_OLD_GONE", known("1")))
        .remote(row("APP_KEEP", RemoteValue::Unread))
        .remote(row("OTHER", RemoteValue::Unread))
        .remote(row("OTHER_GONE", known("1")))
        .delete();
    world.request.prefix = Some("APP_".into());
    world.request.exclude = Some(vec!["*_OLD_*".into()]);
    assert_eq!(
        world.plan(),
        [
            "APP_GONE delete extra",
            "APP_KEEP update unverifiable",
            "APP_NEW create missing",
        ]
    );
    assert_eq!(world.reads(), ["APP_KEEP"]);
    // A damaged row that does not take part stands in nobody's way.
    world.vault.corrupt.push("BROKEN".into());
    assert_eq!(world.refusal(), None);
    // The source is what is left of it.
    world.request.prefix = None;
    world.request.include = Some(vec!["NOTHING_*".into()]);
    assert_eq!(world.refusal(), Some(Refusal::EmptySource));
    world.request.direction = Direction::Pull;
    assert_eq!(world.refusal(), Some(Refusal::EmptySource));
    // What does not take part still counts where the target is full.
    world.request.direction = Direction::Push;
    world.request.include = Some(vec!["APP_NEW".into()]);
    world.limits.max_variables = Some(5);
    assert_eq!(
        world.refusal(),
        Some(Refusal::TooManySecrets {
            planned: 6,
            allowed: 5
        })
    );
}

#[test]
fn verifying_trusts_only_what_cannot_be_read() {
    let mut world = World::new(Direction::Push)
        .vault("READABLE", "1")
        .vault("SECRET", "1")
        .remote(row("READABLE", RemoteValue::Unread))
        .remote(row("SECRET", RemoteValue::Unreadable))
        .fingerprint("READABLE", "1", "1")
        .fingerprint("SECRET", "1", "1");
    assert!(world.reads().is_empty());
    world.request.verify = true;
    assert_eq!(world.reads(), ["READABLE"]);
    // Read, it turns out to be another value behind the same stamp.
    world.view.rows[0].value = known("2");
    assert_eq!(
        world.plan(),
        ["READABLE update changed", "SECRET skip unchanged"]
    );
}
