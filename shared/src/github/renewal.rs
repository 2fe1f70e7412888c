//! The token that is kept from a sign-in, and the next one when it ends.

use std::time::Duration;

use chrono::TimeDelta;
use uuid::Uuid;

use super::roles::not_now;
use super::{GitHubError, RoleError, Roles, UserToken};
use crate::secret::Secret;
use crate::store::github::KeptToken;

/// Time left at which the next one is asked for.
const EARLY: TimeDelta = TimeDelta::minutes(5);
/// How long one process has the right to ask, longer than a call takes. After that its answer is lost.
const RIGHT: TimeDelta = TimeDelta::minutes(1);
/// Seconds after which another process has asked.
const SOON: u64 = 2;

impl KeptToken {
    /// What came of an exchange at this time.
    pub fn new(token: UserToken, now: chrono::DateTime<chrono::Utc>) -> Self {
        let lasts = |lasts: Duration| TimeDelta::from_std(lasts).ok();
        Self {
            access: token.access,
            expires_at: token
                .lasts
                .and_then(lasts)
                .and_then(|lasts| now.checked_add_signed(lasts)),
            refresh: token.refresh,
        }
    }
}

impl Roles {
    /// The token of a user's last sign-in, or its successor.
    pub(super) async fn kept_token(&self, user: Uuid) -> Result<Secret, RoleError> {
        let mut tx = self.store.begin_read_statement().await?;
        let account = tx.github_account(user).await?;
        tx.commit().await?;
        let kept = account
            .and_then(|account| account.token)
            .ok_or(RoleError::SignInAgain)?;
        let now = self.ambient.now();
        match kept.expires_at {
            None => Ok(kept.access),
            Some(at) if at > now + EARLY => Ok(kept.access),
            Some(at) => self.renewed(user, kept, at > now).await,
        }
    }

    /// One process asks at a time: GitHub takes a refresh token once. Whoever comes meanwhile uses the
    /// old token while it lasts.
    async fn renewed(
        &self,
        user: Uuid,
        kept: KeptToken,
        still_good: bool,
    ) -> Result<Secret, RoleError> {
        let (Some(sign_in), Some(refresh)) = (&self.sign_in, &kept.refresh) else {
            return if still_good {
                Ok(kept.access)
            } else {
                Err(RoleError::SignInAgain)
            };
        };
        let now = self.ambient.now();
        let mut tx = self.store.begin().await?;
        let mine = tx.begin_github_refresh(user, now, now + RIGHT).await?;
        // Somebody may have finished between our look and our right.
        let account = tx.github_account(user).await?;
        let current = account.and_then(|account| account.token);
        if let Some(other) = current.filter(|current| current.access != kept.access) {
            return Ok(other.access);
        }
        tx.commit().await?;
        if !mine {
            return if still_good {
                Ok(kept.access)
            } else {
                Err(RoleError::NotNow { retry_after: SOON })
            };
        }
        match sign_in.refresh(refresh).await {
            Ok(token) => {
                let token = KeptToken::new(token, now);
                let access = token.access.clone();
                let mut tx = self.store.begin().await?;
                tx.set_github_token(user, Some(&token), now).await?;
                tx.commit().await?;
                Ok(access)
            }
            // Spent, revoked or too old. Nothing is lost that could still be used.
            Err(GitHubError::Unauthorized) => {
                let mut tx = self.store.begin().await?;
                let account = tx.github_account(user).await?;
                match account.and_then(|account| account.token) {
                    // They have signed in again in the meantime.
                    Some(other) if other.access != kept.access => Ok(other.access),
                    _ => {
                        tx.set_github_token(user, None, now).await?;
                        tx.commit().await?;
                        Err(RoleError::SignInAgain)
                    }
                }
            }
            Err(_) if still_good => Ok(kept.access),
            Err(error) => Err(not_now(error)),
        }
    }
}
