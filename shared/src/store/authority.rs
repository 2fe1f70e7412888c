//! With what right a job runs: looked up anew at each of its starts. For the engine.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::environments::{EnvironmentRow, columns};
use super::tx::{current_member, on, word};
use super::{StoreError, Tx};
use crate::domain::access::Asker;
use crate::domain::account::KeyEnvironment;
use crate::domain::connection::{Connection, Credential};
use crate::domain::vault::{Environment, EnvironmentKind, Role};

/// Whose right it is, and to what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct JobOwner {
    /// Who asked.
    pub user_id: Uuid,
    /// The vault.
    pub vault_id: Uuid,
    /// The vault's environment.
    pub environment_id: Uuid,
    /// The connection.
    pub connection_id: Uuid,
    /// The API key that was asked with, if it was one.
    pub api_key_id: Option<Uuid>,
}

/// What is left of a right.
#[derive(Debug, Default)]
pub struct JobAuthority {
    /// Who asks now, and the environment. `None` when the user is no member of the vault any more, or
    /// the environment is gone.
    pub standing: Option<(Asker, Environment)>,
    /// The API key was revoked, has expired, or is gone.
    pub key_ended: bool,
    /// The connection with what calls are made with, while it is there.
    pub connection: Option<(Connection, Credential)>,
}

#[derive(sqlx::FromRow)]
struct StandingRow {
    role: String,
    #[sqlx(flatten)]
    environment: EnvironmentRow,
}

impl Tx {
    /// What a job may do at `now`.
    pub async fn job_authority(
        &mut self,
        owner: JobOwner,
        now: DateTime<Utc>,
    ) -> Result<JobAuthority, StoreError> {
        let at = self.members_at();
        let row: Option<StandingRow> = on!(self, |conn| sqlx::query_as(concat!(
            "SELECT m.role, ",
            columns!(),
            " FROM vault_members m
                 JOIN environments e ON e.vault_id = m.vault_id AND e.id = $3
             WHERE m.user_id = $1 AND m.vault_id = $2 AND ",
            current_member!("$4")
        ))
        .bind(owner.user_id)
        .bind(owner.vault_id)
        .bind(owner.environment_id)
        .bind(at)
        .fetch_optional(conn))?;
        let key = match owner.api_key_id {
            Some(id) => self.find_api_key(owner.user_id, id).await?,
            None => None,
        };
        let standing = row
            .map(|row| {
                let asker = Asker {
                    role: word::<Role>(&row.role, "vault_members", "role", owner.vault_id)?,
                    key: match (&key, owner.api_key_id) {
                        (Some(key), _) => Some(key.environment),
                        // Nobody knows what it was: it counts for the one that may less.
                        (None, Some(_)) => Some(KeyEnvironment::Test),
                        (None, None) => None,
                    },
                };
                Ok::<_, StoreError>((asker, row.environment.try_into()?))
            })
            .transpose()?;
        Ok(JobAuthority {
            standing,
            key_ended: owner.api_key_id.is_some() && !key.is_some_and(|key| key.is_active(now)),
            connection: self
                .connection_credential(owner.user_id, owner.connection_id)
                .await?,
        })
    }

    /// What a connection is used for: the kind of the vault's environment, and the provider's
    /// environment, of its links and of its jobs that have not ended.
    pub async fn connection_uses(
        &mut self,
        connection_id: Uuid,
    ) -> Result<Vec<(EnvironmentKind, String)>, StoreError> {
        let rows: Vec<(String, String)> = on!(self, |conn| sqlx::query_as(
            "SELECT e.kind, l.provider_environment
             FROM links l JOIN environments e ON e.id = l.environment_id
             WHERE l.connection_id = $1
             UNION SELECT e.kind, j.request ->> 'providerEnvironment'
             FROM jobs j JOIN environments e ON e.id = j.environment_id
             WHERE j.connection_id = $1 AND j.state IN ('queued', 'running', 'waiting')"
        )
        .bind(connection_id)
        .fetch_all(conn))?;
        rows.into_iter()
            .map(|(kind, remote)| Ok((word(&kind, "environments", "kind", connection_id)?, remote)))
            .collect()
    }
}
