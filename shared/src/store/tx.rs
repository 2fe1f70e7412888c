//! The unit of work.

use std::ops::{Deref, DerefMut};
use std::str::FromStr;
use std::sync::Arc;

use chrono::{DateTime, DurationRound, TimeDelta, Utc};
use sqlx::pool::PoolConnection;
use sqlx::{Database, Postgres, Sqlite, Transaction};
use uuid::Uuid;

use super::StoreError;
use super::dialect::{self, Dialect};
use super::write_ahead_log::WriteAheadLog;
use crate::ambient::Ambient;
use crate::crypto::{Aad, CryptoError, KeyRing, Sealed};
use crate::secret::Secret;

/// What every unit of work of a store shares.
#[derive(Debug, Clone)]
pub(super) struct Context {
    pub(super) ring: Arc<KeyRing>,
    pub(super) ambient: Ambient,
    /// Postgres' own clock is left out of account.
    pub(super) manual_time: bool,
    /// Members count for as long as GitHub's word for them does.
    pub(super) github_roles: bool,
}

/// The unit of work of either database.
#[derive(Debug)]
pub(super) enum Conn {
    Postgres(Unit<Postgres>),
    Sqlite(Unit<Sqlite>),
}

/// A transaction, or a single statement, which is one by itself and saves beginning and ending it: a
/// round trip each on Postgres, and two changes of threads on SQLite.
#[derive(Debug)]
pub(super) enum Unit<DB: Database> {
    Transaction(Transaction<'static, DB>),
    Statement(PoolConnection<DB>),
}

impl<DB: Database> Unit<DB> {
    async fn commit(self) -> Result<(), sqlx::Error> {
        match self {
            Self::Transaction(tx) => tx.commit().await,
            Self::Statement(_) => Ok(()),
        }
    }
}

impl<DB: Database> Deref for Unit<DB> {
    type Target = DB::Connection;

    fn deref(&self) -> &DB::Connection {
        match self {
            Self::Transaction(tx) => tx,
            Self::Statement(connection) => connection,
        }
    }
}

impl<DB: Database> DerefMut for Unit<DB> {
    fn deref_mut(&mut self) -> &mut DB::Connection {
        match self {
            Self::Transaction(tx) => tx,
            Self::Statement(connection) => connection,
        }
    }
}

/// A unit of work: everything done through it happens at once, with [`Tx::commit`], or not at all.
/// Dropped without a commit it is rolled back.
#[derive(Debug)]
pub struct Tx {
    pub(super) conn: Conn,
    pub(super) context: Context,
    /// Where its commit is counted, of a unit of work that may write to SQLite.
    pub(super) commit: Option<SqliteCommit>,
    /// The time of this unit of work, once it was asked for.
    pub(super) now: Option<DateTime<Utc>>,
}

/// How a unit of work of SQLite's writer is committed.
#[derive(Debug)]
pub(super) struct SqliteCommit {
    pub(super) log: Arc<WriteAheadLog>,
    /// Of a single statement, which commits by itself: its number is drawn before it runs.
    pub(super) number: Option<u64>,
    /// It does not count as committed before it is on the disk.
    pub(super) lasts: bool,
}

/// Runs one query on whichever database the unit of work is on. The query is written once; the macro
/// compiles it for both.
macro_rules! on {
    ($tx:expr, |$conn:ident| $query:expr) => {
        match &mut $tx.conn {
            $crate::store::tx::Conn::Postgres(tx) => {
                let $conn = &mut **tx;
                $query.await
            }
            $crate::store::tx::Conn::Sqlite(tx) => {
                let $conn = &mut **tx;
                $query.await
            }
        }
    };
}
pub(super) use on;

/// Like [`on!`], for statements of which only the number of changed rows matters.
macro_rules! changed {
    ($tx:expr, |$conn:ident| $query:expr) => {
        match &mut $tx.conn {
            $crate::store::tx::Conn::Postgres(tx) => {
                let $conn = &mut **tx;
                $query.await.map(|done| done.rows_affected())
            }
            $crate::store::tx::Conn::Sqlite(tx) => {
                let $conn = &mut **tx;
                $query.await.map(|done| done.rows_affected())
            }
        }
    };
}
pub(super) use changed;

/// That the member `m` counts; the argument is the number of the parameter that has
/// [`Tx::members_at`]. A member that an admin gave a role has no time, one of GitHub's has one.
macro_rules! current_member {
    ($at:literal) => {
        concat!(
            "(m.valid_until > ",
            $at,
            " OR (m.valid_until IS NULL AND ",
            $at,
            " IS NULL))"
        )
    };
}
pub(super) use current_member;

/// Adds the same condition, after another one, to a query that is put together.
macro_rules! push_current_member {
    ($query:ident, $at:expr) => {
        $query
            .push(" AND (m.valid_until > ")
            .push_bind($at)
            .push(" OR (m.valid_until IS NULL AND ")
            .push_bind($at)
            .push(" IS NULL))")
    };
}
pub(super) use push_current_member;

impl Tx {
    /// Makes everything done since [`begin`](super::Store::begin) durable and visible.
    pub async fn commit(self) -> Result<(), StoreError> {
        let counted = self.commit.map(|commit| {
            let number = commit.number.unwrap_or_else(|| commit.log.begin_commit());
            (commit, number)
        });
        match self.conn {
            Conn::Postgres(unit) => unit.commit().await?,
            Conn::Sqlite(unit) => unit.commit().await?,
        }
        if let Some((commit, number)) = counted {
            commit.log.committed(number);
            if commit.lasts {
                commit.log.sync().await.map_err(sqlx::Error::Io)?;
            }
        }
        Ok(())
    }

    /// The time that leases and due times are judged by: the database's own on Postgres, where
    /// several machines share it, the process' on SQLite. A unit of work has one time: that of the
    /// first call.
    ///
    /// Reading it in a statement before the update that uses it is on the safe side: a lease then
    /// ends a little earlier than its holder may think by the update's own time, and a job becomes
    /// due a little later, never the other way round.
    pub async fn now(&mut self) -> Result<DateTime<Utc>, StoreError> {
        if self.context.manual_time {
            return Ok(self.context.ambient.now());
        }
        if let Some(now) = self.now {
            return Ok(now);
        }
        let now = match &mut self.conn {
            Conn::Sqlite(_) => self.context.ambient.now(),
            Conn::Postgres(tx) => {
                let now: DateTime<Utc> = sqlx::query_scalar("SELECT clock_timestamp()")
                    .fetch_one(&mut **tx)
                    .await?;
                now.duration_trunc(TimeDelta::microseconds(1))
                    .unwrap_or(now)
            }
        };
        self.now = Some(now);
        Ok(now)
    }

    /// The same for a statement that falls back to `CURRENT_TIMESTAMP`, which is the time that its
    /// transaction began: nothing where Postgres is to tell, and need not be asked before.
    pub(super) fn given_now(&self) -> Option<DateTime<Utc>> {
        match self.conn {
            Conn::Postgres(_) if !self.context.manual_time => self.now,
            Conn::Postgres(_) | Conn::Sqlite(_) => {
                Some(self.now.unwrap_or_else(|| self.context.ambient.now()))
            }
        }
    }

    /// What the condition `current_member!` takes: the time of now where roles are GitHub's, nothing
    /// where admins of vaults give them.
    pub(super) fn members_at(&self) -> Option<DateTime<Utc>> {
        self.context
            .github_roles
            .then(|| self.context.ambient.now())
    }

    /// Seals a text under the active key.
    pub(super) fn seal_text(&self, aad: &Aad, text: &Secret) -> Sealed {
        let ambient = &self.context.ambient;
        self.context
            .ring
            .seal(ambient, aad, text.expose().as_bytes())
    }

    /// The fragments of this database.
    pub(super) fn dialect(&self) -> &'static Dialect {
        match self.conn {
            Conn::Postgres(_) => &dialect::POSTGRES,
            Conn::Sqlite(_) => &dialect::SQLITE,
        }
    }
}

/// Reads a word of one of our enums.
pub(super) fn word<T: FromStr>(
    text: &str,
    table: &'static str,
    column: &'static str,
    id: impl ToString + Copy,
) -> Result<T, StoreError> {
    text.parse().map_err(|_| inconsistent(table, column, id))
}

/// A row that holds what the program does not understand.
pub(super) fn inconsistent(
    table: &'static str,
    column: &'static str,
    id: impl ToString + Copy,
) -> StoreError {
    StoreError::Inconsistent {
        table,
        column,
        id: id.to_string(),
    }
}

/// Checks that a change met exactly one row.
pub(super) fn one_row(rows: u64, table: &'static str, id: Uuid) -> Result<(), StoreError> {
    if rows == 1 {
        return Ok(());
    }
    Err(StoreError::RowsAffected {
        table,
        id: id.to_string(),
        rows,
    })
}

/// Opens a sealed text. The buffer that held it is wiped; what is no text is damaged.
pub(super) fn open_text(
    ring: &KeyRing,
    key_id: &str,
    bytes: &[u8],
    aad: &Aad,
) -> Result<Secret, CryptoError> {
    let plaintext = ring.open(key_id, bytes, aad)?;
    let text = std::str::from_utf8(&plaintext).map_err(|_| CryptoError::Damaged)?;
    Ok(Secret::new(text))
}
