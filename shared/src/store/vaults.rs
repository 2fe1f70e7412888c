//! Vaults and their members.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use sqlx::QueryBuilder;
use uuid::Uuid;

use super::github::BELIEVED;
use super::tx::{changed, current_member, on, one_row, word};
use super::{StoreError, Tx};
use crate::domain::link::Link;
use crate::domain::vault::{Environment, Member, Role, Vault, VaultAccess};

/// A vault as lists show it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VaultSummary {
    /// The vault and the caller's role.
    pub access: VaultAccess,
    /// Living secrets in all environments.
    pub secret_count: i64,
    /// Its environments, in order of display.
    pub environments: Vec<Environment>,
    /// Its links, oldest first.
    pub links: Vec<Link>,
}

/// The vaults that a user ($1) is a member of ($2: see [`Tx::members_at`]), with the role.
macro_rules! select_access {
    () => {
        concat!(
            "SELECT v.id, v.created_by, v.repo_owner, v.repo_name, v.created_at, v.updated_at, m.role
             FROM vaults v JOIN vault_members m ON m.vault_id = v.id AND m.user_id = $1 AND ",
            current_member!("$2"),
            " "
        )
    };
}

#[derive(sqlx::FromRow)]
struct AccessRow {
    id: Uuid,
    created_by: Uuid,
    repo_owner: String,
    repo_name: String,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
    role: String,
}

impl TryFrom<AccessRow> for VaultAccess {
    type Error = StoreError;

    fn try_from(row: AccessRow) -> Result<Self, StoreError> {
        Ok(Self {
            role: word(&row.role, "vault_members", "role", row.id)?,
            vault: Vault {
                id: row.id,
                created_by: row.created_by,
                repo_owner: row.repo_owner,
                repo_name: row.repo_name,
                created_at: row.created_at,
                updated_at: row.updated_at,
            },
        })
    }
}

#[derive(sqlx::FromRow)]
struct MemberRow {
    user_id: Uuid,
    username: String,
    role: String,
    created_at: DateTime<Utc>,
}

impl TryFrom<MemberRow> for Member {
    type Error = StoreError;

    fn try_from(row: MemberRow) -> Result<Self, StoreError> {
        Ok(Self {
            role: word(&row.role, "vault_members", "role", row.user_id)?,
            user_id: row.user_id,
            username: row.username,
            created_at: row.created_at,
        })
    }
}

impl Tx {
    /// Adds a vault with its environments, and its creator as the first admin.
    /// [`Constraint::VaultsRepo`](super::Constraint) when the repository has one, in whatever case.
    pub async fn insert_vault(
        &mut self,
        vault: &Vault,
        environments: &[Environment],
    ) -> Result<(), StoreError> {
        changed!(self, |conn| sqlx::query(
            "INSERT INTO vaults
                 (id, created_by, repo_owner, repo_name, repo_key, created_at, updated_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7)"
        )
        .bind(vault.id)
        .bind(vault.created_by)
        .bind(&vault.repo_owner)
        .bind(&vault.repo_name)
        .bind(vault.repo_full_name().to_lowercase())
        .bind(vault.created_at)
        .bind(vault.updated_at)
        .execute(conn))?;
        let (id, at) = (vault.id, vault.created_at);
        if self.context.github_roles {
            // Whoever makes a vault has just been asked about.
            self.set_github_role(id, vault.created_by, Some(Role::Admin), at, at + BELIEVED)
                .await?;
        } else {
            self.upsert_member(id, vault.created_by, Role::Admin, at)
                .await?;
        }
        for environment in environments {
            self.insert_environment(environment).await?;
        }
        Ok(())
    }

    /// A vault by its repository, without regard to case, if the user is a member.
    pub async fn find_vault(
        &mut self,
        user_id: Uuid,
        owner: &str,
        repo: &str,
    ) -> Result<Option<VaultAccess>, StoreError> {
        let at = self.members_at();
        let row: Option<AccessRow> = on!(self, |conn| sqlx::query_as(concat!(
            select_access!(),
            "WHERE v.repo_key = $3"
        ))
        .bind(user_id)
        .bind(at)
        .bind(format!("{owner}/{repo}").to_lowercase())
        .fetch_optional(conn))?;
        row.map(VaultAccess::try_from).transpose()
    }

    /// A vault by id, if the user is a member.
    pub async fn find_vault_by_id(
        &mut self,
        user_id: Uuid,
        vault_id: Uuid,
    ) -> Result<Option<VaultAccess>, StoreError> {
        let at = self.members_at();
        let row: Option<AccessRow> = on!(self, |conn| sqlx::query_as(concat!(
            select_access!(),
            "WHERE v.id = $3"
        ))
        .bind(user_id)
        .bind(at)
        .bind(vault_id)
        .fetch_optional(conn))?;
        row.map(VaultAccess::try_from).transpose()
    }

    /// The vaults a user is a member of, last changed first, and how many there are.
    pub async fn list_vaults(
        &mut self,
        user_id: Uuid,
        limit: i64,
        offset: i64,
    ) -> Result<(Vec<VaultSummary>, i64), StoreError> {
        let at = self.members_at();
        let rows: Vec<AccessRow> = on!(self, |conn| sqlx::query_as(concat!(
            select_access!(),
            "ORDER BY v.updated_at DESC, v.id DESC LIMIT $3 OFFSET $4"
        ))
        .bind(user_id)
        .bind(at)
        .bind(limit)
        .bind(offset)
        .fetch_all(conn))?;
        let total: i64 = on!(self, |conn| sqlx::query_scalar(concat!(
            "SELECT COUNT(*) FROM vault_members m WHERE m.user_id = $1 AND ",
            current_member!("$2")
        ))
        .bind(user_id)
        .bind(at)
        .fetch_one(conn))?;
        let page = rows
            .into_iter()
            .map(VaultAccess::try_from)
            .collect::<Result<Vec<_>, _>>()?;
        Ok((self.summaries(page).await?, total))
    }

    /// One vault as lists show it, if the user is a member.
    pub async fn vault_summary(
        &mut self,
        user_id: Uuid,
        vault_id: Uuid,
    ) -> Result<Option<VaultSummary>, StoreError> {
        let access = self.find_vault_by_id(user_id, vault_id).await?;
        Ok(self.summaries(access.into_iter().collect()).await?.pop())
    }

    /// Removes a vault with everything in it, if the user is a member. That the member may do so is
    /// the caller's to check.
    pub async fn delete_vault(
        &mut self,
        user_id: Uuid,
        vault_id: Uuid,
    ) -> Result<bool, StoreError> {
        let at = self.members_at();
        let rows = changed!(self, |conn| sqlx::query(concat!(
            "DELETE FROM vaults WHERE id = $2 AND EXISTS
                     (SELECT 1 FROM vault_members m
                      WHERE m.vault_id = vaults.id AND m.user_id = $1 AND ",
            current_member!("$3"),
            ")"
        ))
        .bind(user_id)
        .bind(vault_id)
        .bind(at)
        .execute(conn))?;
        Ok(rows == 1)
    }

    /// Notes a change of anything in it.
    pub async fn touch_vault(
        &mut self,
        vault_id: Uuid,
        at: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        let rows = changed!(self, |conn| sqlx::query(
            "UPDATE vaults SET updated_at = $2 WHERE id = $1"
        )
        .bind(vault_id)
        .bind(at)
        .execute(conn))?;
        one_row(rows, "vaults", vault_id)
    }

    /// The members, oldest first.
    pub async fn list_members(&mut self, vault_id: Uuid) -> Result<Vec<Member>, StoreError> {
        let at = self.members_at();
        let rows: Vec<MemberRow> = on!(self, |conn| sqlx::query_as(concat!(
            "SELECT m.user_id, u.username, m.role, m.created_at
             FROM vault_members m JOIN users u ON u.id = m.user_id
             WHERE m.vault_id = $1 AND ",
            current_member!("$2"),
            " ORDER BY m.created_at, m.user_id"
        ))
        .bind(vault_id)
        .bind(at)
        .fetch_all(conn))?;
        rows.into_iter().map(Member::try_from).collect()
    }

    /// Adds a member or changes the role; `at` counts for a new one.
    pub async fn upsert_member(
        &mut self,
        vault_id: Uuid,
        user_id: Uuid,
        role: Role,
        at: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        changed!(self, |conn| sqlx::query(
            "INSERT INTO vault_members (vault_id, user_id, role, created_at)
             VALUES ($1, $2, $3, $4)
             ON CONFLICT (vault_id, user_id) DO UPDATE SET role = excluded.role"
        )
        .bind(vault_id)
        .bind(user_id)
        .bind(role.as_str())
        .bind(at)
        .execute(conn))?;
        Ok(())
    }

    /// Removes a member; false when there is none.
    pub async fn remove_member(
        &mut self,
        vault_id: Uuid,
        user_id: Uuid,
    ) -> Result<bool, StoreError> {
        let rows = changed!(self, |conn| sqlx::query(
            "DELETE FROM vault_members WHERE vault_id = $1 AND user_id = $2"
        )
        .bind(vault_id)
        .bind(user_id)
        .execute(conn))?;
        Ok(rows == 1)
    }

    /// How many admins a vault has. On Postgres their rows stay locked until the end of the unit of
    /// work, so that two admins cannot each remove the other. Not for [`Store::begin_read`](super::Store::begin_read).
    pub async fn count_admins(&mut self, vault_id: Uuid) -> Result<i64, StoreError> {
        let dialect = self.dialect();
        let admins: Vec<Uuid> = on!(self, |conn| async {
            let mut query = QueryBuilder::new(
                "SELECT user_id FROM vault_members WHERE role = 'admin' AND vault_id = ",
            );
            query.push_bind(vault_id);
            query.push(" ORDER BY user_id ").push(dialect.for_update);
            query.build_query_scalar().fetch_all(conn).await
        })?;
        Ok(admins.len() as i64)
    }

    /// Adds to each vault of a page what lists show of it: three queries for the page.
    async fn summaries(&mut self, page: Vec<VaultAccess>) -> Result<Vec<VaultSummary>, StoreError> {
        let ids: Vec<Uuid> = page.iter().map(|access| access.vault.id).collect();
        let counts = self.secret_counts(&ids).await?;
        let mut environments: HashMap<Uuid, Vec<Environment>> = HashMap::new();
        for environment in self.environments_of(&ids).await? {
            let of_vault = environments.entry(environment.vault_id).or_default();
            of_vault.push(environment);
        }
        let mut links: HashMap<Uuid, Vec<Link>> = HashMap::new();
        for link in self.links_of(&ids).await? {
            links.entry(link.vault_id).or_default().push(link);
        }
        Ok(page
            .into_iter()
            .map(|access| VaultSummary {
                secret_count: counts.get(&access.vault.id).copied().unwrap_or_default(),
                environments: environments.remove(&access.vault.id).unwrap_or_default(),
                links: links.remove(&access.vault.id).unwrap_or_default(),
                access,
            })
            .collect())
    }

    async fn secret_counts(&mut self, vaults: &[Uuid]) -> Result<HashMap<Uuid, i64>, StoreError> {
        if vaults.is_empty() {
            return Ok(HashMap::new());
        }
        let rows: Vec<(Uuid, i64)> = on!(self, |conn| async {
            let mut query = QueryBuilder::new(
                "SELECT vault_id, COUNT(*) FROM secrets
                 WHERE deleted_at IS NULL AND vault_id IN (",
            );
            let mut list = query.separated(", ");
            for id in vaults {
                list.push_bind(*id);
            }
            query.push(") GROUP BY vault_id");
            query.build_query_as().fetch_all(conn).await
        })?;
        Ok(rows.into_iter().collect())
    }
}
