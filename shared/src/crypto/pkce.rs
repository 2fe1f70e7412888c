//! What binds an OAuth code to the browser that began (RFC 7636): a code that somebody caught on the way
//! is of no use without it.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};

use crate::secret::Secret;

/// What the code of a browser is exchanged with: made of the cookie that only this browser has, so that
/// nothing needs to be kept.
pub fn verifier(cookie: &str) -> Secret {
    let hash = Sha256::new()
        .chain_update(b"code verifier ")
        .chain_update(cookie.as_bytes())
        .finalize();
    Secret::new(URL_SAFE_NO_PAD.encode(hash))
}

/// What is shown of it when the browser leaves (`S256`).
pub fn challenge(verifier: &Secret) -> String {
    URL_SAFE_NO_PAD.encode(Sha256::digest(verifier.expose().as_bytes()))
}
