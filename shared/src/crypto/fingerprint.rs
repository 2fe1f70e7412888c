//! Keyed hashes of values: what is remembered of a write without keeping the value.

use std::fmt;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use uuid::Uuid;
use zeroize::Zeroizing;

use crate::ambient::Ambient;
use crate::secret::Secret;

/// The installation's key of fingerprints: random, kept sealed in the settings.
#[derive(Clone)]
pub struct FingerprintKey(Box<Zeroizing<[u8; 32]>>);

impl FingerprintKey {
    /// A new key.
    pub fn generate(ambient: &Ambient) -> Self {
        Self(Box::new(Zeroizing::new(ambient.random())))
    }

    /// The key of these bytes; `None` unless there are 32.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let mut key = Box::new(Zeroizing::new([0_u8; 32]));
        if bytes.len() != key.len() {
            return None;
        }
        key.copy_from_slice(bytes);
        Some(Self(key))
    }

    /// The bytes, to be sealed.
    pub fn expose(&self) -> &[u8; 32] {
        &self.0
    }

    /// HMAC-SHA256 over vault, destination, key and value, each with its length: equal values in two
    /// places have different hashes, so that a look into the database does not tell they are equal.
    #[expect(clippy::expect_used, reason = "HMAC takes keys of any length")]
    pub fn mac(
        &self,
        vault: Uuid,
        project_key: &str,
        slot: &str,
        key: &str,
        value: &Secret,
    ) -> [u8; 32] {
        let mut mac = <Hmac<Sha256> as KeyInit>::new_from_slice(self.0.as_slice())
            .expect("a key of any length");
        let parts = [
            vault.as_bytes().as_slice(),
            project_key.as_bytes(),
            slot.as_bytes(),
            key.as_bytes(),
            value.expose().as_bytes(),
        ];
        for part in parts {
            mac.update(&(part.len() as u64).to_be_bytes());
            mac.update(part);
        }
        mac.finalize().into_bytes().into()
    }
}

impl fmt::Debug for FingerprintKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FingerprintKey(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_values_in_two_places_have_different_hashes() {
        let key = FingerprintKey::generate(&Ambient::system());
        let again = FingerprintKey::from_bytes(key.expose()).unwrap();
        assert!(FingerprintKey::from_bytes(&[0; 31]).is_none());
        let (vault, value) = (Uuid::from_u128(1), Secret::new("v"));
        let mac = key.mac(vault, "project", "slot", "KEY", &value);
        assert_eq!(again.mac(vault, "project", "slot", "KEY", &value), mac);
        let other = Uuid::from_u128(2);
        for mac_elsewhere in [
            key.mac(other, "project", "slot", "KEY", &value),
            key.mac(vault, "projects", "lot", "KEY", &value),
            key.mac(vault, "project", "slot", "KEYv", &Secret::new("")),
            key.mac(vault, "project", "slot", "KEY", &Secret::new("w")),
        ] {
            assert_ne!(mac_elsewhere, mac);
        }
        assert_eq!(format!("{key:?}"), "FingerprintKey(…)");
    }
}
