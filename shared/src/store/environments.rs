//! The environments of a vault.

use chrono::{DateTime, Utc};
use sqlx::QueryBuilder;
use uuid::Uuid;

use super::tx::{changed, on, one_row, word};
use super::{StoreError, Tx};
use crate::domain::access::EnvironmentRules;
use crate::domain::vault::{Environment, EnvironmentKind};

/// The columns of an environment, from `e`.
macro_rules! columns {
    () => {
        "e.id, e.vault_id, e.name, e.kind, e.read_role, e.write_role, e.display_order, e.revision,
         e.created_at"
    };
}
pub(super) use columns;

#[derive(sqlx::FromRow)]
pub(super) struct EnvironmentRow {
    id: Uuid,
    vault_id: Uuid,
    name: String,
    kind: String,
    read_role: String,
    write_role: String,
    display_order: i64,
    revision: i64,
    created_at: DateTime<Utc>,
}

impl TryFrom<EnvironmentRow> for Environment {
    type Error = StoreError;

    fn try_from(row: EnvironmentRow) -> Result<Self, StoreError> {
        Ok(Self {
            kind: word(&row.kind, "environments", "kind", row.id)?,
            rules: EnvironmentRules {
                read: word(&row.read_role, "environments", "read_role", row.id)?,
                write: word(&row.write_role, "environments", "write_role", row.id)?,
            },
            id: row.id,
            vault_id: row.vault_id,
            name: row.name,
            display_order: row.display_order,
            revision: row.revision,
            created_at: row.created_at,
        })
    }
}

impl Tx {
    /// A vault's environments, in order of display.
    pub async fn list_environments(
        &mut self,
        vault_id: Uuid,
    ) -> Result<Vec<Environment>, StoreError> {
        self.environments_of(&[vault_id]).await
    }

    /// The environments of several vaults, in order of display.
    pub(super) async fn environments_of(
        &mut self,
        vaults: &[Uuid],
    ) -> Result<Vec<Environment>, StoreError> {
        if vaults.is_empty() {
            return Ok(Vec::new());
        }
        let rows: Vec<EnvironmentRow> = on!(self, |conn| async {
            let mut query = QueryBuilder::new(concat!(
                "SELECT ",
                columns!(),
                " FROM environments e WHERE e.vault_id IN ("
            ));
            let mut list = query.separated(", ");
            for id in vaults {
                list.push_bind(*id);
            }
            query.push(") ORDER BY e.display_order, e.name");
            query.build_query_as().fetch_all(conn).await
        })?;
        rows.into_iter().map(Environment::try_from).collect()
    }

    /// An environment by name.
    pub async fn find_environment(
        &mut self,
        vault_id: Uuid,
        name: &str,
    ) -> Result<Option<Environment>, StoreError> {
        let row: Option<EnvironmentRow> = on!(self, |conn| sqlx::query_as(concat!(
            "SELECT ",
            columns!(),
            " FROM environments e WHERE e.vault_id = $1 AND e.name = $2"
        ))
        .bind(vault_id)
        .bind(name)
        .fetch_optional(conn))?;
        row.map(Environment::try_from).transpose()
    }

    /// An environment by id.
    pub async fn find_environment_by_id(
        &mut self,
        vault_id: Uuid,
        id: Uuid,
    ) -> Result<Option<Environment>, StoreError> {
        let row: Option<EnvironmentRow> = on!(self, |conn| sqlx::query_as(concat!(
            "SELECT ",
            columns!(),
            " FROM environments e WHERE e.vault_id = $1 AND e.id = $2"
        ))
        .bind(vault_id)
        .bind(id)
        .fetch_optional(conn))?;
        row.map(Environment::try_from).transpose()
    }

    /// Adds an environment. [`Constraint::EnvironmentsName`](super::Constraint) when the vault has
    /// one of that name.
    pub async fn insert_environment(
        &mut self,
        environment: &Environment,
    ) -> Result<(), StoreError> {
        changed!(self, |conn| sqlx::query(
            "INSERT INTO environments
                 (id, vault_id, name, kind, display_order, revision, created_at, read_role,
                  write_role)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)"
        )
        .bind(environment.id)
        .bind(environment.vault_id)
        .bind(&environment.name)
        .bind(environment.kind.as_str())
        .bind(environment.display_order)
        .bind(environment.revision)
        .bind(environment.created_at)
        .bind(environment.rules.read.as_str())
        .bind(environment.rules.write.as_str())
        .execute(conn))?;
        Ok(())
    }

    /// Renames an environment. Its secrets and links stay.
    pub async fn rename_environment(
        &mut self,
        vault_id: Uuid,
        id: Uuid,
        name: &str,
    ) -> Result<(), StoreError> {
        let rows = changed!(self, |conn| sqlx::query(
            "UPDATE environments SET name = $3 WHERE vault_id = $1 AND id = $2"
        )
        .bind(vault_id)
        .bind(id)
        .bind(name)
        .execute(conn))?;
        one_row(rows, "environments", id)
    }

    /// Changes how carefully an environment is treated.
    pub async fn set_environment_kind(
        &mut self,
        vault_id: Uuid,
        id: Uuid,
        kind: EnvironmentKind,
    ) -> Result<(), StoreError> {
        let rows = changed!(self, |conn| sqlx::query(
            "UPDATE environments SET kind = $3 WHERE vault_id = $1 AND id = $2"
        )
        .bind(vault_id)
        .bind(id)
        .bind(kind.as_str())
        .execute(conn))?;
        one_row(rows, "environments", id)
    }

    /// Changes who may use an environment.
    pub async fn set_environment_rules(
        &mut self,
        vault_id: Uuid,
        id: Uuid,
        rules: EnvironmentRules,
    ) -> Result<(), StoreError> {
        let rows = changed!(self, |conn| sqlx::query(
            "UPDATE environments SET read_role = $3, write_role = $4
             WHERE vault_id = $1 AND id = $2"
        )
        .bind(vault_id)
        .bind(id)
        .bind(rules.read.as_str())
        .bind(rules.write.as_str())
        .execute(conn))?;
        one_row(rows, "environments", id)
    }

    /// Removes an environment with its secrets and links; false when there is none.
    pub async fn delete_environment(
        &mut self,
        vault_id: Uuid,
        id: Uuid,
    ) -> Result<bool, StoreError> {
        let rows = changed!(self, |conn| sqlx::query(
            "DELETE FROM environments WHERE vault_id = $1 AND id = $2"
        )
        .bind(vault_id)
        .bind(id)
        .execute(conn))?;
        Ok(rows == 1)
    }

    /// Raises the revision, and gives the new one. The methods that change secrets do this
    /// themselves.
    pub async fn bump_revision(&mut self, environment_id: Uuid) -> Result<i64, StoreError> {
        let revision: Option<i64> = on!(self, |conn| sqlx::query_scalar(
            "UPDATE environments SET revision = revision + 1 WHERE id = $1 RETURNING revision"
        )
        .bind(environment_id)
        .fetch_optional(conn))?;
        revision.ok_or_else(|| StoreError::RowsAffected {
            table: "environments",
            id: environment_id.to_string(),
            rows: 0,
        })
    }
}
