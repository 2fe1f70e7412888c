//! Secrets and signatures of webhooks, as <https://www.standardwebhooks.com> has them.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use zeroize::Zeroizing;

use crate::ambient::Ambient;
use crate::secret::Secret;

const PREFIX: &str = "whsec_";

/// A new secret: 256 bits, as `whsec_` and base64.
pub fn new_secret(ambient: &Ambient) -> Secret {
    let key = Zeroizing::new(ambient.random::<32>());
    let text = Zeroizing::new(STANDARD.encode(key.as_slice()));
    Secret::new(format!("{PREFIX}{}", text.as_str()))
}

/// The value of `webhook-signature`: one signature for each secret.
///
/// A secret that is none of ours signs with its text.
#[expect(clippy::expect_used, reason = "HMAC takes keys of any length")]
pub fn sign(secrets: &[Secret], id: &str, timestamp: i64, body: &str) -> String {
    let signatures: Vec<String> = secrets
        .iter()
        .map(|secret| {
            let text = secret.expose();
            let key = text.strip_prefix(PREFIX).unwrap_or(text);
            let key = Zeroizing::new(STANDARD.decode(key).unwrap_or_else(|_| key.into()));
            let mut mac =
                <Hmac<Sha256> as KeyInit>::new_from_slice(&key).expect("a key of any length");
            for part in [id, ".", &timestamp.to_string(), ".", body] {
                mac.update(part.as_bytes());
            }
            format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()))
        })
        .collect();
    signatures.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_is_that_of_the_specification() {
        // The example of the specification's own libraries.
        let secret = Secret::new("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
        let id = "msg_p5jXN8AQM9LWM0D4loKWxJek";
        let signed = sign(
            std::slice::from_ref(&secret),
            id,
            1_614_265_330,
            r#"{"test": 2432232314}"#,
        );
        assert_eq!(signed, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
        let both = sign(&[secret.clone(), secret], id, 1_614_265_330, "{}");
        assert_eq!(both.split(' ').count(), 2);
    }

    #[test]
    fn a_new_secret_has_256_bits() {
        let secret = new_secret(&Ambient::system());
        let key = secret.expose().strip_prefix(PREFIX).unwrap();
        assert_eq!(STANDARD.decode(key).unwrap().len(), 32);
        assert_ne!(secret, new_secret(&Ambient::system()));
    }
}
