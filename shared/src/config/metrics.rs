//! Metrics.

use std::net::SocketAddr;

use clap::Args;

use super::values::listen;
use super::{ApiSettings, ConfigError};

/// Metrics.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Metrics")]
pub struct MetricsArgs {
    /// Address for `/metrics` alone; without it `/metrics` is part of the API
    #[arg(
        long,
        env = "KEYWAY_METRICS_LISTEN",
        value_name = "ADDRESS",
        value_parser = listen
    )]
    pub metrics_listen: Option<SocketAddr>,
}

impl MetricsArgs {
    /// The address, checked against that of the API of the same process.
    pub fn resolve(&self, api: Option<&ApiSettings>) -> Result<Option<SocketAddr>, ConfigError> {
        match (self.metrics_listen, api) {
            (Some(address), Some(api)) if address == api.listen && address.port() != 0 => {
                Err(ConfigError::new(
                    "KEYWAY_METRICS_LISTEN",
                    "is the address of the API (KEYWAY_LISTEN): choose another, or leave it out \
                     to have /metrics there",
                ))
            }
            (address, _) => Ok(address),
        }
    }
}
