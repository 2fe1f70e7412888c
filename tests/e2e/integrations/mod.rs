//! Providers, connections, links, syncs and jobs.

mod connections;
mod jobs;
mod links;
mod oauth;
mod plans;
mod refusals;
mod syncs;
mod whole;
mod world;
