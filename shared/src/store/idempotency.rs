//! Idempotency keys: what became of a request, for the same request sent again.

use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};
use sqlx::QueryBuilder;
use sqlx::types::Json;
use uuid::Uuid;

use super::tx::{changed, inconsistent, on};
use super::{StoreError, Tx};
use crate::domain::access::Access;
use crate::domain::account::Scope;
use crate::domain::vault::Role;

/// Sets these hashes apart from whatever else is made with the keys of the ring.
const PURPOSE: &str = "idempotency";

/// A request with a key.
#[derive(Debug, Clone, Copy)]
pub struct KeyedRequest<'a> {
    /// Identity of its record, if it is a new one.
    pub id: Uuid,
    /// Who sent it.
    pub user_id: Uuid,
    /// Its method.
    pub method: &'a str,
    /// Its path.
    pub path: &'a str,
    /// The key.
    pub key: &'a str,
    /// Its query and its body, of which only a keyed hash is kept.
    pub content: [&'a [u8]; 2],
    /// How long it may take; after that one that left neither job nor answer is begun again.
    pub lock: Duration,
    /// How long it is remembered.
    pub keep: Duration,
}

/// The rights that an answer was given under.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Authority {
    /// Scopes of the API key.
    pub scopes: Vec<Scope>,
    /// The least roles in vaults.
    pub vaults: Vec<(Uuid, Role)>,
    /// Environments of vaults, and what was done with each.
    #[serde(default)]
    pub environments: Vec<(Uuid, Uuid, Access)>,
}

/// An answer that is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptAnswer {
    /// The status.
    pub status: u16,
    /// `data` of its body; null without a body.
    pub data: Value,
    /// Its `Location`.
    pub location: Option<String>,
    /// The rights that it was given under.
    pub authority: Authority,
}

/// What is known of a request with a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Keyed {
    /// Nothing: it is on its way from now on.
    New,
    /// The key came with another query or body.
    Mismatch,
    /// It is on its way.
    UnderWay,
    /// It made this job.
    Job(Uuid),
    /// It was answered.
    Answered(KeptAnswer),
    /// It was carried out, and its answer is not kept: it bore a secret, or was lost.
    Unkept,
}

#[derive(sqlx::FromRow)]
struct KeyRow {
    id: Uuid,
    mac: Vec<u8>,
    mac_key_id: String,
    job_id: Option<Uuid>,
    answered: bool,
    status: Option<i64>,
    answer: Option<Json<Value>>,
    location: Option<String>,
    authority: Option<Json<Value>>,
    locked_until: DateTime<Utc>,
    expires_at: DateTime<Utc>,
}

/// How many requests are recognised by a key of the ring. Their bodies are kept nowhere, so this cannot be
/// done anew with another key.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct RememberedRequests {
    /// The key.
    pub key_id: String,
    /// How many.
    pub count: i64,
    /// When the last of them is forgotten.
    pub until: DateTime<Utc>,
}

impl Tx {
    /// Notes that a request is on its way, unless it has been here before. Of two that come at once,
    /// the second waits for the first one's unit of work.
    pub async fn begin_keyed(&mut self, request: &KeyedRequest<'_>) -> Result<Keyed, StoreError> {
        let now = self.now().await?;
        let slot = slot(request);
        if self.insert_key(request, &slot, now).await? {
            return Ok(Keyed::New);
        }
        let row = self.lock_key(request.user_id, &slot).await?;
        let Some(row) = row.filter(|row| row.expires_at > now) else {
            // Forgotten, if only just now.
            changed!(self, |conn| sqlx::query(
                "DELETE FROM idempotency_keys WHERE user_id = $1 AND slot = $2"
            )
            .bind(request.user_id)
            .bind(&slot)
            .execute(conn))?;
            let inserted = self.insert_key(request, &slot, now).await?;
            return Ok(if inserted {
                Keyed::New
            } else {
                Keyed::UnderWay
            });
        };
        let ring = &self.context.ring;
        // Of a key that was taken off the ring nothing can be said: then it is not the same.
        let mac = ring.mac(&row.mac_key_id, PURPOSE, &request.content);
        if !mac.is_ok_and(|mac| mac.as_slice() == row.mac) {
            return Ok(Keyed::Mismatch);
        }
        if let Some(job_id) = row.job_id {
            return Ok(Keyed::Job(job_id));
        }
        // Carried out and not answered: whoever did it may be about to answer.
        if row.answered && (row.status.is_some() || row.locked_until <= now) {
            return row.into_answer();
        }
        if row.locked_until > now {
            return Ok(Keyed::UnderWay);
        }
        // Whoever began it did not live to answer.
        changed!(self, |conn| sqlx::query(
            "UPDATE idempotency_keys SET id = $2, locked_until = $3 WHERE id = $1"
        )
        .bind(row.id)
        .bind(request.id)
        .bind(now + request.lock)
        .execute(conn))?;
        Ok(Keyed::New)
    }

    /// Binds the job that a request makes to its key, in the unit of work that makes it. False when
    /// the request took too long and another has the key by now: then the job must not be made.
    pub async fn bind_keyed(&mut self, id: Uuid, job_id: Uuid) -> Result<bool, StoreError> {
        let rows = changed!(self, |conn| sqlx::query(
            "UPDATE idempotency_keys SET job_id = $2 WHERE id = $1"
        )
        .bind(id)
        .bind(job_id)
        .execute(conn))?;
        Ok(rows == 1)
    }

    /// Notes that a request which makes no job is carried out, in the unit of work that does it: should its
    /// answer not be kept, it is not carried out again. False when the request took too long and another
    /// has the key by now: then it must not be carried out.
    pub async fn mark_keyed(&mut self, id: Uuid) -> Result<bool, StoreError> {
        let rows = changed!(self, |conn| sqlx::query(
            "UPDATE idempotency_keys SET answered = TRUE WHERE id = $1"
        )
        .bind(id)
        .execute(conn))?;
        Ok(rows == 1)
    }

    /// Keeps the answer of a request, or that there was one which is not kept.
    pub async fn answer_keyed(
        &mut self,
        id: Uuid,
        answer: Option<&KeptAnswer>,
    ) -> Result<(), StoreError> {
        changed!(self, |conn| sqlx::query(
            "UPDATE idempotency_keys
             SET answered = TRUE, status = $2, answer = $3, location = $4, authority = $5,
                 locked_until = created_at
             WHERE id = $1"
        )
        .bind(id)
        .bind(answer.map(|answer| i64::from(answer.status)))
        .bind(answer.map(|answer| Json(&answer.data)))
        .bind(answer.and_then(|answer| answer.location.as_deref()))
        .bind(answer.map(|answer| Json(&answer.authority)))
        .execute(conn))?;
        Ok(())
    }

    /// Forgets a request that had no effect. One that made a job or was carried out is not forgotten.
    pub async fn forget_keyed(&mut self, id: Uuid) -> Result<(), StoreError> {
        changed!(self, |conn| sqlx::query(
            "DELETE FROM idempotency_keys WHERE id = $1 AND job_id IS NULL AND NOT answered"
        )
        .bind(id)
        .execute(conn))?;
        Ok(())
    }

    /// Deletes keys whose time is over, at most `limit`. Gives how many.
    pub async fn prune_keyed(&mut self, now: DateTime<Utc>, limit: i64) -> Result<u64, StoreError> {
        Ok(changed!(self, |conn| sqlx::query(
            "DELETE FROM idempotency_keys WHERE id IN (SELECT id FROM idempotency_keys
                 WHERE expires_at <= $1 ORDER BY expires_at LIMIT $2)"
        )
        .bind(now)
        .bind(limit)
        .execute(conn))?)
    }

    /// The requests that are recognised by each key of the ring, for as long as they are remembered.
    pub async fn remembered_requests(
        &mut self,
        now: DateTime<Utc>,
    ) -> Result<Vec<RememberedRequests>, StoreError> {
        Ok(on!(self, |conn| sqlx::query_as(
            "SELECT mac_key_id AS key_id, COUNT(*) AS count, MAX(expires_at) AS until
             FROM idempotency_keys WHERE expires_at > $1 GROUP BY mac_key_id"
        )
        .bind(now)
        .fetch_all(conn))?)
    }

    async fn insert_key(
        &mut self,
        request: &KeyedRequest<'_>,
        slot: &[u8],
        now: DateTime<Utc>,
    ) -> Result<bool, StoreError> {
        let key_id = self.context.ring.active_id().to_owned();
        let mac = self
            .context
            .ring
            .mac(&key_id, PURPOSE, &request.content)
            .map_err(|error| {
                StoreError::from_crypto(error, "idempotency_keys", request.id, "mac")
            })?;
        let rows = changed!(self, |conn| sqlx::query(
            "INSERT INTO idempotency_keys (id, user_id, slot, mac, mac_key_id, answered,
                 locked_until, created_at, expires_at)
             VALUES ($1, $2, $3, $4, $5, FALSE, $6, $7, $8)
             ON CONFLICT (user_id, slot) DO NOTHING"
        )
        .bind(request.id)
        .bind(request.user_id)
        .bind(slot)
        .bind(mac.as_slice())
        .bind(&key_id)
        .bind(now + request.lock)
        .bind(now)
        .bind(now + request.keep)
        .execute(conn))?;
        Ok(rows == 1)
    }

    async fn lock_key(&mut self, user_id: Uuid, slot: &[u8]) -> Result<Option<KeyRow>, StoreError> {
        let dialect = self.dialect();
        Ok(on!(self, |conn| async {
            let mut query = QueryBuilder::new(
                "SELECT id, mac, mac_key_id, job_id, answered, status, answer, location, authority,
                     locked_until, expires_at
                 FROM idempotency_keys WHERE user_id = ",
            );
            query
                .push_bind(user_id)
                .push(" AND slot = ")
                .push_bind(slot);
            query.push(" ").push(dialect.for_update);
            query.build_query_as().fetch_optional(conn).await
        })?)
    }
}

impl KeyRow {
    fn into_answer(self) -> Result<Keyed, StoreError> {
        let id = self.id;
        let Some(status) = self.status else {
            return Ok(Keyed::Unkept);
        };
        let authority = self.authority.map(|json| json.0).unwrap_or_default();
        Ok(Keyed::Answered(KeptAnswer {
            status: u16::try_from(status)
                .map_err(|_| inconsistent("idempotency_keys", "status", id))?,
            data: self.answer.map(|json| json.0).unwrap_or_default(),
            location: self.location,
            authority: serde_json::from_value(authority)
                .map_err(|_| inconsistent("idempotency_keys", "authority", id))?,
        }))
    }
}

/// A key is the caller's own for each method and path. Hashed, since paths and keys have no place in
/// an index.
fn slot(request: &KeyedRequest<'_>) -> Vec<u8> {
    let mut hash = Sha256::new();
    for part in [request.method, request.path, request.key] {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    hash.finalize().to_vec()
}
