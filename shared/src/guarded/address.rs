//! Which addresses of the internet are everybody's. What is not is refused: the networks that this
//! program can see are not those of whoever gives it an address.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use url::{Host, Url};

/// Why an address that a user gave is not called.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadTarget {
    /// It is no address.
    #[error("must be an address such as https://example.com/hook")]
    NoUrl,
    /// It is not https.
    #[error("must begin with https://")]
    Scheme,
    /// It bears a user or a password, which would end up in places that show addresses.
    #[error("must not hold a user or a password")]
    Credentials,
    /// It leads to a network that is not everybody's.
    #[error("must lead to a public address")]
    Private,
}

/// Checks an address as far as it tells without asking anybody. What its name stands for is checked
/// when it is called.
pub fn check_target(text: &str, allow_private: bool) -> Result<Url, BadTarget> {
    // Such are left out or turned around when a URL is read, and not by every reader alike.
    let is_odd = |c: char| c.is_control() || c.is_whitespace() || c == '\\';
    if text.contains(is_odd) {
        return Err(BadTarget::NoUrl);
    }
    let url = Url::parse(text).map_err(|_| BadTarget::NoUrl)?;
    match url.scheme() {
        "https" => {}
        "http" if allow_private => {}
        "http" => return Err(BadTarget::Scheme),
        _ => return Err(BadTarget::NoUrl),
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(BadTarget::Credentials);
    }
    let is_public = match url.host().ok_or(BadTarget::NoUrl)? {
        Host::Ipv4(address) => is_global(address.into()),
        Host::Ipv6(address) => is_global(address.into()),
        Host::Domain(name) => {
            let name = name.trim_end_matches('.');
            name != "localhost" && !name.ends_with(".localhost")
        }
    };
    if is_public || allow_private {
        Ok(url)
    } else {
        Err(BadTarget::Private)
    }
}

/// Whether an address belongs to the internet that everybody sees, by the IANA registries of special
/// purpose addresses.
pub fn is_global(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_global_v4(address),
        IpAddr::V6(address) => is_global_v6(address),
    }
}

/// What of IPv4 is not everybody's: the network, and how many of its bits count.
const SPECIAL_V4: [([u8; 4], u32); 18] = [
    // "This network".
    ([0, 0, 0, 0], 8),
    // Private.
    ([10, 0, 0, 0], 8),
    ([172, 16, 0, 0], 12),
    ([192, 168, 0, 0], 16),
    // Shared by a carrier's customers.
    ([100, 64, 0, 0], 10),
    // Loopback.
    ([127, 0, 0, 0], 8),
    // Link-local, with the clouds' metadata.
    ([169, 254, 0, 0], 16),
    // Assignments of protocols, AS112, the relay of 6to4.
    ([192, 0, 0, 0], 24),
    ([192, 31, 196, 0], 24),
    ([192, 52, 193, 0], 24),
    ([192, 88, 99, 0], 24),
    ([192, 175, 48, 0], 24),
    // Measurements.
    ([198, 18, 0, 0], 15),
    // Documentation.
    ([192, 0, 2, 0], 24),
    ([198, 51, 100, 0], 24),
    ([203, 0, 113, 0], 24),
    // Multicast; reserved, with broadcast.
    ([224, 0, 0, 0], 4),
    ([240, 0, 0, 0], 4),
];

fn is_global_v4(address: Ipv4Addr) -> bool {
    !SPECIAL_V4.iter().any(|(network, bits)| {
        let mask = u32::MAX << (32 - bits);
        address.to_bits() & mask == Ipv4Addr::from(*network).to_bits()
    })
}

fn is_global_v6(address: Ipv6Addr) -> bool {
    // All of the internet is in 2000::/3. Outside are loopback, mapped and translated IPv4, unique
    // local, link-local, multicast and what is not given out yet.
    let [first, second, ..] = address.segments();
    let special = match first {
        // Protocols (Teredo and ORCHID among them), and documentation.
        0x2001 => second < 0x200 || second == 0xdb8,
        // 6to4, which leads to any IPv4.
        0x2002 => true,
        // Documentation.
        0x3fff => second < 0x1000,
        _ => false,
    };
    (0x2000..0x4000).contains(&first) && !special
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_everybody_s_is_global() {
        for text in [
            "1.1.1.1",
            "8.8.8.8",
            "100.63.255.255",
            "100.128.0.1",
            "172.15.0.1",
            "172.32.0.1",
            "169.253.1.1",
            "192.167.1.1",
            "198.17.1.1",
            "198.20.1.1",
            "223.255.255.254",
            "2606:4700:4700::1111",
            "2a00:1450:4001::1",
            "2001:4860:4860::8888",
        ] {
            assert!(is_global(text.parse().unwrap()), "{text}");
        }
        for text in [
            "0.0.0.0",
            "0.1.2.3",
            "10.0.0.1",
            "127.0.0.1",
            "127.255.255.254",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.168.0.1",
            "100.64.0.1",
            "100.127.255.255",
            "192.0.0.8",
            "192.0.2.1",
            "192.88.99.1",
            "198.18.0.1",
            "198.19.255.255",
            "198.51.100.1",
            "203.0.113.1",
            "224.0.0.1",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::ffff:10.0.0.1",
            "::ffff:8.8.8.8",
            "::8.8.8.8",
            "64:ff9b::a00:1",
            "64:ff9b:1::1",
            "100::1",
            "2001::1",
            "2001:db8::1",
            "2002:a00:1::1",
            "3fff::1",
            "5f00::1",
            "fc00::1",
            "fd12:3456::1",
            "fe80::1",
            "fec0::1",
            "ff02::1",
        ] {
            assert!(!is_global(text.parse().unwrap()), "{text}");
        }
    }

    #[test]
    fn a_target_is_judged_however_it_is_written() {
        for text in [
            "https://example.com/hook?a=b",
            "https://1.1.1.1/",
            "https://[2606:4700::1]/",
        ] {
            assert!(check_target(text, false).is_ok(), "{text}");
        }
        for text in [
            "https://127.0.0.1/",
            "https://127.1/",
            "https://0x7f000001/",
            "https://2130706433/",
            "https://0177.0.0.1/",
            "https://localhost/",
            "https://LOCALHOST./",
            "https://a.localhost/",
            "https://[::1]/",
            "https://[::ffff:10.0.0.1]/",
            "https://169.254.169.254/latest",
            "https://10.0.0.1:8443/",
            "https://[fd00::1]/",
        ] {
            assert_eq!(check_target(text, false), Err(BadTarget::Private), "{text}");
            assert!(check_target(text, true).is_ok(), "{text}");
        }
        for (text, problem) in [
            ("", BadTarget::NoUrl),
            ("example.com", BadTarget::NoUrl),
            ("file:///etc/passwd", BadTarget::NoUrl),
            ("https://a\r\nb.example.com/", BadTarget::NoUrl),
            ("https://example.com\\@127.0.0.1/", BadTarget::NoUrl),
            (" https://example.com/", BadTarget::NoUrl),
            ("http://example.com/", BadTarget::Scheme),
            ("https://u:p@example.com/", BadTarget::Credentials),
        ] {
            assert_eq!(check_target(text, false), Err(problem), "{text}");
        }
        assert!(check_target("http://example.com/", true).is_ok());
    }
}
