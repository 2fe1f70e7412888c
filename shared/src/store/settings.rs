//! Settings of the installation itself.

use super::tx::{changed, on};
use super::{StoreError, Tx};
use crate::crypto::{Aad, CryptoError, FingerprintKey, Sealed};

/// The name under which the key of fingerprints is kept.
const FINGERPRINT_KEY: &str = "fingerprint-key";

impl Tx {
    /// Whether the ring opens what was sealed here first. `false`: nothing is sealed yet.
    pub(super) async fn check_keys(&mut self) -> Result<bool, StoreError> {
        let Some(sealed) = self.setting(FINGERPRINT_KEY).await? else {
            return Ok(false);
        };
        self.open_fingerprint_key(sealed)?;
        Ok(true)
    }

    /// The key of fingerprints; made when there is none. Two processes that start at once agree on
    /// one: whoever comes second reads what the first has made.
    pub(super) async fn fingerprint_key(&mut self) -> Result<FingerprintKey, StoreError> {
        let sealed = if let Some(sealed) = self.setting(FINGERPRINT_KEY).await? {
            sealed
        } else {
            let aad = Aad::setting(FINGERPRINT_KEY);
            let key = FingerprintKey::generate(&self.context.ambient);
            let sealed = self
                .context
                .ring
                .seal(&self.context.ambient, &aad, key.expose());
            self.insert_setting(FINGERPRINT_KEY, &sealed).await?;
            self.setting(FINGERPRINT_KEY).await?.unwrap_or(sealed)
        };
        self.open_fingerprint_key(sealed)
    }

    fn open_fingerprint_key(&self, sealed: Sealed) -> Result<FingerprintKey, StoreError> {
        let aad = Aad::setting(FINGERPRINT_KEY);
        let opened = self
            .context
            .ring
            .open(&sealed.key_id, &sealed.bytes, &aad)
            .map_err(|error| match error {
                CryptoError::UnknownKey { id } => StoreError::UnknownKey { key_id: id },
                _ => StoreError::WrongKey {
                    key_id: sealed.key_id,
                },
            })?;
        FingerprintKey::from_bytes(&opened).ok_or_else(|| StoreError::Inconsistent {
            table: "settings",
            column: "value",
            id: FINGERPRINT_KEY.to_owned(),
        })
    }

    async fn setting(&mut self, name: &str) -> Result<Option<Sealed>, StoreError> {
        let row: Option<(Vec<u8>, String)> = on!(self, |conn| sqlx::query_as(
            "SELECT value, key_id FROM settings WHERE name = $1"
        )
        .bind(name)
        .fetch_optional(conn))?;
        Ok(row.map(|(bytes, key_id)| Sealed { key_id, bytes }))
    }

    async fn insert_setting(&mut self, name: &str, sealed: &Sealed) -> Result<(), StoreError> {
        changed!(self, |conn| sqlx::query(
            "INSERT INTO settings (name, value, key_id) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING"
        )
        .bind(name)
        .bind(&sealed.bytes)
        .bind(&sealed.key_id)
        .execute(conn))?;
        Ok(())
    }
}
