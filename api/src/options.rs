//! What the operator can set about the API.

use std::time::Duration;

use ipnet::IpNet;
use keyway_shared::config::ConnectionLimits;

/// Settings of the API. The defaults are those of the contract.
#[derive(Debug, Clone)]
pub struct ApiOptions {
    /// Base of callback and job URLs, without a slash at its end.
    pub public_url: String,
    /// Origins that `redirect_uri` may have; compared exactly.
    pub redirect_origins: Vec<String>,
    /// Origins whose pages may call the API with credentials; compared exactly.
    pub cors_origins: Vec<String>,
    /// Domain of the cookies of a browser that signed in; `None` is our own host only.
    pub cookie_domain: Option<String>,
    /// Whether an authorization may be begun with `?token=`, as old clients do.
    pub token_in_query: bool,
    /// Proxies whose word for where a request came from is believed.
    pub trusted_proxies: Vec<IpNet>,
    /// Requests a minute of one credential; `None` is no limit.
    pub rate_limit: Option<u32>,
    /// Requests a minute of one address without a credential that is taken; `None` is no limit.
    pub address_rate_limit: Option<u32>,
    /// Requests of one credential that wait for a job at once; `None` is no limit.
    pub waits: Option<u32>,
    /// Streams of events that one credential has open at once; `None` is no limit.
    pub streams: Option<u32>,
    /// Streams of events that this process has open at once; `None` is no limit.
    pub all_streams: Option<u32>,
    /// What connections may keep this process busy with.
    pub connections: ConnectionLimits,
    /// Longest body of a request, in bytes.
    pub max_body: usize,
    /// How long a request waits for its job unless it says otherwise. Existing clients hang up
    /// after 30 s.
    pub default_wait: Duration,
    /// The longest wait that `Prefer: wait=` can ask for.
    pub max_wait: Duration,
    /// When a job that was not finished fails.
    pub job_deadline: Duration,
    /// Whether `/metrics` is served here; false when it has a listen address of its own.
    pub metrics_on_api: bool,
    /// Whether webhooks may be in networks that are not everybody's, and without TLS.
    pub webhooks_allow_private: bool,
}

impl Default for ApiOptions {
    fn default() -> Self {
        Self {
            public_url: "http://127.0.0.1:8080".to_owned(),
            redirect_origins: Vec::new(),
            cors_origins: Vec::new(),
            cookie_domain: None,
            token_in_query: false,
            trusted_proxies: Vec::new(),
            rate_limit: None,
            address_rate_limit: None,
            waits: None,
            streams: None,
            all_streams: None,
            connections: ConnectionLimits::default(),
            max_body: 8 << 20,
            default_wait: Duration::from_secs(25),
            max_wait: Duration::from_mins(2),
            job_deadline: Duration::from_hours(24),
            metrics_on_api: true,
            webhooks_allow_private: false,
        }
    }
}
