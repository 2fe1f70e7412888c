//! Kinds of values that several sections use.

use std::fmt;
use std::net::SocketAddr;
use std::str::FromStr;
use std::time::Duration;

use ipnet::IpNet;
use url::Url;

use crate::domain::account::parse_network;
use crate::secret::Secret;

/// `scheme://host[:port]` of an http or https address, in its normal form, without a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin(String);

impl Origin {
    /// The text, without a slash at the end.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for Origin {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let example = "it must look like https://example.com or http://localhost:3000";
        // The text is not repeated: it may bear a password.
        let url = Url::parse(text.trim()).map_err(|_| format!("not an origin; {example}"))?;
        if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none() {
            return Err(format!("not an http or https origin; {example}"));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(format!("an origin has no user and no password; {example}"));
        }
        if !matches!(url.path(), "" | "/") || url.query().is_some() || url.fragment().is_some() {
            return Err(format!("an origin has no path; {example}"));
        }
        Ok(Self(url.origin().ascii_serialization()))
    }
}

/// A domain of cookies: names with dots between, and a dot before all of it or not.
pub(super) fn domain(text: &str) -> Result<String, String> {
    let text = text.trim().to_ascii_lowercase();
    let bare = text.strip_prefix('.').unwrap_or(&text);
    let is_label = |label: &str| {
        !label.is_empty()
            && label
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    };
    if bare.split('.').all(is_label) {
        Ok(bare.to_owned())
    } else {
        Err("must be a domain, such as example.com".to_owned())
    }
}

/// An address or a network.
pub(super) fn network(text: &str) -> Result<IpNet, String> {
    parse_network(text.trim())
        .ok_or_else(|| "must be an address or a network, such as 10.0.0.0/8".to_owned())
}

/// An address to listen on.
pub(super) fn listen(text: &str) -> Result<SocketAddr, String> {
    let text = text.trim();
    let text = text
        .strip_prefix("localhost:")
        .map_or_else(|| text.to_owned(), |port| format!("127.0.0.1:{port}"));
    text.parse().map_err(|_| {
        "must be an IP address and a port, such as 127.0.0.1:8080, 0.0.0.0:8080 or [::]:8080"
            .to_owned()
    })
}

/// Longer than anything is kept; times that far from now can still be reckoned with.
const LONGEST: Duration = Duration::from_hours(24 * 36_500);

/// A duration with its unit, longer than nothing.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    match humantime::parse_duration(text.trim()) {
        Ok(duration) if duration.is_zero() => Err("must be longer than 0".to_owned()),
        Ok(duration) if duration > LONGEST => Err("must be at most 36500d".to_owned()),
        Ok(duration) => Ok(duration),
        Err(error) => Err(format!("{error}; a duration looks like 500ms, 30s or 5m")),
    }
}

/// An address that bears a password, as it may be shown: without user, password and parameters.
/// What cannot be taken apart is not shown at all.
pub fn redact_url(address: &Secret) -> String {
    let text = address.expose();
    if let Some(path) = text.strip_prefix("sqlite:") {
        let (path, parameters) = path.split_once('?').unwrap_or((path, ""));
        let mark = if parameters.is_empty() { "" } else { "?…" };
        return format!("sqlite:{path}{mark}");
    }
    let Ok(url) = Url::parse(text) else {
        return "(set; not shown, because it is not a URL)".to_owned();
    };
    let Some(host) = url.host_str() else {
        return format!("{}://…", url.scheme());
    };
    let user = if url.username().is_empty() && url.password().is_none() {
        ""
    } else {
        "…@"
    };
    let port = url
        .port()
        .map(|port| format!(":{port}"))
        .unwrap_or_default();
    let parameters = if url.query().is_some() { "?…" } else { "" };
    format!(
        "{}://{user}{host}{port}{}{parameters}",
        url.scheme(),
        url.path()
    )
}
