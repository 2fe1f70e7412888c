//! Encryption at rest: AES-256-GCM under a ring of named keys.
//!
//! The first key seals, every key opens, so that keys can be changed without a pause. What a
//! ciphertext belongs to is part of it ([`Aad`]): a row copied to another place does not open there.

use std::collections::HashSet;
use std::fmt;

use aes_gcm::aead::{Aead, KeyInit, Payload};
use aes_gcm::{Aes256Gcm, Nonce};
use hmac::{Hmac, Mac};
use sha2::Sha256;
use uuid::Uuid;
use zeroize::Zeroizing;

use crate::ambient::Ambient;
use crate::secret::Secret;

const KEY_BYTES: usize = 32;
const NONCE_BYTES: usize = 12;
const TAG_BYTES: usize = 16;
/// Longest id of a key; it is stored with every row.
const MAX_ID: usize = 64;

/// What can go wrong with keys and ciphertexts. Never holds key material or plaintext.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CryptoError {
    /// The text of the ring holds no key.
    #[error("the key ring is empty: write it as id:64 hex digits, several separated by commas")]
    Empty,
    /// An entry is not `id:hex`.
    #[error("entry {entry} of the key ring has no ':' between id and key")]
    NoSeparator {
        /// Counted from one.
        entry: usize,
    },
    /// An id is empty, too long or has other characters than letters, digits, `.`, `_` and `-`.
    #[error(
        "the id of entry {entry} of the key ring must be 1 to 64 letters, digits, '.', '_' or '-'"
    )]
    KeyId {
        /// Counted from one.
        entry: usize,
    },
    /// Two entries have the same id.
    #[error("the key ring holds the id '{id}' twice")]
    DuplicateId {
        /// The id.
        id: String,
    },
    /// A key is not 64 hexadecimal digits.
    #[error("the key '{id}' must be 64 hexadecimal digits (32 bytes)")]
    KeyText {
        /// The id.
        id: String,
    },
    /// A ciphertext was sealed by a key that the ring does not hold: a matter of configuration.
    #[error("the key ring does not hold the key '{id}'")]
    UnknownKey {
        /// The id.
        id: String,
    },
    /// A ciphertext is not what was sealed, or not for this place.
    #[error("the ciphertext is damaged or belongs elsewhere")]
    Damaged,
}

/// What a ciphertext is bound to. Each part goes in with its length, so that no two lists of parts
/// give the same bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Aad(Vec<u8>);

impl Aad {
    /// For anything that is told by a list of parts.
    pub fn new(parts: &[&[u8]]) -> Self {
        let mut bytes = Vec::with_capacity(parts.iter().map(|part| part.len() + 8).sum());
        for part in parts {
            bytes.extend_from_slice(&(part.len() as u64).to_be_bytes());
            bytes.extend_from_slice(part);
        }
        Self(bytes)
    }

    /// For one version of a secret's value.
    pub fn secret(vault: Uuid, environment: Uuid, key: &str, version: i64) -> Self {
        Self::new(&[
            b"secrets",
            vault.as_bytes(),
            environment.as_bytes(),
            key.as_bytes(),
            &version.to_be_bytes(),
        ])
    }

    /// For the token of a connection.
    pub fn connection_token(connection: Uuid) -> Self {
        Self::new(&[b"connections", b"token", connection.as_bytes()])
    }

    /// For the token of a connection that nobody has confirmed yet.
    pub fn pending_connection_token(pending: Uuid) -> Self {
        Self::new(&[b"pending_connections", b"token", pending.as_bytes()])
    }

    /// For what gives the next token of a connection.
    pub fn connection_refresh_token(connection: Uuid) -> Self {
        Self::new(&[b"connections", b"refresh", connection.as_bytes()])
    }

    /// For a webhook's secret: the one in use, and the one before, which was.
    pub fn webhook_secret(webhook: Uuid) -> Self {
        Self::new(&[b"webhooks", b"secret", webhook.as_bytes()])
    }

    /// For the token of somebody who signed in through GitHub.
    pub fn github_token(user: Uuid) -> Self {
        Self::new(&[b"github_accounts", b"token", user.as_bytes()])
    }

    /// For what gives the next token of theirs.
    pub fn github_refresh_token(user: Uuid) -> Self {
        Self::new(&[b"github_accounts", b"refresh", user.as_bytes()])
    }

    /// For a setting of the installation.
    pub fn setting(name: &str) -> Self {
        Self::new(&[b"settings", name.as_bytes()])
    }
}

/// A ciphertext and the id of the key that made it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sealed {
    /// Which key of the ring.
    pub key_id: String,
    /// Nonce, ciphertext, tag.
    pub bytes: Vec<u8>,
}

struct Key {
    id: String,
    /// In a place of its own: a key that lay in the list itself would be copied whenever that grows, and
    /// only the last copy be wiped.
    bytes: Box<Zeroizing<[u8; KEY_BYTES]>>,
}

/// The keys, of which the first seals. There is always at least one. Wiped on drop.
pub struct KeyRing {
    active: Key,
    others: Vec<Key>,
}

impl KeyRing {
    /// Reads `id:64 hex,id:64 hex`. Spaces around entries are allowed.
    pub fn parse(text: &str) -> Result<Self, CryptoError> {
        let mut keys = Vec::new();
        let mut ids = HashSet::new();
        let entries = text.split(',').map(str::trim).enumerate();
        for (index, part) in entries.filter(|(_, part)| !part.is_empty()) {
            let key = parse_entry(index + 1, part)?;
            if !ids.insert(key.id.clone()) {
                return Err(CryptoError::DuplicateId { id: key.id });
            }
            keys.push(key);
        }
        let mut keys = keys.into_iter();
        let active = keys.next().ok_or(CryptoError::Empty)?;
        Ok(Self {
            active,
            others: keys.collect(),
        })
    }

    /// A ring of one new key, and the text that [`KeyRing::parse`] reads it from.
    pub fn generate(ambient: &Ambient) -> (Self, Secret) {
        let bytes = Box::new(Zeroizing::new(ambient.random::<KEY_BYTES>()));
        let id = format!("k{}", hex::encode(ambient.random::<4>()));
        let digits = Zeroizing::new(hex::encode(bytes.as_slice()));
        let text = Secret::new(format!("{id}:{}", digits.as_str()));
        let active = Key { id, bytes };
        (
            Self {
                active,
                others: Vec::new(),
            },
            text,
        )
    }

    /// The id of the key that seals.
    pub fn active_id(&self) -> &str {
        &self.active.id
    }

    /// The ids of all keys, the active one first.
    pub fn ids(&self) -> impl Iterator<Item = &str> {
        self.keys().map(|key| key.id.as_str())
    }

    /// Encrypts under the active key, with a new random nonce.
    #[expect(
        clippy::expect_used,
        reason = "AES-GCM refuses only texts of 64 GiB and more"
    )]
    pub fn seal(&self, ambient: &Ambient, aad: &Aad, plaintext: &[u8]) -> Sealed {
        let nonce = ambient.random::<NONCE_BYTES>();
        let payload = Payload {
            msg: plaintext,
            aad: &aad.0,
        };
        let ciphertext = self
            .active
            .cipher()
            .encrypt(&Nonce::from(nonce), payload)
            .expect("a text of less than 64 GiB");
        let mut bytes = Vec::with_capacity(NONCE_BYTES + ciphertext.len());
        bytes.extend_from_slice(&nonce);
        bytes.extend_from_slice(&ciphertext);
        Sealed {
            key_id: self.active.id.clone(),
            bytes,
        }
    }

    /// Decrypts what [`KeyRing::seal`] made for the same `aad`.
    pub fn open(
        &self,
        key_id: &str,
        bytes: &[u8],
        aad: &Aad,
    ) -> Result<Zeroizing<Vec<u8>>, CryptoError> {
        let key =
            self.keys()
                .find(|key| key.id == key_id)
                .ok_or_else(|| CryptoError::UnknownKey {
                    id: key_id.to_owned(),
                })?;
        let (nonce, ciphertext) = bytes
            .split_first_chunk::<NONCE_BYTES>()
            .filter(|(_, rest)| rest.len() >= TAG_BYTES)
            .ok_or(CryptoError::Damaged)?;
        let payload = Payload {
            msg: ciphertext,
            aad: &aad.0,
        };
        key.cipher()
            .decrypt(&Nonce::from(*nonce), payload)
            .map(Zeroizing::new)
            .map_err(|_| CryptoError::Damaged)
    }

    /// HMAC-SHA256 of texts, each with its length, under a key that is derived from one of the ring for
    /// this purpose: tells whether it is the same text again, to those only who have the ring.
    pub fn mac(
        &self,
        key_id: &str,
        purpose: &str,
        parts: &[&[u8]],
    ) -> Result<[u8; 32], CryptoError> {
        let key =
            self.keys()
                .find(|key| key.id == key_id)
                .ok_or_else(|| CryptoError::UnknownKey {
                    id: key_id.to_owned(),
                })?;
        let derived = Zeroizing::new(hmac(key.bytes.as_slice(), &[b"mac", purpose.as_bytes()]));
        Ok(hmac(derived.as_slice(), parts))
    }

    fn keys(&self) -> impl Iterator<Item = &Key> {
        std::iter::once(&self.active).chain(&self.others)
    }
}

#[expect(clippy::expect_used, reason = "HMAC takes keys of any length")]
fn hmac(key: &[u8], parts: &[&[u8]]) -> [u8; 32] {
    let mut mac =
        <Hmac<Sha256> as hmac::KeyInit>::new_from_slice(key).expect("a key of any length");
    for part in parts {
        mac.update(&(part.len() as u64).to_be_bytes());
        mac.update(part);
    }
    mac.finalize().into_bytes().into()
}

impl Key {
    fn cipher(&self) -> Aes256Gcm {
        Aes256Gcm::new((&**self.bytes).into())
    }
}

impl fmt::Debug for KeyRing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.ids()).finish()
    }
}

fn parse_entry(entry: usize, text: &str) -> Result<Key, CryptoError> {
    let (id, digits) = text
        .split_once(':')
        .ok_or(CryptoError::NoSeparator { entry })?;
    let safe = |b: u8| b.is_ascii_alphanumeric() || b"._-".contains(&b);
    if id.is_empty() || id.len() > MAX_ID || !id.bytes().all(safe) {
        return Err(CryptoError::KeyId { entry });
    }
    let mut bytes = Box::new(Zeroizing::new([0_u8; KEY_BYTES]));
    hex::decode_to_slice(digits, bytes.as_mut_slice()).map_err(|_| {
        // Whoever wrote the key before its id is not shown the key as an id.
        if id.len() < 2 * KEY_BYTES {
            CryptoError::KeyText { id: id.to_owned() }
        } else {
            CryptoError::KeyId { entry }
        }
    })?;
    Ok(Key {
        id: id.to_owned(),
        bytes,
    })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use chrono::DateTime;

    use super::*;
    use crate::clock::ManualClock;
    use crate::entropy::SeededEntropy;

    const A: &str = "a:000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";
    const B: &str = "b:ff0102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";

    fn ambient() -> Ambient {
        let clock = ManualClock::new(DateTime::UNIX_EPOCH);
        Ambient::new(Arc::new(clock), Arc::new(SeededEntropy::new(1)))
    }

    #[test]
    fn every_key_opens_and_the_first_seals() {
        let aad = Aad::setting("x");
        let old = KeyRing::parse(A).unwrap().seal(&ambient(), &aad, b"text");
        let ring = KeyRing::parse(&format!("{B}, {A}")).unwrap();
        assert_eq!(ring.active_id(), "b");
        let opened = ring.open(&old.key_id, &old.bytes, &aad).unwrap();
        assert_eq!(opened.as_slice(), b"text");
        assert_eq!(ring.seal(&ambient(), &aad, b"text").key_id, "b");
        let unknown = KeyRing::parse(B).unwrap();
        let error = unknown.open(&old.key_id, &old.bytes, &aad).unwrap_err();
        assert_eq!(error, CryptoError::UnknownKey { id: "a".to_owned() });
    }

    #[test]
    fn a_ciphertext_opens_whole_and_in_its_place_only() {
        let ring = KeyRing::parse(A).unwrap();
        let (vault, environment) = (Uuid::from_u128(1), Uuid::from_u128(2));
        let aad = Aad::secret(vault, environment, "KEY", 1);
        let sealed = ring.seal(&ambient(), &aad, b"");
        assert_eq!(sealed.bytes.len(), NONCE_BYTES + TAG_BYTES);
        assert!(ring.open("a", &sealed.bytes, &aad).unwrap().is_empty());
        for place in [
            Aad::secret(environment, vault, "KEY", 1),
            Aad::secret(vault, environment, "KEY2", 1),
            Aad::secret(vault, environment, "KEY", 2),
        ] {
            let opened = ring.open("a", &sealed.bytes, &place);
            assert_eq!(opened.unwrap_err(), CryptoError::Damaged);
        }
        for length in 0..sealed.bytes.len() {
            let cut = ring.open("a", &sealed.bytes[..length], &aad);
            assert_eq!(cut.unwrap_err(), CryptoError::Damaged);
        }
        for index in 0..sealed.bytes.len() {
            let mut altered = sealed.bytes.clone();
            altered[index] ^= 1;
            let opened = ring.open("a", &altered, &aad);
            assert_eq!(opened.unwrap_err(), CryptoError::Damaged);
        }
    }

    #[test]
    fn parts_of_other_lengths_give_another_binding() {
        assert_ne!(Aad::new(&[b"ab", b"c"]), Aad::new(&[b"a", b"bc"]));
        assert_ne!(Aad::new(&[b"a", b""]), Aad::new(&[b"a"]));
    }

    #[test]
    fn a_generated_ring_can_be_read_back() {
        let ambient = ambient();
        let (ring, text) = KeyRing::generate(&ambient);
        let again = KeyRing::parse(text.expose()).unwrap();
        let aad = Aad::setting("x");
        let sealed = ring.seal(&ambient, &aad, b"text");
        assert!(again.open(&sealed.key_id, &sealed.bytes, &aad).is_ok());
        assert_ne!(sealed, ring.seal(&ambient, &aad, b"text"), "a new nonce");
    }

    #[test]
    fn errors_and_debug_name_ids_and_never_keys() {
        let short = "a:0001";
        let letters = format!("a:{}", "xy".repeat(32));
        let twice = format!("{A},{A}");
        let swapped = format!("{}:a", "0001".repeat(16));
        for (text, expected) in [
            ("", CryptoError::Empty),
            (" , ", CryptoError::Empty),
            ("secret", CryptoError::NoSeparator { entry: 1 }),
            (":00", CryptoError::KeyId { entry: 1 }),
            ("a b:00", CryptoError::KeyId { entry: 1 }),
            (short, CryptoError::KeyText { id: "a".to_owned() }),
            (&letters, CryptoError::KeyText { id: "a".to_owned() }),
            (&twice, CryptoError::DuplicateId { id: "a".to_owned() }),
            (&swapped, CryptoError::KeyId { entry: 1 }),
        ] {
            let error = KeyRing::parse(text).unwrap_err();
            assert_eq!(error, expected);
            let shown = format!("{error} {error:?}");
            assert!(!shown.contains("0001") && !shown.contains("xyxy"));
        }
        assert_eq!(format!("{:?}", KeyRing::parse(A).unwrap()), r#"["a"]"#);
    }
}
