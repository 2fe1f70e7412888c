//! Links of vault environments with destinations.

use chrono::{DateTime, Utc};
use sqlx::QueryBuilder;
use uuid::Uuid;

use super::tx::{changed, on, one_row, word};
use super::{Constraint, StoreError, Tx};
use crate::domain::link::Link;

/// Links with the names of their environments, to be narrowed by a condition.
macro_rules! select_links {
    () => {
        "SELECT l.id, l.vault_id, l.environment_id, e.name AS keyway_environment, l.connection_id,
             l.provider, l.project_id, l.project_name, l.service_id, l.provider_environment,
             l.scope, l.git_branch, l.direction, l.allow_delete, l.delete_scope, l.shared,
             l.paused, l.last_synced_at, l.created_at, l.updated_at
         FROM links l JOIN environments e ON e.id = l.environment_id "
    };
}

#[derive(sqlx::FromRow)]
struct LinkRow {
    id: Uuid,
    vault_id: Uuid,
    environment_id: Uuid,
    keyway_environment: String,
    connection_id: Uuid,
    provider: String,
    project_id: String,
    project_name: Option<String>,
    service_id: String,
    provider_environment: String,
    scope: String,
    git_branch: String,
    direction: String,
    allow_delete: bool,
    delete_scope: String,
    shared: bool,
    paused: bool,
    last_synced_at: Option<DateTime<Utc>>,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
}

impl TryFrom<LinkRow> for Link {
    type Error = StoreError;

    fn try_from(row: LinkRow) -> Result<Self, StoreError> {
        let some = |text: String| Some(text).filter(|text| !text.is_empty());
        Ok(Self {
            provider: word(&row.provider, "links", "provider", row.id)?,
            direction: word(&row.direction, "links", "direction", row.id)?,
            delete_scope: word(&row.delete_scope, "links", "delete_scope", row.id)?,
            id: row.id,
            vault_id: row.vault_id,
            environment_id: row.environment_id,
            keyway_environment: row.keyway_environment,
            connection_id: row.connection_id,
            project_id: row.project_id,
            project_name: row.project_name,
            service_id: some(row.service_id),
            provider_environment: row.provider_environment,
            scope: row.scope,
            git_branch: some(row.git_branch),
            allow_delete: row.allow_delete,
            shared: row.shared,
            paused: row.paused,
            last_synced_at: row.last_synced_at,
            created_at: row.created_at,
            updated_at: row.updated_at,
        })
    }
}

impl Tx {
    /// Saves a link. One with the same environment, connection and destination is changed: its id,
    /// its first time, its last sync and its pause stay; a new one is not paused. Gives what is stored and whether it is new.
    /// [`Constraint::LinksHolder`] when it is not to be shared, and a link of another vault with the
    /// destination is not shared either.
    pub async fn upsert_link(
        &mut self,
        link: &Link,
        project_key: &str,
    ) -> Result<(Link, bool), StoreError> {
        let held_by = self.hold_destination(link, project_key).await?;
        let id: Uuid = on!(self, |conn| {
            sqlx::query_scalar(
            "INSERT INTO links (id, vault_id, environment_id, connection_id, provider, project_key,
                 project_id, project_name, service_id, provider_environment, git_branch, direction,
                 allow_delete, delete_scope, shared, last_synced_at, created_at, updated_at, scope,
                 held_by)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18,
                 $19, $20)
             ON CONFLICT (environment_id, connection_id, project_id, service_id,
                 provider_environment, git_branch)
             DO UPDATE SET project_key = excluded.project_key,
                 project_name = excluded.project_name, direction = excluded.direction,
                 allow_delete = excluded.allow_delete, delete_scope = excluded.delete_scope,
                 shared = excluded.shared, updated_at = excluded.updated_at,
                 scope = excluded.scope, held_by = excluded.held_by
             RETURNING id"
        )
        .bind(link.id)
        .bind(link.vault_id)
        .bind(link.environment_id)
        .bind(link.connection_id)
        .bind(link.provider.as_str())
        .bind(project_key)
        .bind(&link.project_id)
        .bind(&link.project_name)
        .bind(link.service_id.as_deref().unwrap_or_default())
        .bind(&link.provider_environment)
        .bind(link.git_branch.as_deref().unwrap_or_default())
        .bind(link.direction.as_str())
        .bind(link.allow_delete)
        .bind(link.delete_scope.as_str())
        .bind(link.shared)
        .bind(link.last_synced_at)
        .bind(link.created_at)
        .bind(link.updated_at)
        .bind(&link.scope)
        .bind(held_by)
        .fetch_one(conn)
        })?;
        let stored = self.find_link(link.vault_id, id).await?;
        let stored = stored.ok_or_else(|| StoreError::RowsAffected {
            table: "links",
            id: id.to_string(),
            rows: 0,
        })?;
        Ok((stored, id == link.id))
    }

    /// A vault's links, oldest first.
    pub async fn list_links(&mut self, vault_id: Uuid) -> Result<Vec<Link>, StoreError> {
        self.links_of(&[vault_id]).await
    }

    /// The links of several vaults, oldest first.
    pub(super) async fn links_of(&mut self, vaults: &[Uuid]) -> Result<Vec<Link>, StoreError> {
        if vaults.is_empty() {
            return Ok(Vec::new());
        }
        let rows: Vec<LinkRow> = on!(self, |conn| async {
            let mut query = QueryBuilder::new(concat!(select_links!(), "WHERE l.vault_id IN ("));
            let mut list = query.separated(", ");
            for id in vaults {
                list.push_bind(*id);
            }
            query.push(") ORDER BY l.created_at, l.id");
            query.build_query_as().fetch_all(conn).await
        })?;
        rows.into_iter().map(Link::try_from).collect()
    }

    /// One of a vault's links.
    pub async fn find_link(
        &mut self,
        vault_id: Uuid,
        id: Uuid,
    ) -> Result<Option<Link>, StoreError> {
        let row: Option<LinkRow> = on!(self, |conn| sqlx::query_as(concat!(
            select_links!(),
            "WHERE l.vault_id = $1 AND l.id = $2"
        ))
        .bind(vault_id)
        .bind(id)
        .fetch_optional(conn))?;
        row.map(Link::try_from).transpose()
    }

    /// Changes direction, deletion, sharing, pause and the project's name; the destination stays. The
    /// conflict is that of [`Tx::upsert_link`].
    pub async fn update_link(&mut self, link: &Link) -> Result<(), StoreError> {
        let project_key: Option<String> = on!(self, |conn| sqlx::query_scalar(
            "SELECT project_key FROM links WHERE vault_id = $1 AND id = $2"
        )
        .bind(link.vault_id)
        .bind(link.id)
        .fetch_optional(conn))?;
        let Some(project_key) = project_key else {
            return one_row(0, "links", link.id);
        };
        let held_by = self.hold_destination(link, &project_key).await?;
        let rows = changed!(self, |conn| sqlx::query(
            "UPDATE links SET project_name = $3, direction = $4, allow_delete = $5,
                 delete_scope = $6, shared = $7, updated_at = $8, held_by = $9, paused = $10
             WHERE vault_id = $1 AND id = $2"
        )
        .bind(link.vault_id)
        .bind(link.id)
        .bind(&link.project_name)
        .bind(link.direction.as_str())
        .bind(link.allow_delete)
        .bind(link.delete_scope.as_str())
        .bind(link.shared)
        .bind(link.updated_at)
        .bind(held_by)
        .bind(link.paused)
        .execute(conn))?;
        one_row(rows, "links", link.id)
    }

    /// Makes the link's vault the holder of its destination unless the link is shared. While a link
    /// refers to another vault as the holder, that cannot be changed; one that is being saved is
    /// waited for.
    async fn hold_destination(
        &mut self,
        link: &Link,
        project_key: &str,
    ) -> Result<Option<Uuid>, StoreError> {
        if link.shared {
            return Ok(None);
        }
        let held = changed!(self, |conn| sqlx::query(
            "INSERT INTO link_holders (project_key, service_id, scope, git_branch, vault_id)
             VALUES ($1, $2, $3, $4, $5)
             ON CONFLICT (project_key, service_id, scope, git_branch)
             DO UPDATE SET vault_id = excluded.vault_id"
        )
        .bind(project_key)
        .bind(link.service_id.as_deref().unwrap_or_default())
        .bind(&link.scope)
        .bind(link.git_branch.as_deref().unwrap_or_default())
        .bind(link.vault_id)
        .execute(conn));
        match held {
            Ok(_) => Ok(Some(link.vault_id)),
            // SQLite does not name it; there the vault cannot go while this unit of work writes.
            Err(sqlx::Error::Database(error))
                if error.is_foreign_key_violation()
                    && error.constraint().is_none_or(|name| name == "links_holder") =>
            {
                Err(StoreError::Conflict(Constraint::LinksHolder))
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Removes a link; false when there is none.
    pub async fn delete_link(&mut self, vault_id: Uuid, id: Uuid) -> Result<bool, StoreError> {
        let rows = changed!(self, |conn| sqlx::query(
            "DELETE FROM links WHERE vault_id = $1 AND id = $2"
        )
        .bind(vault_id)
        .bind(id)
        .execute(conn))?;
        Ok(rows == 1)
    }

    /// Other vaults with a link to this destination that is not shared, whichever of its names it was
    /// saved by.
    pub async fn other_link_vaults(
        &mut self,
        project_key: &str,
        service_id: Option<&str>,
        provider_environment: &str,
        git_branch: Option<&str>,
        not_vault: Uuid,
    ) -> Result<Vec<Uuid>, StoreError> {
        Ok(on!(self, |conn| {
            sqlx::query_scalar(
            "SELECT DISTINCT vault_id FROM links
             WHERE project_key = $1 AND service_id = $2
                 AND (scope = $3 OR provider_environment = $3) AND git_branch = $4 AND vault_id <> $5 AND NOT shared
             ORDER BY vault_id"
        )
        .bind(project_key)
        .bind(service_id.unwrap_or_default())
        .bind(provider_environment)
        .bind(git_branch.unwrap_or_default())
        .bind(not_vault)
        .fetch_all(conn)
        })?)
    }

    /// Notes a successful sync on the links of this environment with this destination. `scopes` are
    /// the names of the provider's environment: a link that was saved before custom environments were
    /// resolved has its slug for a scope. For the engine.
    pub async fn touch_links(
        &mut self,
        environment_id: Uuid,
        project_key: &str,
        service_id: Option<&str>,
        scopes: &[&str],
        git_branch: Option<&str>,
        at: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        if scopes.is_empty() {
            return Ok(());
        }
        changed!(self, |conn| async {
            let mut query = QueryBuilder::new("UPDATE links SET last_synced_at = ");
            query.push_bind(at);
            query
                .push(" WHERE environment_id = ")
                .push_bind(environment_id);
            query.push(" AND project_key = ").push_bind(project_key);
            query
                .push(" AND service_id = ")
                .push_bind(service_id.unwrap_or_default());
            query
                .push(" AND git_branch = ")
                .push_bind(git_branch.unwrap_or_default());
            query.push(" AND scope IN (");
            let mut list = query.separated(", ");
            for scope in scopes {
                list.push_bind(*scope);
            }
            query.push(")");
            query.build().execute(conn).await
        })?;
        Ok(())
    }
}
