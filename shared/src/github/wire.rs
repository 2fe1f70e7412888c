//! What is read of GitHub's answers.

use serde::Deserialize;

use super::Repository;
use crate::domain::vault::Role;
use crate::secret::Secret;

#[derive(Debug, Deserialize)]
pub(super) struct User {
    pub id: i64,
    pub login: String,
}

/// What a code is exchanged for, or why not.
#[derive(Debug, Deserialize)]
pub(super) struct Exchange {
    pub access_token: Option<Secret>,
    pub refresh_token: Option<Secret>,
    /// Seconds.
    pub expires_in: Option<u64>,
    pub error: Option<String>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Repo {
    id: i64,
    /// True also for what is open to an enterprise only.
    #[serde(default)]
    private: bool,
    /// Left out when nobody asks.
    #[serde(default)]
    permissions: Permissions,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Permissions {
    admin: bool,
    maintain: bool,
    push: bool,
    triage: bool,
    pull: bool,
}

impl From<Repo> for Repository {
    fn from(repo: Repo) -> Self {
        let may = repo.permissions;
        let role = if may.admin {
            Some(Role::Admin)
        } else if may.maintain || may.push {
            Some(Role::Write)
        } else if may.triage || (may.pull && repo.private) {
            // Everybody may pull what is public: that says nothing about secrets.
            Some(Role::Read)
        } else {
            None
        };
        Self { id: repo.id, role }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn role(private: bool, permissions: &[&str]) -> Option<Role> {
        let given: serde_json::Map<_, _> = permissions
            .iter()
            .map(|name| ((*name).to_owned(), json!(true)))
            .collect();
        let repo = json!({ "id": 1, "private": private, "permissions": given });
        let repo: Repo = serde_json::from_value(repo).unwrap();
        Repository::from(repo).role
    }

    #[test]
    fn permissions_are_roles() {
        assert_eq!(role(true, &["admin", "push", "pull"]), Some(Role::Admin));
        assert_eq!(role(true, &["maintain", "pull"]), Some(Role::Write));
        assert_eq!(role(true, &["push", "pull"]), Some(Role::Write));
        assert_eq!(role(true, &["triage", "pull"]), Some(Role::Read));
        assert_eq!(role(true, &["pull"]), Some(Role::Read));
        assert_eq!(role(true, &[]), None);
        // What everybody may is no role.
        assert_eq!(role(false, &["pull"]), None);
        assert_eq!(role(false, &["triage", "pull"]), Some(Role::Read));
    }
}
