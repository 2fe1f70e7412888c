//! The integration's webhook: Vercel calls the one address that its console has for us, and signs the body
//! with the integration's client secret.

use chrono::DateTime;
use hmac::{Hmac, KeyInit, Mac};
use serde::Deserialize;
use sha1::Sha1;

use crate::providers::{Notice, NoticeError, NoticeKind};
use crate::secret::Secret;

/// Bears the HMAC-SHA1 of the body as it came, in hex.
pub(super) const SIGNATURE: &str = "x-vercel-signature";
/// Of the ids that Vercel gives.
const MAX_ID: usize = 255;
const REMOVED: &str = "integration-configuration.removed";

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Envelope {
    id: String,
    #[serde(rename = "type")]
    kind: String,
    /// In milliseconds.
    created_at: i64,
    /// What it is depends on the type; of most types it does not concern us.
    #[serde(default)]
    payload: serde_json::Value,
}

/// Nothing is read of a body before its signature was found to fit.
pub(super) fn read(
    secret: &Secret,
    signature: Option<&[u8]>,
    body: &[u8],
) -> Result<Notice, NoticeError> {
    let signature = signature.and_then(|text| hex::decode(text).ok());
    let signature = signature.ok_or(NoticeError::BadSignature)?;
    let mut mac = Hmac::<Sha1>::new_from_slice(secret.expose().as_bytes())
        .map_err(|_| NoticeError::NotConfigured)?;
    mac.update(body);
    // In constant time.
    mac.verify_slice(&signature)
        .map_err(|_| NoticeError::BadSignature)?;

    let envelope: Envelope = serde_json::from_slice(body).map_err(|_| NoticeError::Unreadable)?;
    let at = DateTime::from_timestamp_millis(envelope.created_at);
    let text = |id: &str| (1..=MAX_ID).contains(&id.len()).then(|| id.to_owned());
    let kind = if envelope.kind == REMOVED {
        let id = envelope.payload.pointer("/configuration/id");
        let id = id.and_then(|id| id.as_str()).and_then(text);
        NoticeKind::InstallationRemoved {
            installation_id: id.ok_or(NoticeError::Unreadable)?,
        }
    } else {
        NoticeKind::Other
    };
    Ok(Notice {
        id: text(&envelope.id).ok_or(NoticeError::Unreadable)?,
        at: at.ok_or(NoticeError::Unreadable)?,
        kind,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const BODY: &str = r#"{"id":"evt_1","type":"integration-configuration.removed","createdAt":1764000000000,"region":null,"payload":{"configuration":{"id":"icfg_1","projects":[]},"team":{"id":null},"user":{"id":"u"}}}"#;
    /// `openssl dgst -sha1 -hmac shhh` of it.
    const SIGNED: &str = "0cb712d0fcf39abd4e5d751aca07cc8cca50d9a7";

    fn heard(signature: Option<&str>, body: &str) -> Result<Notice, NoticeError> {
        let signature = signature.map(str::as_bytes);
        read(&Secret::new("shhh"), signature, body.as_bytes())
    }

    #[test]
    fn a_notice_is_read_only_as_it_was_signed() {
        let notice = heard(Some(SIGNED), BODY).unwrap();
        assert_eq!(notice.id, "evt_1");
        assert_eq!(notice.at.timestamp(), 1_764_000_000);
        let installation_id = "icfg_1".to_owned();
        assert_eq!(
            notice.kind,
            NoticeKind::InstallationRemoved { installation_id }
        );
        let bad = Err(NoticeError::BadSignature);
        assert_eq!(heard(Some(SIGNED), &BODY.replace("icfg_1", "icfg_2")), bad);
        assert_eq!(heard(Some(SIGNED), &format!("{BODY}\n")), bad);
        assert_eq!(heard(Some(&SIGNED[..38]), BODY), bad);
        assert_eq!(heard(Some(&format!("{SIGNED}00")), BODY), bad);
        for odd in [None, Some(""), Some("é"), Some("sha1=00")] {
            assert_eq!(heard(odd, BODY), bad);
        }
    }
}
