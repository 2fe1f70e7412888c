//! Sign-ins under way: devices that wait for somebody's word, and browsers that were sent to GitHub.

use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;

use super::tx::{changed, inconsistent, on, word};
use super::{StoreError, Tx};
use crate::domain::activity::Platform;

/// How long a device that asks too late is told so, instead of that it is unknown.
const REMEMBERED: TimeDelta = TimeDelta::hours(1);

/// A device that wants to sign somebody in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeviceSignIn {
    /// Identity.
    pub id: Uuid,
    /// What kind of client it says it is.
    pub platform: Platform,
    /// Where it asked from.
    pub ip: Option<String>,
    /// When it asked.
    pub created_at: DateTime<Utc>,
    /// After this time nobody can approve it.
    pub expires_at: DateTime<Utc>,
}

/// What became of a device's question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeviceAnswer {
    /// Nobody has answered.
    Pending,
    /// This user has said yes; that is told once.
    Approved(Uuid),
    /// Somebody has said no.
    Denied,
    /// It took too long.
    Expired,
}

/// A browser that was sent away to sign in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BrowserSignIn {
    /// SHA-256 of the state parameter.
    pub state_hash: [u8; 32],
    /// SHA-256 of the cookie of that browser.
    pub browser_hash: [u8; 32],
    /// The device that is let in; `None` when it is the browser itself.
    pub device_id: Option<Uuid>,
    /// Where the browser goes in the end.
    pub redirect_uri: Option<String>,
    /// After this time it is refused.
    pub expires_at: DateTime<Utc>,
}

#[derive(sqlx::FromRow)]
struct DeviceRow {
    id: Uuid,
    platform: String,
    ip: Option<String>,
    created_at: DateTime<Utc>,
    expires_at: DateTime<Utc>,
}

#[derive(sqlx::FromRow)]
struct AnswerRow {
    id: Uuid,
    state: String,
    user_id: Option<Uuid>,
    expires_at: DateTime<Utc>,
}

#[derive(sqlx::FromRow)]
struct BrowserRow {
    browser_hash: Vec<u8>,
    device_id: Option<Uuid>,
    redirect_uri: Option<String>,
    expires_at: DateTime<Utc>,
}

impl Tx {
    /// Adds a device's question, of which only the hashes of its codes are kept.
    pub async fn insert_device_sign_in(
        &mut self,
        sign_in: &DeviceSignIn,
        device_hash: &[u8; 32],
        user_code_hash: &[u8; 32],
    ) -> Result<(), StoreError> {
        changed!(self, |conn| sqlx::query(
            "INSERT INTO device_sign_ins (id, device_hash, user_code_hash, state, platform, ip,
                 created_at, expires_at)
             VALUES ($1, $2, $3, 'pending', $4, $5, $6, $7)"
        )
        .bind(sign_in.id)
        .bind(device_hash.as_slice())
        .bind(user_code_hash.as_slice())
        .bind(sign_in.platform.as_str())
        .bind(&sign_in.ip)
        .bind(sign_in.created_at)
        .bind(sign_in.expires_at)
        .execute(conn))?;
        Ok(())
    }

    /// The question that a code was shown for, while it can be answered.
    pub async fn find_device_sign_in(
        &mut self,
        user_code_hash: &[u8; 32],
        now: DateTime<Utc>,
    ) -> Result<Option<DeviceSignIn>, StoreError> {
        let row: Option<DeviceRow> = on!(self, |conn| sqlx::query_as(
            "SELECT id, platform, ip, created_at, expires_at FROM device_sign_ins
             WHERE user_code_hash = $1 AND state = 'pending' AND expires_at > $2"
        )
        .bind(user_code_hash.as_slice())
        .bind(now)
        .fetch_optional(conn))?;
        row.map(|row| {
            Ok(DeviceSignIn {
                id: row.id,
                platform: word(&row.platform, "device_sign_ins", "platform", row.id)?,
                ip: row.ip,
                created_at: row.created_at,
                expires_at: row.expires_at,
            })
        })
        .transpose()
    }

    /// Answers a question, once: yes, in the name of a user, or no. False when it was answered
    /// already, or is too old.
    pub async fn answer_device_sign_in(
        &mut self,
        id: Uuid,
        user_id: Option<Uuid>,
        now: DateTime<Utc>,
    ) -> Result<bool, StoreError> {
        let rows = changed!(self, |conn| sqlx::query(
            "UPDATE device_sign_ins SET state = $2, user_id = $3
             WHERE id = $1 AND state = 'pending' AND expires_at > $4"
        )
        .bind(id)
        .bind(if user_id.is_some() {
            "approved"
        } else {
            "denied"
        })
        .bind(user_id)
        .bind(now)
        .execute(conn))?;
        Ok(rows == 1)
    }

    /// What a device is told; `None` when nobody knows it. An answer is taken out: it is told once.
    pub async fn take_device_answer(
        &mut self,
        device_hash: &[u8; 32],
        now: DateTime<Utc>,
    ) -> Result<Option<DeviceAnswer>, StoreError> {
        let taken: Option<AnswerRow> = on!(self, |conn| sqlx::query_as(
            "DELETE FROM device_sign_ins WHERE device_hash = $1 AND state <> 'pending'
             RETURNING id, state, user_id, expires_at"
        )
        .bind(device_hash.as_slice())
        .fetch_optional(conn))?;
        if let Some(row) = taken {
            return Ok(Some(match (row.state.as_str(), row.user_id) {
                ("denied", _) => DeviceAnswer::Denied,
                ("approved", Some(_)) if row.expires_at <= now => DeviceAnswer::Expired,
                ("approved", Some(user_id)) => DeviceAnswer::Approved(user_id),
                _ => return Err(inconsistent("device_sign_ins", "state", row.id)),
            }));
        }
        let expires_at: Option<DateTime<Utc>> = on!(self, |conn| sqlx::query_scalar(
            "SELECT expires_at FROM device_sign_ins WHERE device_hash = $1"
        )
        .bind(device_hash.as_slice())
        .fetch_optional(conn))?;
        Ok(expires_at.map(|at| {
            if at > now {
                DeviceAnswer::Pending
            } else {
                DeviceAnswer::Expired
            }
        }))
    }

    /// Notes that a browser is sent away.
    pub async fn insert_browser_sign_in(
        &mut self,
        sign_in: &BrowserSignIn,
    ) -> Result<(), StoreError> {
        changed!(self, |conn| sqlx::query(
            "INSERT INTO browser_sign_ins
                 (state_hash, browser_hash, device_id, redirect_uri, expires_at)
             VALUES ($1, $2, $3, $4, $5)"
        )
        .bind(sign_in.state_hash.as_slice())
        .bind(sign_in.browser_hash.as_slice())
        .bind(sign_in.device_id)
        .bind(&sign_in.redirect_uri)
        .bind(sign_in.expires_at)
        .execute(conn))?;
        Ok(())
    }

    /// Takes one out: it works once. An expired one is as good as none.
    pub async fn take_browser_sign_in(
        &mut self,
        state_hash: &[u8; 32],
        now: DateTime<Utc>,
    ) -> Result<Option<BrowserSignIn>, StoreError> {
        let row: Option<BrowserRow> = on!(self, |conn| sqlx::query_as(
            "DELETE FROM browser_sign_ins WHERE state_hash = $1
             RETURNING browser_hash, device_id, redirect_uri, expires_at"
        )
        .bind(state_hash.as_slice())
        .fetch_optional(conn))?;
        let Some(row) = row.filter(|row| row.expires_at > now) else {
            return Ok(None);
        };
        Ok(Some(BrowserSignIn {
            state_hash: *state_hash,
            browser_hash: row
                .browser_hash
                .try_into()
                .map_err(|_| inconsistent("browser_sign_ins", "browser_hash", "of a state"))?,
            device_id: row.device_id,
            redirect_uri: row.redirect_uri,
            expires_at: row.expires_at,
        }))
    }

    /// Removes what came to nothing; how much that was.
    pub async fn prune_sign_ins(&mut self, now: DateTime<Utc>) -> Result<i64, StoreError> {
        let browsers = changed!(self, |conn| sqlx::query(
            "DELETE FROM browser_sign_ins WHERE expires_at <= $1"
        )
        .bind(now)
        .execute(conn))?;
        let devices = changed!(self, |conn| sqlx::query(
            "DELETE FROM device_sign_ins WHERE expires_at <= $1"
        )
        .bind(now - REMEMBERED)
        .execute(conn))?;
        Ok((browsers + devices) as i64)
    }
}
