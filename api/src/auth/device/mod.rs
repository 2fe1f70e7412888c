//! Signing a device in that has no browser of its own: it shows a code, and somebody approves it
//! elsewhere (in the manner of RFC 8628, in the words of existing clients).

pub(super) mod poll;
pub(super) mod start;
pub(super) mod verify;

/// Seconds that there are for it.
const LASTS: i64 = 900;
/// Seconds between two questions of the device.
const INTERVAL: i64 = 5;
/// Where the code is approved.
const VERIFY: &str = "/v1/auth/device/verify";
