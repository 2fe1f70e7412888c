//! Providers, connections, links, syncs and jobs.

mod acts;
mod authority;
mod auto_syncs;
mod cancels;
mod connections;
mod disconnects;
mod events;
mod github;
mod idempotency;
mod jobs;
mod joins;
mod keys;
mod leaks;
mod limits;
mod links;
mod lived_in;
mod oauth;
mod pauses;
mod pending;
mod plans;
mod refusals;
mod syncs;
mod tenant;
mod test_keys;
mod wall;
mod whole;
pub(crate) mod world;
