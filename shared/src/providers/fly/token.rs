//! Tokens, as people paste them and as they are sent.
//!
//! A token is a bundle: macaroons with what discharges their caveats, separated by commas. Who makes
//! one is shown `FlyV1 fm2_…,fm2_…`; the scheme is none of it.

use crate::domain::connection::Credential;
use crate::providers::authorization::{HeaderName, HeaderValue, visible};
use crate::secret::Secret;

/// How macaroons begin. Other tokens are opaque.
const MACAROONS: [&str; 3] = ["fm1r_", "fm1a_", "fm2_"];

/// The token in what was pasted: one scheme goes, and the room around the parts.
pub(super) fn pasted(text: &str) -> Option<Secret> {
    let text = text.trim();
    let bare = match text.split_once(|c: char| c.is_ascii_whitespace()) {
        Some((scheme, rest)) if is_scheme(scheme) => rest,
        _ => text,
    };
    let parts: Vec<&str> = bare
        .split(',')
        .map(str::trim)
        .filter(|part| !part.is_empty())
        .collect();
    let is_token = |part: &&str| part.bytes().all(|byte| byte.is_ascii_graphic());
    let fits = !parts.is_empty()
        && parts.iter().all(is_token)
        && !parts.iter().any(|part| is_scheme(part));
    fits.then(|| Secret::new(parts.join(",")))
}

fn is_scheme(word: &str) -> bool {
    ["bearer", "flyv1"]
        .iter()
        .any(|scheme| word.eq_ignore_ascii_case(scheme))
}

/// `FlyV1` for macaroons, as the vendor's own client sends them. UNCERTAIN: the documentation of the
/// Machines API shows `Bearer` for every token.
pub(super) fn authorize(credential: &Credential) -> Option<(HeaderName, HeaderValue)> {
    let token = visible(credential)?;
    let is_macaroon = |part: &str| MACAROONS.iter().any(|start| part.starts_with(start));
    let scheme = if token.split(',').any(is_macaroon) {
        "FlyV1"
    } else {
        "Bearer"
    };
    let value = HeaderValue::from_str(&format!("{scheme} {token}")).ok()?;
    Some((HeaderName::from_static("authorization"), value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bundle_is_kept_whole_and_without_its_scheme() {
        for (text, kept) in [
            ("FlyV1 fm2_a==,fm2_b/c+d", Some("fm2_a==,fm2_b/c+d")),
            ("  flyv1 \t fm2_a ,\n fm2_b,\n", Some("fm2_a,fm2_b")),
            ("BEARER fm2_a", Some("fm2_a")),
            ("fo1_opaque", Some("fo1_opaque")),
            ("fm2_a", Some("fm2_a")),
            ("FlyV1", None),
            ("Bearer ", None),
            (" , ,", None),
            ("", None),
            ("Bearer FlyV1 fm2_a", None),
            ("fm2_a fm2_b", None),
            ("FlyV1 fm2_é", None),
            ("Authorization: FlyV1 fm2_a", None),
        ] {
            let token = pasted(text);
            let token = token.as_ref().map(Secret::expose);
            assert_eq!(token, kept, "{text:?}");
        }
    }

    #[test]
    fn macaroons_have_a_scheme_of_their_own() {
        let sent = |token: &str| {
            let credential = Credential {
                token: Secret::new(token),
                team_id: None,
                installation_id: None,
                token_kind: None,
            };
            let (name, value) = authorize(&credential)?;
            assert_eq!(name, "authorization");
            Some(value.to_str().unwrap().to_owned())
        };
        for token in ["fm2_a,fm2_b", "fm1r_a", "fm1a_a", "fo1_x,fm2_a"] {
            assert_eq!(sent(token), Some(format!("FlyV1 {token}")));
        }
        for token in ["fo1_x", "xfm2_a", "fm3_a"] {
            assert_eq!(sent(token), Some(format!("Bearer {token}")));
        }
        for token in ["", "a b", "a\nX-Other: b"] {
            assert_eq!(sent(token), None, "{token:?}");
        }
    }
}
