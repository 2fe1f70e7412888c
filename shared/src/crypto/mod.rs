//! Sealing of values and tokens, fingerprints, API tokens, signatures of webhooks.
//!
//! Nothing here does IO or keeps state besides keys; randomness comes from
//! [`Ambient`](crate::ambient::Ambient).

pub mod fingerprint;
pub mod pkce;
pub mod ring;
pub mod tokens;
pub mod webhooks;

pub use fingerprint::FingerprintKey;
pub use ring::{Aad, CryptoError, KeyRing, Sealed};
