//! The HTTP API: routes, extractors, handlers, errors and the OpenAPI document.
//!
//! A handler is a file per verb: extract → authorise → validate → one transaction → commit → ring →
//! answer. Nothing here knows SQL, calls a provider while a transaction is open, or reads a clock
//! other than the state's.

mod activity;
mod api_keys;
mod at_once;
mod auth;
mod bounds;
mod bulk;
pub mod context;
pub mod envelope;
mod environments;
pub mod error;
pub mod extract;
mod github;
mod idempotency;
mod integrations;
mod jobs;
mod limit;
mod members;
mod middleware;
mod operations;
pub mod options;
mod orgs;
mod pages;
mod pauses;
mod routes;
mod schema;
mod secrets;
mod server;
pub mod state;
mod users;
mod validate;
mod vaults;
mod webhooks;

pub use operations::metrics::metrics_text;
pub use options::ApiOptions;
pub use routes::{openapi, router};
pub use server::serve;
pub use state::ApiState;
