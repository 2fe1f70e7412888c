//! Members of a vault.

pub(crate) mod add;
pub(crate) mod contributors;
pub(crate) mod list;
pub(crate) mod remove;

use keyway_shared::domain::vault::{Member, Role};
use keyway_shared::store::Tx;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::envelope::Timestamp;
use crate::error::ApiError;

/// A member of a vault.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct MemberItem {
    user_id: Uuid,
    username: String,
    /// `read`, `write` or `admin`.
    role: &'static str,
    /// Since when.
    created_at: Timestamp,
}

impl From<Member> for MemberItem {
    fn from(member: Member) -> Self {
        Self {
            user_id: member.user_id,
            username: member.username,
            role: member.role.as_str(),
            created_at: member.created_at.into(),
        }
    }
}

/// 409 when the vault would have no admin without this member. Counting locks, so two admins cannot
/// each remove the other.
async fn keep_an_admin(tx: &mut Tx, vault_id: Uuid, leaving: &Member) -> Result<(), ApiError> {
    if leaving.role == Role::Admin && tx.count_admins(vault_id).await? <= 1 {
        return Err(ApiError::conflict(
            "A vault needs an admin: make another member admin first",
        ));
    }
    Ok(())
}
