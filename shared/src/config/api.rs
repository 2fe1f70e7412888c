//! The HTTP API.

use std::net::SocketAddr;

use clap::Args;
use ipnet::IpNet;

use super::values::{domain, listen, network};
use super::{LimitsArgs, LimitsSettings, Origin};

/// The API.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "API")]
pub struct ApiArgs {
    /// Address of the API; port 0 picks a free one and prints it
    #[arg(
        long,
        env = "KEYWAY_LISTEN",
        value_name = "ADDRESS",
        default_value = "127.0.0.1:8080",
        value_parser = listen
    )]
    pub listen: SocketAddr,

    /// The API's origin as its users see it: base of callback and job addresses
    ///
    /// Without it the address that the API listens on is used.
    #[arg(long, env = "KEYWAY_PUBLIC_URL", value_name = "ORIGIN")]
    pub public_url: Option<Origin>,

    /// Origins, separated by commas, that a connect may send the browser back to
    #[arg(
        long,
        env = "KEYWAY_REDIRECT_ORIGINS",
        value_name = "ORIGINS",
        value_delimiter = ','
    )]
    pub redirect_origins: Vec<Origin>,

    /// Origins, separated by commas, whose pages may call the API from a browser
    #[arg(
        long,
        env = "KEYWAY_CORS_ORIGINS",
        value_name = "ORIGINS",
        value_delimiter = ','
    )]
    pub cors_origins: Vec<Origin>,

    /// Domain of the cookies of a browser that signed in, when pages elsewhere below it need them
    ///
    /// Without it they are for the API's own host only.
    #[arg(
        long,
        env = "KEYWAY_COOKIE_DOMAIN",
        value_name = "DOMAIN",
        value_parser = domain
    )]
    pub cookie_domain: Option<String>,

    /// Let old clients begin a connect with a token in the address of the browser
    ///
    /// Such a token is in the browser's history, and in the logs of whatever stands in front of this
    /// program. Other clients use tickets.
    #[arg(long, env = "KEYWAY_TOKEN_IN_QUERY")]
    pub token_in_query: bool,

    /// Addresses and networks of proxies, separated by commas, whose `X-Forwarded-For` is believed
    ///
    /// Without it a request comes from wherever its connection does.
    #[arg(
        long,
        env = "KEYWAY_TRUSTED_PROXIES",
        value_name = "NETWORKS",
        value_delimiter = ',',
        value_parser = network
    )]
    pub trusted_proxies: Vec<IpNet>,

    /// What callers and connections may ask of it.
    #[command(flatten)]
    pub limits: LimitsArgs,
}

impl ApiArgs {
    /// The checked settings.
    pub fn resolve(&self) -> ApiSettings {
        ApiSettings {
            listen: self.listen,
            public_url: self.public_url.clone(),
            redirect_origins: self.redirect_origins.clone(),
            cors_origins: self.cors_origins.clone(),
            cookie_domain: self.cookie_domain.clone(),
            token_in_query: self.token_in_query,
            trusted_proxies: self.trusted_proxies.clone(),
            limits: self.limits.resolve(),
        }
    }
}

/// The API, checked.
#[derive(Debug, Clone)]
pub struct ApiSettings {
    /// Where it listens.
    pub listen: SocketAddr,
    /// Its origin for users, when it differs from where it listens.
    pub public_url: Option<Origin>,
    /// Where a connect may send the browser back to.
    pub redirect_origins: Vec<Origin>,
    /// Whose pages may call it.
    pub cors_origins: Vec<Origin>,
    /// Domain of its cookies.
    pub cookie_domain: Option<String>,
    /// Whether a token may stand in an address.
    pub token_in_query: bool,
    /// Proxies that are believed.
    pub trusted_proxies: Vec<IpNet>,
    /// What callers and connections may ask of it.
    pub limits: LimitsSettings,
}

impl ApiSettings {
    /// The origin for users, given where the API really listens.
    pub fn public_origin(&self, bound: SocketAddr) -> String {
        match &self.public_url {
            Some(origin) => origin.to_string(),
            None => origin_of(bound),
        }
    }
}

/// `http://` and an address that a client on this machine can use: "every address" is not one.
fn origin_of(bound: SocketAddr) -> String {
    if bound.ip().is_unspecified() {
        format!("http://localhost:{}", bound.port())
    } else {
        format!("http://{bound}")
    }
}
