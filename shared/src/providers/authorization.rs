//! How a credential goes with a call: as one header, of the provider's own choosing.

use reqwest::header::AUTHORIZATION;
pub use reqwest::header::{HeaderName, HeaderValue};

use crate::domain::connection::Credential;

/// Makes the header that bears a credential. `None`: there is no way to send this one, so that the
/// provider could not accept it.
pub type Authorize = fn(&Credential) -> Option<(HeaderName, HeaderValue)>;

/// `Authorization: Bearer …`, the way of most providers (RFC 6750).
pub fn bearer(credential: &Credential) -> Option<(HeaderName, HeaderValue)> {
    let token = visible(credential)?;
    let value = HeaderValue::from_str(&format!("Bearer {token}")).ok()?;
    Some((AUTHORIZATION, value))
}

/// The token, when it is of visible characters only: no provider gives out another one without saying
/// how it is sent.
pub fn visible(credential: &Credential) -> Option<&str> {
    let token = credential.token.expose();
    let is_token = !token.is_empty() && token.bytes().all(|byte| byte.is_ascii_graphic());
    is_token.then_some(token)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secret::Secret;

    fn sent(token: &str) -> Option<(HeaderName, HeaderValue)> {
        bearer(&Credential {
            token: Secret::new(token),
            team_id: None,
            installation_id: None,
            token_kind: None,
        })
    }

    #[test]
    fn what_a_header_cannot_carry_is_not_sent() {
        let header = (AUTHORIZATION, HeaderValue::from_static("Bearer a.b-c"));
        assert_eq!(sent("a.b-c"), Some(header));
        for token in ["", "a b", "a\nX-Other: b", "é"] {
            assert_eq!(sent(token), None, "{token:?}");
        }
    }
}
