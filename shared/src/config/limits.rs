//! Limits on what callers and connections may ask of one process.

use std::time::Duration;

use clap::Args;
use clap::builder::RangedU64ValueParser;

use super::values::duration;

/// Limits.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Limits")]
pub struct LimitsArgs {
    /// Requests a minute that one API key, session or user may make; 0 is no limit
    #[arg(
        long,
        env = "KEYWAY_RATE_LIMIT",
        value_name = "N",
        default_value_t = 3_000
    )]
    pub rate_limit: u32,

    /// Requests a minute from one address that bear no credential that is taken; 0 is no limit
    ///
    /// Of IPv6 the first 64 bits count as the address.
    #[arg(
        long,
        env = "KEYWAY_ADDRESS_RATE_LIMIT",
        value_name = "N",
        default_value_t = 300
    )]
    pub address_rate_limit: u32,

    /// Requests of one API key, session or user that wait for a job at once; 0 is no limit
    #[arg(
        long,
        env = "KEYWAY_WAITS_PER_CREDENTIAL",
        value_name = "N",
        default_value_t = 100
    )]
    pub waits_per_credential: u32,

    /// Streams of events that one API key, session or user has open at once; 0 is no limit
    #[arg(
        long,
        env = "KEYWAY_STREAMS_PER_CREDENTIAL",
        value_name = "N",
        default_value_t = 20
    )]
    pub streams_per_credential: u32,

    /// Streams of events that this process has open at once; 0 is no limit
    #[arg(
        long,
        env = "KEYWAY_STREAMS",
        value_name = "N",
        default_value_t = 1_000
    )]
    pub streams: u32,

    /// Connections to the API that this process has at once
    ///
    /// Others wait until one ends. One address, unless it is that of a trusted proxy, has half of
    /// them at most. Each takes a file of those that the system lets the process open.
    #[arg(
        long,
        env = "KEYWAY_CONNECTIONS",
        value_name = "N",
        default_value = "4096",
        value_parser = RangedU64ValueParser::<usize>::new().range(2..=1_000_000)
    )]
    pub connections: usize,

    /// How long a client may take to send the header of a request
    #[arg(
        long,
        env = "KEYWAY_HEADER_TIMEOUT",
        value_name = "DURATION",
        default_value = "15s",
        value_parser = duration
    )]
    pub header_timeout: Duration,

    /// How long a client may take to send the body of a request
    #[arg(
        long,
        env = "KEYWAY_BODY_TIMEOUT",
        value_name = "DURATION",
        default_value = "30s",
        value_parser = duration
    )]
    pub body_timeout: Duration,

    /// How long a client may leave 64 KiB of an answer, or the rest of it, untaken
    #[arg(
        long,
        env = "KEYWAY_UNREAD_TIMEOUT",
        value_name = "DURATION",
        default_value = "30s",
        value_parser = duration
    )]
    pub unread_timeout: Duration,

    /// How long a connection without a request is kept
    ///
    /// Longer than proxies in front keep theirs, or they send requests into connections that are
    /// being closed.
    #[arg(
        long,
        env = "KEYWAY_IDLE_TIMEOUT",
        value_name = "DURATION",
        default_value = "75s",
        value_parser = duration
    )]
    pub idle_timeout: Duration,
}

impl LimitsArgs {
    /// The checked settings.
    pub(super) fn resolve(&self) -> LimitsSettings {
        let limit = |number: u32| Some(number).filter(|limit| *limit > 0);
        LimitsSettings {
            rate_limit: limit(self.rate_limit),
            address_rate_limit: limit(self.address_rate_limit),
            waits_per_credential: limit(self.waits_per_credential),
            streams_per_credential: limit(self.streams_per_credential),
            streams: limit(self.streams),
            connections: ConnectionLimits {
                most: self.connections,
                header_timeout: self.header_timeout,
                body_timeout: self.body_timeout,
                unread_timeout: self.unread_timeout,
                idle_timeout: self.idle_timeout,
            },
        }
    }
}

/// Limits, checked. `None` is none.
#[derive(Debug, Clone, Copy, Default)]
pub struct LimitsSettings {
    /// Requests a minute of one credential.
    pub rate_limit: Option<u32>,
    /// Requests a minute of one address without one.
    pub address_rate_limit: Option<u32>,
    /// Waits of one credential at once.
    pub waits_per_credential: Option<u32>,
    /// Streams of one credential at once.
    pub streams_per_credential: Option<u32>,
    /// Streams of this process at once.
    pub streams: Option<u32>,
    /// What connections may keep it busy with.
    pub connections: ConnectionLimits,
}

/// What connections may keep a process busy with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConnectionLimits {
    /// Connections at once. One address, unless it is a trusted proxy's, has half of them at most.
    pub most: usize,
    /// How long the header of a request may take, from its first byte or from the connection's start.
    pub header_timeout: Duration,
    /// How long the body of a request may take.
    pub body_timeout: Duration,
    /// How long a client may leave a part of its answer where it is.
    pub unread_timeout: Duration,
    /// How long a connection may be without a request.
    pub idle_timeout: Duration,
}

impl Default for ConnectionLimits {
    fn default() -> Self {
        Self {
            most: 4096,
            header_timeout: Duration::from_secs(15),
            body_timeout: Duration::from_secs(30),
            unread_timeout: Duration::from_secs(30),
            idle_timeout: Duration::from_secs(75),
        }
    }
}
