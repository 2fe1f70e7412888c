//! Webhooks.

use clap::Args;

/// Webhooks.
#[derive(Debug, Clone, Copy, Default, Args)]
#[command(next_help_heading = "Webhooks")]
pub struct WebhooksArgs {
    /// Let webhooks lead to private, loopback and link-local addresses, and to plain http
    ///
    /// Whoever may add a webhook can then make this service call what only it can reach. Use the same
    /// value in every process.
    #[arg(long, env = "KEYWAY_WEBHOOKS_ALLOW_PRIVATE")]
    pub webhooks_allow_private: bool,
}
