//! What the integration's webhook is sent. The signature is made here from the words of RFC 2104, and not
//! with what a receiver checks it with.

use std::fmt::Write as _;

use serde_json::{Value, json};
use sha1::{Digest, Sha1};

use super::presets::{CLIENT_SECRET, USER};

/// The header that bears the signature.
pub const SIGNATURE: &str = "x-vercel-signature";
/// Bytes that SHA-1 takes at a time.
const BLOCK: usize = 64;

/// A body as it is sent, and its signature.
#[derive(Debug, Clone)]
pub struct Signed {
    /// JSON.
    pub body: String,
    /// Lower case hex.
    pub signature: String,
}

impl Signed {
    /// Signs a body with the integration's client secret.
    pub fn new(body: String) -> Self {
        Self {
            signature: sign(CLIENT_SECRET.as_bytes(), body.as_bytes()),
            body,
        }
    }
}

/// An event about an installation.
pub(super) fn removed(event: &str, installation: &str, at: i64) -> Signed {
    let body = json!({
        "id": event,
        "type": "integration-configuration.removed",
        "createdAt": at,
        "region": Value::Null,
        "payload": {
            "configuration": { "id": installation, "projectSelection": "all", "projects": [] },
            "team": { "id": Value::Null },
            "user": { "id": USER },
        },
    });
    Signed::new(body.to_string())
}

fn sign(secret: &[u8], body: &[u8]) -> String {
    let mut key = [0_u8; BLOCK];
    if secret.len() > BLOCK {
        let short = Sha1::digest(secret);
        key[..short.len()].copy_from_slice(&short);
    } else {
        key[..secret.len()].copy_from_slice(secret);
    }
    let pad = |byte: u8| key.map(|one| one ^ byte);
    let inner = Sha1::new().chain_update(pad(0x36)).chain_update(body);
    let outer = Sha1::new()
        .chain_update(pad(0x5c))
        .chain_update(inner.finalize())
        .finalize();
    outer.iter().fold(String::new(), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 2202, cases 2 and 6.
    #[test]
    fn signatures_are_those_of_the_standard() {
        assert_eq!(
            sign(b"Jefe", b"what do ya want for nothing?"),
            "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79"
        );
        assert_eq!(
            sign(
                &[0xaa; 80],
                b"Test Using Larger Than Block-Size Key - Hash Key First"
            ),
            "aa4ae5e15272d00e95705637ce8a3b55ed402112"
        );
    }
}
