//! Providers, connections, links, syncs and jobs.

mod connections;
mod jobs;
mod leaks;
mod links;
mod lived_in;
mod oauth;
mod plans;
mod refusals;
mod syncs;
mod whole;
pub(crate) mod world;
