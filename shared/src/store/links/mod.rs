//! Links of vault environments with destinations.

mod row;
mod runs;

use chrono::{DateTime, Utc};
use sqlx::QueryBuilder;
use sqlx::types::Json;
use uuid::Uuid;

use super::tx::{changed, on, one_row};
use super::{Constraint, StoreError, Tx};
use crate::domain::auto_sync::AutoAction;
use crate::domain::link::Link;
use row::{LinkRow, select_links};
pub use runs::StartedRuns;

impl Tx {
    /// Saves a link. One with the same environment, connection and destination is changed: its id,
    /// its first time and its last sync stay, and when its runs do not change, so does what is known
    /// of them. Gives what is stored and whether it is new.
    /// [`Constraint::LinksHolder`] when it is not to be shared, and a link of another vault with the
    /// destination is not shared either.
    pub async fn upsert_link(
        &mut self,
        link: &Link,
        project_key: &str,
    ) -> Result<(Link, bool), StoreError> {
        let held_by = self.hold_destination(link, project_key).await?;
        let before = self.find_link_like(link).await?;
        let mut link = link.clone();
        // Whether it pauses is not for this to say.
        link.upkeep.paused = before.as_ref().and_then(|before| before.upkeep.paused);
        self.switch_runs(&mut link, before.as_ref()).await?;
        let link = &link;
        let (parts, upkeep) = (link.auto_sync.parts(), &link.upkeep);
        let id: Uuid = on!(self, |conn| {
            sqlx::query_scalar(
            "INSERT INTO links (id, vault_id, environment_id, connection_id, provider, project_key,
                 project_id, project_name, service_id, provider_environment, git_branch, direction,
                 allow_delete, delete_scope, shared, last_synced_at, created_at, updated_at, scope,
                 held_by, include, exclude, prefix, auto_mode, auto_every, auto_cron, auto_time_zone,
                 auto_action, next_run_at, api_key_id, allow_references, rollout)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18,
                 $19, $20, $21, $22, $23, $24, $25, $26, $27, $28, $29, $30, $31, $32)
             ON CONFLICT (environment_id, connection_id, project_id, service_id,
                 provider_environment, git_branch)
             DO UPDATE SET project_key = excluded.project_key,
                 project_name = excluded.project_name, direction = excluded.direction,
                 allow_delete = excluded.allow_delete, delete_scope = excluded.delete_scope,
                 shared = excluded.shared, updated_at = excluded.updated_at,
                 scope = excluded.scope, held_by = excluded.held_by, include = excluded.include,
                 exclude = excluded.exclude, prefix = excluded.prefix,
                 auto_mode = excluded.auto_mode, auto_every = excluded.auto_every,
                 auto_cron = excluded.auto_cron, auto_time_zone = excluded.auto_time_zone,
                 auto_action = excluded.auto_action, next_run_at = excluded.next_run_at,
                 api_key_id = excluded.api_key_id,
                 allow_references = excluded.allow_references, rollout = excluded.rollout
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
        .bind(link.include.as_ref().map(Json))
        .bind(link.exclude.as_ref().map(Json))
        .bind(&link.prefix)
        .bind(link.auto_sync.mode().as_str())
        .bind(parts.every)
        .bind(parts.cron)
        .bind(parts.time_zone)
        .bind(parts.action.unwrap_or(AutoAction::Write).as_str())
        .bind(upkeep.next_run_at)
        .bind(link.api_key_id)
        .bind(link.allow_references)
        .bind(link.rollout)
        .fetch_one(conn)
        })?;
        self.save_upkeep(id, upkeep).await?;
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

    /// A link of any vault.
    pub(super) async fn find_any_link(&mut self, id: Uuid) -> Result<Option<Link>, StoreError> {
        let row: Option<LinkRow> = on!(self, |conn| sqlx::query_as(concat!(
            select_links!(),
            "WHERE l.id = $1"
        ))
        .bind(id)
        .fetch_optional(conn))?;
        row.map(Link::try_from).transpose()
    }

    /// The link of the same environment, connection and destination, if it is saved.
    async fn find_link_like(&mut self, link: &Link) -> Result<Option<Link>, StoreError> {
        let row: Option<LinkRow> = on!(self, |conn| sqlx::query_as(concat!(
            select_links!(),
            "WHERE l.environment_id = $1 AND l.connection_id = $2 AND l.project_id = $3
                 AND l.service_id = $4 AND l.provider_environment = $5 AND l.git_branch = $6"
        ))
        .bind(link.environment_id)
        .bind(link.connection_id)
        .bind(&link.project_id)
        .bind(link.service_id.as_deref().unwrap_or_default())
        .bind(&link.provider_environment)
        .bind(link.git_branch.as_deref().unwrap_or_default())
        .fetch_optional(conn))?;
        row.map(Link::try_from).transpose()
    }

    /// Changes what its runs do, when they are, whether they pause, sharing, the connection and the
    /// project's name; the destination stays. The conflicts are that of [`Tx::upsert_link`], and
    /// [`Constraint::LinksDestination`] when the connection has a link of the same pair.
    pub async fn update_link(&mut self, link: &Link) -> Result<(), StoreError> {
        let Some(before) = self.find_link(link.vault_id, link.id).await? else {
            return one_row(0, "links", link.id);
        };
        let project_key: String = on!(self, |conn| sqlx::query_scalar(
            "SELECT project_key FROM links WHERE id = $1"
        )
        .bind(link.id)
        .fetch_one(conn))?;
        let held_by = self.hold_destination(link, &project_key).await?;
        let mut link = link.clone();
        self.switch_runs(&mut link, Some(&before)).await?;
        let parts = link.auto_sync.parts();
        let rows = changed!(self, |conn| sqlx::query(
            "UPDATE links SET project_name = $3, direction = $4, allow_delete = $5,
                 delete_scope = $6, shared = $7, updated_at = $8, held_by = $9, include = $10,
                 exclude = $11, prefix = $12, auto_mode = $13, auto_every = $14, auto_cron = $15,
                 auto_time_zone = $16, auto_action = $17, api_key_id = $18, connection_id = $19,
                 allow_references = $20, rollout = $21
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
        .bind(link.include.as_ref().map(Json))
        .bind(link.exclude.as_ref().map(Json))
        .bind(&link.prefix)
        .bind(link.auto_sync.mode().as_str())
        .bind(parts.every)
        .bind(parts.cron)
        .bind(parts.time_zone)
        .bind(parts.action.unwrap_or(AutoAction::Write).as_str())
        .bind(link.api_key_id)
        .bind(link.connection_id)
        .bind(link.allow_references)
        .bind(link.rollout)
        .execute(conn))?;
        one_row(rows, "links", link.id)?;
        self.save_upkeep(link.id, &link.upkeep).await
    }

    /// What is known of a link's runs stays with it for as long as they are the same. When they are
    /// not, those that have not ended are cancelled.
    pub(super) async fn switch_runs(
        &mut self,
        link: &mut Link,
        before: Option<&Link>,
    ) -> Result<(), StoreError> {
        let now = link.updated_at;
        let Some(before) = before else {
            link.upkeep.switch(&link.auto_sync, link.id, now);
            return Ok(());
        };
        let same = link.runs_as(before);
        let paused = link.upkeep.paused;
        link.upkeep = before.upkeep.clone();
        if !same {
            link.upkeep.paused = paused;
            link.upkeep.switch(&link.auto_sync, before.id, now);
            self.cancel_link_jobs(before.id, now).await?;
        }
        Ok(())
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
