//! What somebody may do with an environment of a vault, and where its secrets may go. The one place
//! that decides: requests ask here, and jobs again at each of their starts.

use serde::{Deserialize, Serialize};

use super::account::KeyEnvironment;
use super::job::JobKind;
use super::vault::{Environment, EnvironmentKind, Role};
use super::words;
use crate::sync::options::{Direction, SyncRequest};

words! {
    /// What is done with the secrets of an environment. Ordered: whoever may change them may see them.
    pub enum Access {
        /// See values; push them to a provider.
        Read = "read",
        /// Change them; pull from a provider.
        Write = "write",
    }
}

/// The least roles that may use an environment, whatever more a role may do in the vault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct EnvironmentRules {
    /// See values; push them to a provider.
    pub read: Role,
    /// Change them; pull from a provider; delete at a provider what the environment does not have.
    pub write: Role,
}

impl Default for EnvironmentRules {
    fn default() -> Self {
        Self {
            read: Role::Read,
            write: Role::Write,
        }
    }
}

impl EnvironmentRules {
    /// Whether they make sense: the role `read` changes nothing, and nobody changes what they may not
    /// see.
    pub fn are_sound(self) -> bool {
        self.write >= Role::Write && self.write >= self.read
    }

    /// The least role that may.
    pub const fn needs(self, access: Access) -> Role {
        match access {
            Access::Read => self.read,
            Access::Write => self.write,
        }
    }
}

/// Somebody who asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Asker {
    /// The role in the vault.
    pub role: Role,
    /// The world of the API key that is asked with, if it is one.
    pub key: Option<KeyEnvironment>,
}

/// Why not.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Denied {
    /// The role is not enough for this environment.
    #[error("This needs the role {needed} in the environment {environment}; your role is {own}")]
    Role {
        /// The environment's name.
        environment: String,
        /// The least role that may.
        needed: Role,
        /// The role of who asks.
        own: Role,
    },
    /// A test key was to touch production.
    #[error("A test key (kw_test_…) cannot touch a production environment. Use a live key")]
    TestKey,
    /// Secrets were to go where more care is taken than where they come from.
    #[error(
        "Syncing from {from} to {to} requires admin role. Your role ({own}) cannot escalate secrets \
         to a more protected environment."
    )]
    Escalation {
        /// Name of the environment that is copied from.
        from: String,
        /// Name of the environment that is copied to.
        to: String,
        /// The role of who asks.
        own: Role,
    },
}

impl EnvironmentKind {
    /// The kind that the name of a provider's environment suggests.
    pub fn of_remote(name: &str) -> Self {
        Self::from_name(&name.to_ascii_lowercase())
    }
}

impl Asker {
    /// Whether the environment may be used so.
    pub fn may(self, access: Access, environment: &Environment) -> Result<(), Denied> {
        self.may_touch(environment.kind)?;
        let needed = environment.rules.needs(access);
        if self.role < needed {
            return Err(Denied::Role {
                environment: environment.name.clone(),
                needed,
                own: self.role,
            });
        }
        Ok(())
    }

    /// Whether a job of this kind may be run for the environment.
    pub fn may_run(
        self,
        kind: JobKind,
        request: &SyncRequest,
        environment: &Environment,
    ) -> Result<(), Denied> {
        let remote = EnvironmentKind::of_remote(&request.provider_environment);
        self.judge(kind, request, environment, Some(remote))
    }

    /// The same, where the provider's environment was given by an id: what nobody knows the name of is
    /// taken for what it must not be.
    pub fn may_run_unnamed(
        self,
        kind: JobKind,
        request: &SyncRequest,
        environment: &Environment,
    ) -> Result<(), Denied> {
        self.judge(kind, request, environment, None)
    }

    fn judge(
        self,
        kind: JobKind,
        request: &SyncRequest,
        environment: &Environment,
        remote: Option<EnvironmentKind>,
    ) -> Result<(), Denied> {
        self.may_touch(remote.unwrap_or(EnvironmentKind::Protected))?;
        let writes = kind == JobKind::Sync;
        let pulls = request.direction == Direction::Pull;
        self.may(Access::Read, environment)?;
        if writes && (pulls || request.allow_delete) {
            self.may(Access::Write, environment)?;
        }
        if !writes || self.role == Role::Admin {
            return Ok(());
        }
        let (ours, theirs) = (&environment.name, &request.provider_environment);
        let (rises, from, to) = if pulls {
            let source = remote.unwrap_or(EnvironmentKind::Development);
            (environment.kind > source, theirs, ours)
        } else {
            let target = remote.unwrap_or(EnvironmentKind::Protected);
            (target > environment.kind, ours, theirs)
        };
        if rises {
            return Err(Denied::Escalation {
                from: from.clone(),
                to: to.clone(),
                own: self.role,
            });
        }
        Ok(())
    }

    fn may_touch(self, kind: EnvironmentKind) -> Result<(), Denied> {
        may_touch(self.key, kind)
    }
}

/// Test keys never touch production, whatever their user's role.
pub fn may_touch(key: Option<KeyEnvironment>, kind: EnvironmentKind) -> Result<(), Denied> {
    if key == Some(KeyEnvironment::Test) && kind == EnvironmentKind::Protected {
        return Err(Denied::TestKey);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;
    use uuid::Uuid;

    use super::*;

    fn environment(name: &str, rules: EnvironmentRules) -> Environment {
        Environment {
            id: Uuid::nil(),
            vault_id: Uuid::nil(),
            name: name.to_owned(),
            kind: EnvironmentKind::from_name(name),
            rules,
            display_order: 0,
            revision: 0,
            created_at: DateTime::UNIX_EPOCH,
        }
    }

    fn asker(role: Role) -> Asker {
        Asker { role, key: None }
    }

    fn request(ours: &str, theirs: &str, direction: Direction) -> SyncRequest {
        SyncRequest::new("prj_1", ours, theirs, direction)
    }

    const READERS: EnvironmentRules = EnvironmentRules {
        read: Role::Read,
        write: Role::Admin,
    };
    const ADMINS: EnvironmentRules = EnvironmentRules {
        read: Role::Admin,
        write: Role::Admin,
    };

    #[test]
    fn rules_are_sound_when_nobody_changes_what_they_do_not_see() {
        for (read, write, sound) in [
            (Role::Read, Role::Write, true),
            (Role::Read, Role::Admin, true),
            (Role::Write, Role::Write, true),
            (Role::Admin, Role::Admin, true),
            (Role::Admin, Role::Write, false),
            (Role::Read, Role::Read, false),
        ] {
            assert_eq!(EnvironmentRules { read, write }.are_sound(), sound);
        }
        assert!(EnvironmentRules::default().are_sound());
    }

    #[test]
    fn each_access_needs_its_role() {
        let open = EnvironmentRules::default();
        for (rules, reads, writes) in [
            (open, [true, true, true], [false, true, true]),
            (READERS, [true, true, true], [false, false, true]),
            (ADMINS, [false, false, true], [false, false, true]),
        ] {
            let environment = environment("staging", rules);
            for (at, role) in Role::ALL.iter().enumerate() {
                let asker = asker(*role);
                assert_eq!(asker.may(Access::Read, &environment).is_ok(), reads[at]);
                assert_eq!(asker.may(Access::Write, &environment).is_ok(), writes[at]);
            }
        }
        let denied = asker(Role::Write).may(Access::Write, &environment("production", READERS));
        assert_eq!(
            denied.unwrap_err().to_string(),
            "This needs the role admin in the environment production; your role is write"
        );
    }

    #[test]
    fn a_push_reads_and_a_pull_or_a_deletion_writes() {
        let production = environment("production", READERS);
        let push = request("production", "production", Direction::Push);
        let pull = request("production", "production", Direction::Pull);
        let deleting = SyncRequest {
            allow_delete: true,
            ..push.clone()
        };
        let writer = asker(Role::Write);
        for kind in [JobKind::Preview, JobKind::Diff, JobKind::Status] {
            for request in [&push, &pull, &deleting] {
                assert_eq!(writer.may_run(kind, request, &production), Ok(()));
            }
        }
        assert_eq!(writer.may_run(JobKind::Sync, &push, &production), Ok(()));
        for request in [&pull, &deleting] {
            writer
                .may_run(JobKind::Sync, request, &production)
                .unwrap_err();
            assert_eq!(
                asker(Role::Admin).may_run(JobKind::Sync, request, &production),
                Ok(())
            );
        }
        let closed = environment("production", ADMINS);
        for kind in [JobKind::Preview, JobKind::Sync] {
            writer.may_run(kind, &push, &closed).unwrap_err();
        }
    }

    #[test]
    fn only_an_admin_takes_secrets_to_where_more_care_is_taken() {
        let open = EnvironmentRules::default();
        for (ours, theirs, push, pull) in [
            ("production", "production", true, true),
            ("production", "preview", true, false),
            ("staging", "preview", true, true),
            ("staging", "production", false, true),
            ("staging", "Production", false, true),
            ("staging", "development", true, false),
            ("development", "development", true, true),
            ("development", "preview", false, true),
            ("qa", "main", false, true),
        ] {
            let environment = environment(ours, open);
            for (direction, allowed) in [(Direction::Push, push), (Direction::Pull, pull)] {
                let request = request(ours, theirs, direction);
                let may = |role| asker(role).may_run(JobKind::Sync, &request, &environment);
                assert_eq!(
                    may(Role::Write).is_ok(),
                    allowed,
                    "{direction} {ours} {theirs}"
                );
                assert_eq!(may(Role::Admin), Ok(()));
                let look = asker(Role::Write).may_run(JobKind::Preview, &request, &environment);
                assert_eq!(look, Ok(()));
            }
        }
        let staging = environment("staging", open);
        let denied = asker(Role::Write).may_run(
            JobKind::Sync,
            &request("staging", "production", Direction::Push),
            &staging,
        );
        assert_eq!(
            denied.unwrap_err().to_string(),
            "Syncing from staging to production requires admin role. Your role (write) cannot \
             escalate secrets to a more protected environment."
        );
    }

    #[test]
    fn what_has_no_name_is_taken_for_the_worst() {
        let open = EnvironmentRules::default();
        let staging = environment("staging", open);
        let test = Asker {
            role: Role::Admin,
            key: Some(KeyEnvironment::Test),
        };
        for direction in [Direction::Push, Direction::Pull] {
            let request = request("staging", "env_1", direction);
            let run = |asker: Asker| {
                let named = asker.may_run(JobKind::Sync, &request, &staging);
                let unnamed = asker.may_run_unnamed(JobKind::Sync, &request, &staging);
                (named.is_ok(), unnamed.is_ok())
            };
            assert_eq!(run(asker(Role::Write)), (true, false));
            assert_eq!(run(asker(Role::Admin)), (true, true));
            assert_eq!(run(test), (true, false));
        }
    }

    #[test]
    fn a_test_key_touches_no_production() {
        let open = EnvironmentRules::default();
        let test = Asker {
            role: Role::Admin,
            key: Some(KeyEnvironment::Test),
        };
        let live = Asker {
            key: Some(KeyEnvironment::Live),
            ..test
        };
        for (ours, theirs, allowed) in [
            ("staging", "preview", true),
            ("staging", "production", false),
            ("production", "preview", false),
            ("production", "production", false),
            ("staging", "PROD", false),
        ] {
            let environment = environment(ours, open);
            for kind in [JobKind::Status, JobKind::Sync] {
                let request = request(ours, theirs, Direction::Push);
                let denied = test.may_run(kind, &request, &environment);
                assert_eq!(denied.is_ok(), allowed, "{ours} {theirs}");
                assert_eq!(live.may_run(kind, &request, &environment), Ok(()));
            }
        }
        let production = environment("production", open);
        assert_eq!(test.may(Access::Read, &production), Err(Denied::TestKey));
    }
}
